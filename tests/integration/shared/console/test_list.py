"""The list of restores: what it shows, how it is narrowed, and what it says when there is nothing to show."""

import json
import re
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from shared.contracts.progress import Phase


def names(page: Page) -> list[str]:
    return page.locator("tbody th a").all_inner_texts()


def test_a_row_says_phase_way_who_when_and_how_long(busy_api: Any, console: Any) -> None:
    row = console(busy_api.url).get_by_role("row", name="INC-4711")

    for text in ("Importing", "orders", "drill", "anna.berg@example.org", "25 Nov, 02:52", "22 min ago", "22 min"):
        expect(row).to_contain_text(text)


def test_the_newest_is_first_and_a_row_leads_to_its_restore(busy_api: Any, console: Any) -> None:
    page = console(busy_api.url)
    expect(page.get_by_role("link", name="INC-4714")).to_be_visible()

    assert names(page)[:2] == ["INC-4714", "INC-4713"]
    page.get_by_role("row", name="CHG-2093").get_by_text("staging").click(force=True)
    expect(page.get_by_role("heading", name="CHG-2093")).to_be_focused()


@pytest.mark.parametrize(
    ("label", "choice", "shown"),
    [
        ("Phase", "Waits for approval", ["CHG-2093"]),
        ("Phase", "Went wrong", ["INC-4698", "restore-20251119-0902", "INC-4655"]),
        ("Phase", "Cancelled", ["INC-4650"]),
        ("Target", "staging", ["CHG-2093"]),
        ("Started", "Last 24 hours", [
            "INC-4714", "INC-4713", "INC-4712", "INC-4711", "restore-20251125-0251", "CHG-2093", "weekly-2025-47",
        ]),
    ],
)  # fmt: skip
def test_filters_narrow_the_list_and_stand_in_the_address(
    busy_api: Any, console: Any, label: str, choice: str, shown: list[str]
) -> None:
    page = console(busy_api.url)
    expect(page.get_by_label(label, exact=True).locator("option", has_text=choice).first).to_be_attached()
    page.get_by_label(label, exact=True).select_option(label=choice)
    expect(page.locator("tbody tr")).to_have_count(len(shown))

    assert names(page) == shown
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(len(shown))
    page.get_by_role("link", name="Clear filters").click()
    expect(page.get_by_role("link", name="INC-4714")).to_be_visible()


def test_a_filter_that_was_changed_keeps_the_focus(busy_api: Any, console: Any) -> None:
    page = console(busy_api.url)
    field = page.get_by_label("Requested by")
    field.fill("ben.okafor@example.org")
    field.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(3)

    expect(page.get_by_label("Requested by")).to_be_focused()
    assert "requestedBy=ben.okafor%40example.org" in page.url


def test_a_time_between_is_meant_in_the_zone_that_is_shown(busy_api: Any, console: Any) -> None:
    page = console(busy_api.url, "#/restores?span=between&from=2025-11-18T03:00&to=2025-11-19T03:00")
    expect(page.locator("tbody tr")).to_have_count(2)

    assert names(page) == ["restore-20251119-0902", "INC-4655"]
    assert any("from=2025-11-18T02%3A00" in path for _, path, _ in busy_api.calls)


def test_a_time_is_typed_in_peace(busy_api: Any, console: Any) -> None:
    page = console(busy_api.url, "#/restores?span=between&from=2025-11-18T03:00&to=")
    field = page.get_by_label("From")
    field.focus()
    page.keyboard.type("11202025")
    expect(field).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_role("row", name="INC-4698")).to_be_visible()
    expect(page.get_by_role("row", name="INC-4655")).to_have_count(0)
    assert "from=2025-11-20T03%3A00" in page.url


def test_pages_go_on_where_the_last_one_ended(api: Any, fake: ModuleType, console: Any) -> None:
    for number in range(30):
        api.put(fake.status(f"r{number:02}", [(Phase.COMPLETED, number)], ""))
    page = console(api.url)
    expect(page.locator("tbody tr")).to_have_count(25)
    page.get_by_role("link", name="Older").click()
    expect(page.locator("tbody tr")).to_have_count(5)

    assert names(page)[0] == "r25"
    page.get_by_role("link", name="Newest").click()
    expect(page.get_by_role("link", name="r00")).to_be_visible()


def test_the_list_is_live_and_an_unchanged_answer_is_not_sent_again(busy_api: Any, console: Any) -> None:
    page = console(busy_api.url, live=True)
    expect(page.get_by_role("row", name="INC-4714")).to_contain_text("Accepted")
    with page.expect_response(lambda response: "/api/restores?" in response.url) as unchanged:
        page.clock.fast_forward(6_000)
    assert unchanged.value.status == 304

    busy_api.enter("INC-4714", Phase.PLANNING)
    page.clock.fast_forward(6_000)
    expect(page.get_by_role("row", name="INC-4714")).to_contain_text("Planning")


def test_without_a_restore_the_list_leads_to_the_wizard(api: Any, console: Any) -> None:
    page = console(api.url)
    expect(page.get_by_role("heading", name="No restores yet")).to_be_visible()

    page.locator(".empty").get_by_role("link", name="New restore").click()
    expect(page.get_by_role("heading", name="What do you want to restore?")).to_be_focused()


def test_when_no_restore_fits_the_filters_they_can_be_cleared(busy_api: Any, console: Any) -> None:
    page = console(busy_api.url, "#/restores?target=production")

    expect(page.get_by_role("heading", name="No restore fits these filters")).to_be_visible()
    page.locator(".empty").get_by_role("link", name="Clear filters").click()
    expect(page.get_by_role("link", name="INC-4711")).to_be_visible()


def test_while_the_answer_is_waited_for_that_is_said(busy_api: Any, console: Any) -> None:
    busy_api.held.clear()
    page = console(busy_api.url)
    expect(page.locator("[aria-busy]")).to_contain_text("Looking for restores")

    busy_api.held.set()
    expect(page.get_by_role("link", name="INC-4711")).to_be_visible()
    expect(page.locator("[aria-busy]")).to_have_count(0)


def test_an_error_is_told_with_each_of_its_findings(api: Any, fake: ModuleType, console: Any) -> None:
    wrong = fake.problem(400, "Bad Request", "The query has 1 error(s).", "phase[0]: is no phase")
    api.overrides["GET", "restores"] = wrong
    page = console(api.url, "#/restores?phase=Nonsense")
    alert = page.get_by_role("alert")

    for text in ("Bad Request", "The query has 1 error(s).", "phase[0]: is no phase"):
        expect(alert).to_contain_text(text)


def test_an_outage_leaves_what_was_seen_and_goes_on_by_itself(busy_api: Any, fake: ModuleType, console: Any) -> None:
    page = console(busy_api.url, live=True)
    expect(page.get_by_role("link", name="INC-4711")).to_be_visible()
    busy_api.overrides["GET", "restores"] = fake.problem(503, "Service Unavailable", "The storage does not answer.")
    page.clock.fast_forward(6_000)
    expect(page.get_by_text("What you see may be out of date")).to_be_visible()
    expect(page.get_by_role("link", name="INC-4711")).to_be_visible()

    busy_api.overrides.clear()
    page.clock.fast_forward(31_000)
    expect(page.get_by_text("What you see may be out of date")).to_have_count(0)


def test_without_a_connection_that_is_said_and_mended_by_itself(busy_api: Any, console: Any) -> None:
    page = console(busy_api.url, live=True)
    expect(page.get_by_role("link", name="INC-4711")).to_be_visible()
    page.context.set_offline(True)
    page.clock.fast_forward(6_000)
    expect(page.get_by_text("The app does not answer. What you see may be out of date")).to_be_visible()

    page.context.set_offline(False)
    page.clock.fast_forward(31_000)
    expect(page.get_by_text("The app does not answer.")).to_have_count(0)


def test_an_answer_that_is_not_the_apps_is_said(busy_api: Any, fake: ModuleType, console: Any) -> None:
    busy_api.overrides["GET", "restores"] = fake.Answer(200, "<!doctype html><title>Sign in</title>", "text/html")

    expect(console(busy_api.url).get_by_role("alert")).to_contain_text("perhaps a sign-in page: load this page again")


def test_a_phase_of_a_later_version_is_shown_by_its_name(busy_api: Any, fake: ModuleType, console: Any) -> None:
    later = busy_api.restores["INC-4711"].to_wire() | {"phase": "Polishing"}
    later["phases"][-1]["phase"] = "Polishing"
    busy_api.overrides["GET", "restores/INC-4711"] = fake.Answer(200, later)

    page = console(busy_api.url, "#/restores/INC-4711")
    expect(page.locator(".standing .chip")).to_have_text("Polishing")


def test_the_console_works_below_any_prefix(busy_api: Any, console: Any) -> None:
    page = console(f"{busy_api.url}/some/prefix")
    expect(page.get_by_role("link", name="INC-4711")).to_be_visible()

    assert "restores?size=25" in [path for _, path, _ in busy_api.calls]


def test_what_comes_from_elsewhere_is_text(api: Any, fake: ModuleType, console: Any) -> None:
    evil = "<img src=x onerror=alert(1)>"
    api.put(fake.status("evil", [(Phase.FAILED, 1)], evil, source=evil, requested_by=evil, ticket=evil, reason=evil))
    page = console(api.url)
    expect(page.get_by_role("row", name="evil")).to_contain_text(evil)

    page.get_by_role("link", name="evil").click()
    expect(page.locator(".message")).to_have_text(evil)
    assert page.locator("main img").count() == 0


def test_times_can_be_shown_in_utc(busy_api: Any, console: Any) -> None:
    page = console(busy_api.url)
    expect(page.get_by_role("row", name="INC-4711")).to_contain_text("25 Nov, 02:52")
    page.get_by_role("button", name="anna.berg").click()
    page.get_by_label("Times are shown in").select_option("utc")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("row", name="INC-4711")).to_contain_text("25 Nov, 01:52")


def test_a_row_of_last_year_says_the_year(api: Any, fake: ModuleType, console: Any) -> None:
    api.put(fake.status("old", [(Phase.COMPLETED, timedelta(days=400).total_seconds() / 60)], ""))

    expect(console(api.url).get_by_role("row", name="old")).to_contain_text(re.compile("21 Oct 2024"))


def test_the_key_is_asked_for_kept_in_the_tab_and_sent_as_a_header(
    busy_api: Any, fake: ModuleType, console: Any
) -> None:
    busy_api.key = fake.KEY
    page = console(busy_api.url)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Key")).to_be_focused()
    dialog.get_by_label("Key").fill("wrong")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog.get_by_role("heading", name="That key is not the right one")).to_be_visible()
    dialog.get_by_label("Key").fill(fake.KEY)
    dialog.get_by_label("Key").press("Enter")
    expect(page.get_by_role("link", name="INC-4711")).to_be_visible()

    assert fake.KEY not in page.url
    assert fake.KEY not in json.dumps(busy_api.calls)
    assert fake.KEY not in page.evaluate("JSON.stringify(localStorage)")
    page.reload()
    expect(page.get_by_role("link", name="INC-4711")).to_be_visible()
    page.get_by_role("button", name="anna.berg").click()
    page.get_by_role("button", name="Forget the function key").click()
    expect(page.get_by_role("dialog").get_by_label("Key")).to_be_visible()


def test_health_shows_each_check_and_says_when_all_is_well(busy_api: Any, console: Any) -> None:
    page = console(busy_api.url, "#/health")

    expect(page.get_by_text("Ready to restore")).to_be_visible()
    expect(page.locator(".checks > li")).to_have_count(8)


def test_health_puts_what_is_amiss_first_and_can_look_again(busy_api: Any, fake: ModuleType, console: Any) -> None:
    amiss = fake.Check(name="target drill", ok=False, detail="orders-drill does not answer: open its firewall.")
    busy_api.overrides["GET", "health"] = fake.problem(
        503, "Service Unavailable", "1 thing(s) stand in the way.", "target drill: …", checks=(*fake.CHECKS[:7], amiss)
    )
    page = console(busy_api.url, "#/health")
    expect(page.locator(".checks > li").first).to_contain_text("orders-drill does not answer: open its firewall.")
    expect(page.get_by_text("1 check of 8 found something amiss")).to_be_visible()

    busy_api.overrides.clear()
    page.get_by_role("button", name="Check again").click()
    expect(page.get_by_text("Ready to restore")).to_be_visible()


def test_an_unknown_address_leads_back(api: Any, console: Any) -> None:
    page = console(api.url, "#/nonsense")

    page.get_by_role("main").get_by_role("link", name="All restores").click()
    expect(page.get_by_role("heading", name="Restores", exact=True)).to_be_focused()
