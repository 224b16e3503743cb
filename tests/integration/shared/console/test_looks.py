"""Every screen, light and dark and narrow: legible, without sideways scrolling, usable by keyboard, without complaints.

`make screenshots` takes the pictures of docs/console.md again.
"""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from shared.contracts.progress import Phase

DOCS = Path(__file__).parents[4] / "docs"
SCREENSHOTS = DOCS / "screenshots"

type Way = Callable[[Page, Any, ModuleType], None]


def address(address: str) -> Way:
    def go(page: Page, _api: Any, _fake: ModuleType) -> None:
        page.evaluate("(hash) => { location.hash = hash }", address)

    return go


def restore(request_id: str) -> Way:
    def go(page: Page, _api: Any, _fake: ModuleType) -> None:
        page.evaluate("(hash) => { location.hash = hash }", f"#/restores/{request_id}")
        expect(page.locator(".standing .chip")).to_be_visible()

    return go


def source(page: Page, _api: Any, _fake: ModuleType) -> None:
    page.evaluate("location.hash = '#/new/source'")
    page.get_by_role("radio", name="orders-prod").check()


def point(page: Page, api: Any, fake: ModuleType) -> None:
    source(page, api, fake)
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Last point before the incident at").fill("2025-11-20T14:35")
    page.get_by_label("Last point before the incident at").press("Tab")
    expect(page.locator(".point.picked")).to_contain_text("16 Nov")


def options(page: Page, api: Any, fake: ModuleType) -> None:
    point(page, api, fake)
    page.get_by_role("button", name="Next").click()
    page.get_by_role("radio", name="staging").check()
    page.get_by_role("radio", name="Only those that I name").check()
    page.get_by_label("Database 1: name in the backup").fill("orders")
    page.get_by_role("button", name="Add a database").click()
    page.get_by_label("Database 2: name in the backup").fill("bill*")
    page.get_by_label("Database 2: name on the target").fill("*_before")
    page.get_by_role("radio", name="Replace it").check()
    page.get_by_label("Ticket").fill("CHG-2093")
    page.get_by_label("Ticket").blur()


def more_options(page: Page, api: Any, fake: ModuleType) -> None:
    options(page, api, fake)
    page.get_by_text("More options").click()
    page.get_by_label("Database 1: name in the backup").fill("")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("Name a database, or remove this line.")).to_be_visible()


def review(page: Page, api: Any, fake: ModuleType) -> None:
    options(page, api, fake)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("button", name="Send for approval")).to_be_visible()


def obstacles(page: Page, api: Any, fake: ModuleType) -> None:
    api.overrides["POST", "plans"] = fake.problem(
        422,
        "Unprocessable Content",
        "2 thing(s) stand in the way of this restore; nothing was touched.",
        "existing databases: orders exists on drill. Mend it with: another name, or onConflict skip or replace",
        "landing account: The vault's identity may not write into it. Mend it with: az role assignment create --role 'Storage Blob Data Contributor' --scope /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/orders-rg",  # noqa: E501
    )
    options(page, api, fake)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("alert")).to_be_visible()


def dialog(request_id: str, button: str) -> Way:
    def go(page: Page, api: Any, fake: ModuleType) -> None:
        restore(request_id)(page, api, fake)
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("dialog")).to_be_visible()

    return go


def you(page: Page, _api: Any, _fake: ModuleType) -> None:
    page.get_by_role("button", name="anna.berg").click()


def sign_in(page: Page, api: Any, fake: ModuleType) -> None:
    api.key = fake.KEY
    page.evaluate("location.hash = '#/restores?target=drill'")
    expect(page.get_by_role("dialog").get_by_label("Key")).to_be_visible()


def nothing(page: Page, api: Any, _fake: ModuleType) -> None:
    api.restores.clear()
    page.evaluate("location.hash = '#/restores?after='")
    expect(page.get_by_role("heading", name="No restores yet")).to_be_visible()


def long_names(page: Page, api: Any, fake: ModuleType) -> None:
    long = {name: name[0] * 200 for name in ("source", "target", "requested_by", "ticket", "reason", "container")}
    tables = (fake.TableProgress(table="t" * 127, state="loading", bytes=10**14, total_bytes=10**15, rows=10**15),)
    loading = fake.loading(fake.file("l" * 63, 1, fake.S.IMPORTING)).load.model_copy(update={"by_table": tables})
    files = (
        fake.file("d" * 63, 1, fake.S.FAILED, "f" * 63, "r" * 300),
        fake.file("l" * 63, 1, fake.S.IMPORTING).model_copy(update={"load": loading}),
    )
    errors = (fake.Failure(code="c" * 80, message="m" * 300, details=("x" * 300,)),)
    api.put(fake.status("i" * 80, [(Phase.FAILED, 1)], "m" * 300, files=files, errors=errors, **long))
    page.evaluate("location.hash = '#/restores?phase=Failed'")
    expect(page.get_by_role("link", name="i" * 80)).to_be_visible()


def long_restore(page: Page, api: Any, fake: ModuleType) -> None:
    long_names(page, api, fake)
    restore("i" * 80)(page, api, fake)
    page.locator("details.load summary").click()


def waiting(page: Page, api: Any, _fake: ModuleType) -> None:
    api.held.clear()
    page.evaluate("location.hash = '#/restores/INC-4711'")
    expect(page.locator("[aria-busy]")).to_be_visible()


def wrong(page: Page, api: Any, fake: ModuleType) -> None:
    api.overrides["GET", "instances"] = fake.problem(502, "Bad Gateway", "The vault does not answer.", "try later")
    page.evaluate("location.hash = '#/new/source'")
    expect(page.get_by_role("alert")).to_be_visible()


def amiss(page: Page, api: Any, fake: ModuleType) -> None:
    bad = fake.Check(
        name="target drill", ok=False, detail="orders-drill does not answer: start it, or open its firewall."
    )
    checks = (*fake.CHECKS[:7], bad)
    api.overrides["GET", "health"] = fake.problem(503, "Service Unavailable", "1 thing(s)", checks=checks)
    page.evaluate("location.hash = '#/health'")
    expect(page.get_by_text("found something amiss")).to_be_visible()


def load(page: Page, api: Any, fake: ModuleType) -> None:
    restore("INC-4711")(page, api, fake)
    page.locator("details.load summary").click()
    expect(page.locator("details.load").get_by_role("table")).to_be_visible()


SCREENS: dict[str, Way] = {
    "load": load,
    "list": address("#/restores"),
    "list between two times": address("#/restores?span=between&from=2025-11-01T00:00&to=2025-11-25T00:00&target=drill"),
    "empty list": nothing,
    "nothing fits": address("#/restores?target=production"),
    **{f"restore {phase}": restore(name) for phase, name in {
        Phase.ACCEPTED: "INC-4714", Phase.PLANNING: "INC-4713", Phase.AWAITING_APPROVAL: "CHG-2093",
        Phase.AWAITING_LANDING: "INC-4712", Phase.RESTORING: "restore-20251125-0251", Phase.IMPORTING: "INC-4711",
        Phase.VERIFYING: "weekly-2025-47", Phase.COMPLETED: "restore-20251122-1803",
        Phase.COMPLETED_WITH_WARNINGS: "drill-2025-46", Phase.PARTIALLY_FAILED: "INC-4698",
        Phase.FAILED: "restore-20251119-0902", Phase.REJECTED: "INC-4655", Phase.CANCELLED: "INC-4650",
    }.items()},
    "dry run": restore("dry-run-17"),
    "list of long names": long_names,
    "restore of long names": long_restore,
    "unknown restore": address("#/restores/nothing"),
    "waiting": waiting,
    "source": source,
    "point": point,
    "options": options,
    "more options": more_options,
    "review": review,
    "obstacles": obstacles,
    "wrong": wrong,
    "approve": dialog("CHG-2093", "Approve…"),
    "cancel": dialog("INC-4711", "Cancel…"),
    "retry": dialog("INC-4698", "Retry…"),
    "you": you,
    "sign in": sign_in,
    "health": address("#/health"),
    "health amiss": amiss,
    "nothing here": address("#/nonsense"),
}  # fmt: skip


@pytest.fixture
def screen(request: pytest.FixtureRequest, busy_api: Any, fake: ModuleType, console: Any) -> Page:
    """The page, on the screen that the test names."""
    page: Page = console(busy_api.url)
    expect(page.get_by_role("link", name="INC-4711")).to_be_visible()
    SCREENS[request.param](page, busy_api, fake)
    if request.param not in {"waiting", "sign in"}:
        expect(page.locator("[aria-busy]")).to_have_count(0)
    return page


@pytest.mark.parametrize("screen", SCREENS, indirect=True)
def test_a_screen_is_legible_fits_a_narrow_window_and_names_its_controls(screen: Page) -> None:
    for scheme in ("light", "dark"):
        screen.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        contrast = screen.evaluate("contrast()")
        assert contrast["found"] == [], scheme
        assert contrast["looked"] > 5
    assert screen.evaluate("unnamed()") == []
    assert screen.evaluate("twice()") == []

    screen.set_viewport_size({"width": 400, "height": 800})
    assert screen.evaluate("overflowing()") == []
    assert screen.evaluate("document.documentElement.scrollWidth") <= 400
    assert screen.evaluate("document.querySelectorAll('h1').length") == 1


def tour(page: Page, stops: int) -> list[str]:
    """What the Tab key visits; each has to show that it has the focus."""
    names = []
    for _ in range(stops):
        page.keyboard.press("Tab")
        name, visible = page.evaluate("focused()")
        assert visible, f"the focus on {name} cannot be seen"
        names.append(name)
    return names


def test_the_tab_key_visits_the_list_in_reading_order(busy_api: Any, console: Any) -> None:
    page = console(busy_api.url)
    expect(page.get_by_role("link", name="INC-4711")).to_be_visible()

    assert tour(page, 12) == [
        "skip", "Flex Restore", "Restores", "Health", "person", "New restore", "filter-phase", "filter-target",
        "filter-requestedBy", "filter-span", "restore-INC-4714", "restore-INC-4713",
    ]  # fmt: skip


def test_the_skip_link_leads_past_the_bar(busy_api: Any, console: Any) -> None:
    page = console(busy_api.url)
    expect(page.get_by_role("link", name="INC-4711")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_role("main")).to_be_focused()
    assert tour(page, 1) == ["filter-phase"]
    assert page.url.endswith("/api/console")


@pytest.mark.parametrize(
    ("way", "order"),
    [
        (source, ["next"]),
        (point, ["timeline", "point-", "back", "over", "next"]),
        (options, ["More options", "back", "over", "next"]),
    ],
    ids=["source", "point", "options"],
)
def test_the_tab_key_goes_on_through_a_step_to_its_end(
    busy_api: Any, fake: ModuleType, console: Any, way: Way, order: list[str]
) -> None:
    page = console(busy_api.url)
    way(page, busy_api, fake)
    page.locator("h1").focus()
    names: list[str] = []
    while not names or names[-1] != "next":
        names += tour(page, 1)
        assert len(names) < 40, names

    seen = [next((wanted for wanted in order if name.startswith(wanted)), "") for name in names]
    assert [one for one in seen if one] == order


def test_a_dialog_takes_the_focus_and_gives_it_back(busy_api: Any, fake: ModuleType, console: Any) -> None:
    page = console(busy_api.url)
    dialog("CHG-2093", "Approve…")(page, busy_api, fake)
    expect(page.get_by_role("dialog").get_by_label("Your name")).to_be_focused()

    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Approve…")).to_be_focused()


def test_nothing_moves_for_those_who_want_it_still(busy_api: Any, console: Any) -> None:
    page = console(busy_api.url)
    expect(page.get_by_role("link", name="INC-4711")).to_be_visible()
    running = "document.getAnimations().length"

    assert page.evaluate(running) == 0
    page.emulate_media(reduced_motion="no-preference")
    page.wait_for_function(f"{running} > 0")


SHOTS: dict[str, tuple[Way, str, int]] = {
    "list": (SCREENS["list"], "light", 1280),
    "list-dark": (SCREENS["list"], "dark", 1280),
    "list-400": (SCREENS["list"], "light", 400),
    "wizard-source": (source, "light", 1280),
    "wizard-point": (point, "light", 1280),
    "wizard-point-dark": (point, "dark", 1280),
    "wizard-point-400": (point, "light", 400),
    "wizard-options": (options, "light", 1280),
    "wizard-review": (review, "light", 1280),
    "wizard-obstacles": (obstacles, "light", 1280),
    "restore": (load, "light", 1280),
    "restore-dark": (load, "dark", 1280),
    "restore-400": (load, "light", 400),
    "restore-approval": (restore("CHG-2093"), "light", 1280),
    "restore-report": (restore("drill-2025-46"), "light", 1280),
    "restore-failed": (restore("INC-4698"), "dark", 1280),
    "health": (SCREENS["health amiss"], "light", 1280),
}


@pytest.mark.screenshots
@pytest.mark.parametrize("name", SHOTS)
def test_screenshots_are_taken(busy_api: Any, fake: ModuleType, console: Any, name: str) -> None:
    way, scheme, width = SHOTS[name]
    page = console(busy_api.url, color_scheme=scheme, viewport={"width": width, "height": 720 if width > 400 else 900})
    way(page, busy_api, fake)
    expect(page.locator("[aria-busy]")).to_have_count(0)
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=width > 400, animations="disabled")


def test_the_pictures_that_the_documentation_shows_exist_and_no_others() -> None:
    shown = set(re.findall(r"\(screenshots/([\w-]+)\.png\)", (DOCS / "console.md").read_text("utf-8")))

    assert shown == set(SHOTS)
    assert {path.stem for path in SCREENSHOTS.glob("*.png")} == shown
