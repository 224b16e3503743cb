"""The console against everything real: what a person does in a browser brings databases onto the target server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from local.environment import Environment

ROWS = "SELECT count(*), sum(hashtext(m::text)::bigint) FROM stock.movement m"
ENDED = 120_000
"""Milliseconds until a restore has surely ended."""


@pytest.fixture
def page(browser: Browser, environment: Environment) -> Iterator[Page]:
    """The console, signed in; it may complain about nothing."""
    complaints: list[str] = []

    def said(message: ConsoleMessage) -> None:
        """A message, unless it is the browser's own word on an answer of the API."""
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    with browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 800}) as context:
        opened = context.new_page()
        opened.set_default_timeout(20_000)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("console", said)
        opened.goto(f"{environment.url}/api/console")
        sign_in(opened, environment.function_key)
        yield opened
    assert complaints == []


def sign_in(page: Page, key: str) -> None:
    """Give the key that the page asks for."""
    page.get_by_role("dialog").get_by_label("Key").fill(key)
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def rows(environment: Environment, server: str, database: str) -> Any:
    chosen = environment.source if server == "source" else environment.target
    with chosen.connect(database, as_superuser=True) as connection:
        return connection.execute(ROWS.encode()).fetchall()


def ended(page: Page) -> str:
    """The phase in which the restore of the page has ended."""
    expect(page.get_by_role("heading", name="Report")).to_be_visible(timeout=ENDED)
    return page.locator(".standing .chip").inner_text()


def start(ticketing: Any, request_id: str, **more: Any) -> None:
    """Ask for a restore as a program does."""
    request = {
        "requestId": request_id,
        "source": {"backupInstance": "orders"},
        "target": "drill",
        "databases": [{"name": "shop", "as": f"shop_{request_id}"}],
        **more,
    }
    assert ticketing.call("POST", "restores", request).status_code == 202


def look_at(page: Page, request_id: str) -> None:
    """Go to a restore's page."""
    page.evaluate("(hash) => { location.hash = hash }", f"#/restores/{request_id}")
    expect(page.locator(".standing .chip")).to_be_visible()


def test_the_wizard_leads_to_a_restored_database_by_mouse(environment: Environment, page: Page, tmp_path: Path) -> None:
    page.get_by_role("banner").get_by_role("link", name="New restore").click()
    page.get_by_role("radio", name="orders-prod").check()
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".point.picked")).to_contain_text("latest")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("radio", name="drill")).to_be_checked()  # the only one
    page.get_by_role("radio", name="Only those that I name").check()
    page.get_by_label("Database 1: name in the backup").fill("shop")
    page.get_by_label("Database 1: name on the target").fill("shop_mouse")
    page.get_by_label("Name of the restore").fill("mouse-1")
    page.get_by_label("Your name").fill("Anna")
    page.get_by_label("Reason").fill("A drill.")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("orders-drill").or_(page.get_by_text("PostgreSQL"))).not_to_have_count(0)
    page.get_by_role("button", name="Restore into drill").click()
    expect(page.get_by_role("heading", name="mouse-1")).to_be_focused()

    assert ended(page).startswith("Completed")
    assert rows(environment, "target", "shop_mouse") == rows(environment, "source", "shop")
    expect(page.locator("table.files tbody tr").first).to_contain_text("shop_mouse")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as a page").click()
    saved.value.save_as(tmp_path / "report.html")
    assert "mouse-1" in (tmp_path / "report.html").read_text("utf-8")


def test_the_wizard_leads_to_a_restored_database_by_keyboard(environment: Environment, page: Page) -> None:
    press, write = page.keyboard.press, page.keyboard.type

    def tab_to(name: str) -> None:
        for _ in range(80):
            press("Tab")
            if name in page.evaluate("document.activeElement.id + ' ' + document.activeElement.textContent"):
                return
        pytest.fail(f"no way to {name} by keyboard")

    tab_to("New restore")
    press("Enter")
    expect(page.get_by_role("radio", name="orders-prod")).to_be_visible()
    tab_to("instance-")
    press("Space")
    press("Enter")
    expect(page.get_by_role("slider")).to_be_visible()
    tab_to("timeline")
    press("Home")
    tab_to("next")
    press("Enter")
    expect(page.get_by_role("radio", name="drill")).to_be_checked()
    tab_to("which-all")
    press("ArrowRight")
    expect(page.get_by_label("Database 1: name in the backup")).to_be_visible()
    tab_to("row-0")
    write("sh?p")
    press("Tab")
    write("*_keys")
    tab_to("requestId")
    press("Control+a")
    write("keys-1")
    press("Tab")
    write("Ben")
    press("Enter")
    expect(page.get_by_role("button", name="Restore into drill")).to_be_visible()
    tab_to("Restore into drill")
    press("Enter")
    expect(page.get_by_role("heading", name="keys-1")).to_be_focused()

    assert ended(page).startswith("Completed")
    assert rows(environment, "target", "shop_keys") == rows(environment, "source", "shop")
    expect(page.get_by_role("button", name="Ben")).to_be_visible()


def test_everything_that_stands_in_the_way_is_told_and_can_be_mended(environment: Environment, page: Page) -> None:
    with environment.target.connect(autocommit=True) as connection:
        connection.execute("CREATE DATABASE console_taken")
    page.evaluate("location.hash = '#/new'")
    page.get_by_role("radio", name="orders-prod").check()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("slider")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("radio", name="Only those that I name").check()
    page.get_by_label("Database 1: name in the backup").fill("shop")
    page.get_by_label("Database 1: name on the target").fill("console_taken")
    page.get_by_label("Your name").fill("Anna")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("alert")).to_contain_text("'console_taken' exists on the target server")
    page.get_by_role("alert").get_by_role("link", name="Change it in Target and options").click()
    expect(page.locator(".error", has_text="console_taken")).to_be_visible()
    page.get_by_label("Database 1: name on the target").fill("console_free")
    page.get_by_role("button", name="Next").click()

    expect(page.get_by_role("button", name="Restore into drill")).to_be_visible()


def test_a_plan_is_approved_from_the_page(environment: Environment, page: Page, ticketing: Any) -> None:
    start(ticketing, "ok1", approval="required", requestedBy="Ben", reason="A drill.")
    look_at(page, "ok1")
    page.get_by_role("button", name="Approve…").click(timeout=ENDED)
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Your name").fill("Lea")
    dialog.get_by_label("Reason").fill("I read the plan.")
    dialog.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Approved by Lea")).to_be_visible()

    assert ended(page).startswith("Completed")
    assert ticketing.status("ok1").approval.decision.by == "Lea"
    assert rows(environment, "target", "shop_ok1") == rows(environment, "source", "shop")


def test_a_plan_is_rejected_from_the_page(page: Page, ticketing: Any) -> None:
    start(ticketing, "no1", approval="required", requestedBy="Ben")
    look_at(page, "no1")
    page.get_by_role("button", name="Reject…").click(timeout=ENDED)
    page.get_by_role("dialog").get_by_label("Your name").fill("Lea")
    page.get_by_role("dialog").get_by_label("Reason").fill("Not tonight.")
    page.get_by_role("dialog").get_by_role("button", name="Reject").click()

    assert ended(page) == "Rejected"
    expect(page.get_by_text("Rejected by Lea")).to_be_visible()
    page.get_by_role("button", name="Correct and send again…").click()
    expect(page.get_by_role("heading", name="Which point in time?")).to_be_visible()


def test_a_restore_is_cancelled_from_the_page(page: Page, ticketing: Any) -> None:
    start(ticketing, "stop1", approval="required", requestedBy="Ben")
    look_at(page, "stop1")
    expect(page.get_by_role("button", name="Approve…")).to_be_visible(timeout=ENDED)
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("dialog").get_by_label("Your name").fill("Ben")
    page.get_by_role("dialog").get_by_label("Reason").fill("Found it elsewhere.")
    page.get_by_role("dialog").get_by_role("button", name="Cancel the restore").click()

    assert ended(page) == "Cancelled"
    expect(page.get_by_text("Cancelled by Ben")).to_be_visible()
    assert "shop_stop1" not in ticketing.databases()


def test_the_list_shows_what_the_filters_ask_for(page: Page, ticketing: Any) -> None:
    for number in range(3):
        start(ticketing, f"listed-{number}", dryRun=True, requestedBy="lister")
        ticketing.ended(f"listed-{number}")
    page.get_by_label("Requested by").fill("lister")
    page.get_by_label("Requested by").press("Enter")
    expect(page.locator("tbody tr")).to_have_count(3)
    assert page.locator("tbody th a").all_inner_texts() == ["listed-2", "listed-1", "listed-0"]

    page.get_by_label("Started", exact=True).select_option(label="Last 24 hours")
    page.get_by_label("Target", exact=True).select_option("drill")
    page.get_by_label("Phase", exact=True).select_option(label="Ended well")
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_label("Phase", exact=True).select_option(label="Went wrong")
    expect(page.get_by_role("heading", name="No restore fits these filters")).to_be_visible()


def test_health_is_looked_at_for_real(page: Page) -> None:
    page.get_by_role("link", name="Health").click()

    expect(page.get_by_text("Ready to restore")).to_be_visible()
    expect(page.locator(".checks")).to_contain_text("Target drill", ignore_case=True)


def test_the_files_come_with_their_policy_and_are_not_sent_twice(environment: Environment) -> None:
    first = requests.get(f"{environment.url}/api/console", timeout=30)
    again = requests.get(f"{environment.url}/api/console", headers={"If-None-Match": first.headers["ETag"]}, timeout=30)
    slash = requests.get(f"{environment.url}/api/console/", timeout=30)
    style = requests.get(f"{environment.url}/api/console/style.css", timeout=30)

    assert first.headers["Content-Type"].startswith("text/html")
    assert first.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert (again.status_code, again.content) == (304, b"")
    assert (slash.status_code, slash.url) == (200, f"{environment.url}/api/console")
    assert style.headers["Content-Type"].startswith("text/css")
    assert requests.get(f"{environment.url}/api/console/../host.json", timeout=30).status_code == 404
