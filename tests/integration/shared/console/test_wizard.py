"""A new restore, step by step: what is asked, what is kept, what is sent, and where errors show up."""

from types import ModuleType
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from shared.contracts.imports import LoadMethod
from shared.contracts.plan import DatabaseOutlook

SOURCE = "What do you want to restore?"
POINT = "Which point in time?"
OPTIONS = "Where to, and how?"
REVIEW = "Is this what you want?"


def go_on(page: Page, heading: str) -> None:
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("heading", name=heading)).to_be_focused()


def to_points(page: Page) -> None:
    page.get_by_role("radio", name="orders-prod").check()
    go_on(page, POINT)
    expect(page.get_by_role("slider")).to_be_visible()


def to_options(page: Page) -> None:
    to_points(page)
    go_on(page, OPTIONS)
    expect(page.get_by_role("radio", name="drill", exact=False).first).to_be_visible()


def sent(api: Any, path: str) -> Any:
    """The last body that was posted to a path."""
    return next(body for method, called, body in reversed(api.calls) if (method, called) == ("POST", path))


def test_the_shortest_way_restores_the_latest_point_and_touches_nothing_else(
    api: Any, fake: ModuleType, console: Any
) -> None:
    page = console(api.url, "#/new")
    to_options(page)
    page.get_by_role("radio", name="drill").check()
    go_on(page, REVIEW)
    expect(page.get_by_text("every database of the backup")).to_be_visible()
    page.get_by_role("button", name="Restore into drill").click()
    expect(page.get_by_role("heading", name="restore-20251125-0314")).to_be_focused()

    assert sent(api, "restores") == sent(api, "plans") == {
        "version": "1",
        "requestId": "restore-20251125-0314",
        "source": {"backupInstance": "orders-prod-pgflex", "recoveryPoint": fake.points()[0].id},
        "target": "drill",
        "requestedBy": fake.ANNA,
    }  # fmt: skip
    assert "restore-20251125-0314" in api.restores


def test_everything_that_was_entered_is_sent(api: Any, fake: ModuleType, console: Any) -> None:
    page = console(api.url, "#/new")
    to_options(page)
    page.get_by_role("radio", name="staging").check()
    page.get_by_role("radio", name="Only those that I name").check()
    page.get_by_label("Database 1: name in the backup").fill("orders")
    page.get_by_role("button", name="Add a database").click()
    page.get_by_label("Database 2: name in the backup").fill("bill*")
    page.get_by_label("Database 2: name on the target").fill("*_before")
    page.get_by_label("Leave out").fill("billing_old\nbilling_test")
    page.get_by_role("radio", name="Replace it").check()
    page.get_by_label("Name of the restore").fill("CHG-2100")
    page.get_by_label("Your name").fill("Ben")
    page.get_by_label("Ticket").fill("CHG-2100")
    page.get_by_label("Reason").fill("A rehearsal.")
    page.get_by_text("More options").click()
    page.get_by_label("Roles").select_option("all")
    page.get_by_label("Owners").select_option("drop")
    page.get_by_label("Rights").select_option("drop")
    page.get_by_label("Approval", exact=True).select_option("required")
    page.get_by_label("Priority").select_option("high")
    page.get_by_label("Notify").fill("tickets, pager")
    page.get_by_label("Definitions only").check()
    page.get_by_label("Run the schema file as well").check()
    page.get_by_label("Run the tablespaces file as well").check()
    go_on(page, REVIEW)
    expect(page.get_by_role("button", name="Send for approval")).to_be_visible()

    assert sent(api, "plans") == {
        "version": "1",
        "requestId": "CHG-2100",
        "source": {"backupInstance": "orders-prod-pgflex", "recoveryPoint": fake.points()[0].id},
        "target": "staging",
        "databases": ["orders", {"name": "bill*", "as": "*_before"}],
        "exclude": ["billing_old", "billing_test"],
        "onConflict": "replace",
        "roles": "all",
        "owners": "drop",
        "grants": "drop",
        "schemaOnly": True,
        "schema": "import",
        "tablespaces": "import",
        "approval": "required",
        "priority": "high",
        "notify": ["tickets", "pager"],
        "requestedBy": "Ben",
        "reason": "A rehearsal.",
        "ticket": "CHG-2100",
    }


def test_back_and_forth_and_a_reload_keep_what_was_entered(api: Any, console: Any) -> None:
    page = console(api.url, "#/new")
    to_options(page)
    page.get_by_role("radio", name="production").check()
    page.get_by_label("Names on the target").fill("*_drill")
    page.get_by_label("Ticket").fill("INC-1")
    page.get_by_role("link", name="Back").click()
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_role("radio", name="orders-prod")).to_be_checked()
    page.reload()
    expect(page.get_by_role("radio", name="orders-prod")).to_be_checked()
    go_on(page, POINT)
    expect(page.get_by_role("slider")).to_be_visible()
    go_on(page, OPTIONS)

    expect(page.get_by_role("radio", name="production")).to_be_checked()
    expect(page.get_by_label("Names on the target")).to_have_value("*_drill")
    expect(page.get_by_label("Ticket")).to_have_value("INC-1")
    page.get_by_role("button", name="Start over").click()
    expect(page.get_by_role("radio", name="orders-prod")).not_to_be_checked()


def test_a_step_that_lacks_something_says_so_beside_it_and_a_later_one_cannot_be_reached(
    api: Any, console: Any
) -> None:
    page = console(api.url, "#/new/review")
    expect(page.get_by_role("heading", name=SOURCE)).to_be_visible()
    expect(page.get_by_role("radio", name="orders-prod")).to_be_visible()
    page.get_by_role("button", name="Next").click()

    expect(page.get_by_text("Choose the server whose backup you want.")).to_be_visible()
    expect(page.get_by_role("radio", name="orders-prod")).to_be_focused()


@pytest.mark.parametrize(
    ("name", "final", "error"),
    [
        ("", "", "Name a database, or remove this line."),
        ("bill*", "copy", "The pattern fits several databases"),
        ("other", "orders", "Another database becomes orders as well."),
    ],
)
def test_a_choice_of_databases_that_cannot_be_is_told_at_once(
    api: Any, console: Any, name: str, final: str, error: str
) -> None:
    page = console(api.url, "#/new")
    to_options(page)
    page.get_by_role("radio", name="drill").check()
    page.get_by_role("radio", name="Only those that I name").check()
    page.get_by_label("Database 1: name in the backup").fill("orders")
    page.get_by_role("button", name="Add a database").click()
    page.get_by_label("Database 2: name in the backup").fill(name)
    page.get_by_label("Database 2: name on the target").fill(final)
    page.get_by_role("button", name="Next").click()

    expect(page.get_by_text(error)).to_be_visible()
    expect(page.get_by_label("Database 2: name in the backup")).to_be_focused()


def test_the_time_line_is_a_slider_over_the_points_that_can_be_restored(api: Any, console: Any) -> None:
    page = console(api.url, "#/new")
    to_points(page)
    slider = page.get_by_role("slider")
    chosen = page.locator(".point.picked")
    expect(chosen).to_contain_text("Sun, 23 Nov 2025, 02:00")
    slider.focus()
    slider.press("ArrowLeft")
    expect(slider).to_be_focused()
    expect(chosen).to_contain_text("16 Nov 2025")
    slider.press("ArrowLeft")  # the partial one in between is no stop
    expect(chosen).to_contain_text("2 Nov 2025")
    expect(slider).to_have_attribute("aria-valuetext", "Sun, 2 Nov 2025, 01:39, 23 days ago")
    slider.press("Home")
    expect(chosen).to_contain_text("31 Aug 2025")
    slider.press("End")
    expect(chosen).to_contain_text("23 Nov 2025")


def test_a_click_near_a_mark_chooses_it_and_one_on_an_obstacle_tells_it(api: Any, console: Any) -> None:
    page = console(api.url, "#/new")
    to_points(page)
    marks = page.locator(".mark")
    box = marks.nth(9).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 12, box["y"] + 5)
    expect(page.locator(".point.picked")).to_contain_text("2 Nov 2025")

    obstacle = page.locator(".mark.off").last.bounding_box()
    assert obstacle is not None
    page.mouse.click(obstacle["x"] + 5, obstacle["y"] + 5)
    expect(page.locator(".flag")).to_contain_text("cannot be restored")
    expect(page.locator(".point.picked")).to_contain_text("2 Nov 2025")


def test_a_point_that_cannot_be_restored_is_listed_with_its_obstacle(api: Any, console: Any) -> None:
    page = console(api.url, "#/new")
    to_points(page)
    row = page.locator(".point", has_text="9 Nov 2025")

    expect(row).to_contain_text("It is partial: its backup did not finish, so choose an earlier one.")
    expect(row.get_by_role("radio")).to_be_disabled()


def test_the_moment_of_an_incident_chooses_the_last_point_before_it(api: Any, console: Any) -> None:
    page = console(api.url, "#/new")
    to_points(page)
    page.get_by_label("Last point before the incident at").fill("2025-11-12T09:30")
    page.get_by_label("Last point before the incident at").press("Tab")

    expect(page.locator(".point.picked")).to_contain_text("2 Nov 2025")  # the one of 9 November is partial
    expect(page.locator(".verdict")).to_contain_text("10 d 7 h before the incident is not in it")
    page.get_by_role("button", name="Latest").click()
    expect(page.locator(".verdict")).to_contain_text("After the incident: the damage may be in it.")


def test_the_moment_can_be_typed_digit_by_digit(api: Any, console: Any) -> None:
    page = console(api.url, "#/new")
    to_points(page)
    page.get_by_label("Last point before the incident at").focus()
    page.keyboard.type("11122025")
    page.keyboard.press("ArrowRight")
    page.keyboard.type("0930AM")

    expect(page.get_by_label("Last point before the incident at")).to_have_value("2025-11-12T09:30")
    expect(page.get_by_label("Last point before the incident at")).to_be_focused()
    expect(page.locator(".point.picked")).to_contain_text("2 Nov 2025")


def test_a_chosen_point_is_always_in_sight(api: Any, console: Any) -> None:
    page = console(api.url, "#/new")
    to_points(page)
    page.get_by_label("Last point before the incident at").fill("2025-03-01T00:00")
    expect(page.get_by_role("radio", name="All", exact=True)).to_be_checked()
    expect(page.locator(".point.picked")).to_contain_text("23 Feb 2025")

    page.get_by_role("link", name="Back").click()
    go_on(page, POINT)
    expect(page.locator(".point.picked")).to_contain_text("23 Feb 2025")


def test_ranges_show_more_or_less_of_the_past(api: Any, console: Any) -> None:
    page = console(api.url, "#/new")
    to_points(page)
    counts = {}
    for name in ("7 days", "30 days", "90 days", "1 year", "All"):
        page.get_by_role("radio", name=name, exact=True).check()
        counts[name] = page.locator(".mark").count()
        assert page.locator(".point").count() == counts[name]

    assert counts == {"7 days": 1, "30 days": 4, "90 days": 13, "1 year": 52, "All": 53}


def test_an_instance_without_points_says_so(api: Any, fake: ModuleType, console: Any) -> None:
    name = "instances/orders-prod-pgflex/recovery-points"
    api.overrides["GET", name] = fake.Answer(200, fake.PointList(instance="orders-prod-pgflex", points=()))
    page = console(api.url, "#/new")
    page.get_by_role("radio", name="orders-prod").check()
    go_on(page, POINT)
    expect(page.get_by_role("heading", name="There is no recovery point yet")).to_be_visible()

    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("heading", name=POINT)).to_be_visible()


@pytest.mark.parametrize(
    ("path", "step"),
    [("instances", "source"), ("instances/orders-prod-pgflex/recovery-points", "point"), ("targets", "options")],
)
def test_what_cannot_be_asked_is_told_and_can_be_tried_again(
    api: Any, fake: ModuleType, console: Any, path: str, step: str
) -> None:
    page = console(api.url, "#/new")
    expect(page.get_by_role("radio", name="orders-prod")).to_be_visible()
    page.get_by_role("radio", name="orders-prod").check()
    go_on(page, POINT)
    expect(page.get_by_role("slider")).to_be_visible()
    api.overrides["GET", path] = fake.problem(502, "Bad Gateway", "The vault does not answer.")
    page.goto(f"{api.url}/api/console#/health")
    page.goto(f"{api.url}/api/console#/new/{step}")
    expect(page.get_by_role("alert")).to_contain_text("The vault does not answer.")

    api.overrides.clear()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_each_error_of_the_plan_is_told_and_shown_beside_its_field(api: Any, fake: ModuleType, console: Any) -> None:
    api.overrides["POST", "plans"] = fake.problem(
        400,
        "Bad Request",
        "The restore request has 4 error(s); correct them and send it again.",
        "target: 'drill' is no configured target server; known are: none.",
        "databases[0].as: the final name belongs to the server itself",
        "source.recoveryPoint: orders-prod has no such recovery point.",
        "landing account: The vault's identity may not write into it. Mend it with: az role assignment create",
    )
    page = console(api.url, "#/new")
    to_options(page)
    page.get_by_role("radio", name="drill").check()
    page.get_by_role("radio", name="Only those that I name").check()
    page.get_by_label("Database 1: name in the backup").fill("orders")
    page.get_by_label("Database 1: name on the target").fill("postgres")
    go_on(page, REVIEW)
    alert = page.get_by_role("alert")
    for text in api.overrides["POST", "plans"].body.errors:
        expect(alert).to_contain_text(text.partition(": ")[2].partition(" Mend it with: ")[0])
    expect(alert).to_contain_text("landing account: The vault's identity")
    expect(alert.locator("code")).to_have_text("az role assignment create")
    assert page.get_by_role("button", name="Restore into").count() == 0

    alert.get_by_role("link", name="Change it in Target and options").first.click()
    row = page.get_by_label("Database 1: name in the backup")
    expect(row).to_have_attribute("aria-invalid", "true")
    expect(row).to_have_accessible_description("the final name belongs to the server itself")
    expect(page.get_by_text("'drill' is no configured target server")).to_be_visible()
    expect(page.get_by_role("link", name="Recovery point (something is wrong here)")).to_be_visible()
    page.get_by_label("Database 1: name on the target").fill("orders_copy")
    api.overrides.clear()
    page.get_by_role("radio", name="staging").check()
    go_on(page, REVIEW)
    expect(page.get_by_role("button", name="Restore into staging")).to_be_visible()


def test_to_replace_databases_the_target_has_to_be_typed(api: Any, console: Any) -> None:
    page = console(api.url, "#/new")
    to_options(page)
    page.get_by_role("radio", name="drill").check()
    page.get_by_role("radio", name="Replace it").check()
    go_on(page, REVIEW)
    expect(
        page.get_by_text("each is dropped once the restored one is verified. This cannot be undone.")
    ).to_be_visible()
    button = page.get_by_role("button", name="Replace databases on drill")
    button.click()
    expect(page.get_by_label("Type drill to replace databases there")).to_be_focused()
    expect(page.get_by_text("This is not drill.")).to_be_visible()
    assert not api.restores

    page.get_by_label("Type drill to replace databases there").fill("drill")
    button.click()
    expect(page.get_by_role("heading", name="restore-20251125-0314")).to_be_focused()
    assert sent(api, "restores")["onConflict"] == "replace"


def test_warnings_of_the_plan_are_shown_with_what_mends_them(api: Any, fake: ModuleType, console: Any) -> None:
    finding = fake.Finding(
        check="extensions", severity="warning", message="vector is not allowed.", remedy="az postgres …"
    )
    request = fake.read_request({"requestId": "r", "source": {"backupInstance": "orders"}, "target": "drill"})
    api.overrides["POST", "plans"] = fake.Answer(200, fake.plan_of(request, finding))
    page = console(api.url, "#/new")
    to_options(page)
    page.get_by_role("radio", name="drill").check()
    go_on(page, REVIEW)
    note = page.locator(".note.warn")

    expect(note).to_contain_text("vector is not allowed.")
    expect(note.locator("code")).to_have_text("az postgres …")


def test_the_plan_says_how_databases_will_be_loaded(api: Any, fake: ModuleType, console: Any) -> None:
    request = fake.read_request({"requestId": "r", "source": {"backupInstance": "orders"}, "target": "drill"})
    made = fake.plan_of(request)
    shop = DatabaseOutlook(
        database="shop", size=3_000_000, methods=(LoadMethod.STAGED_PARALLEL,), how="downloaded first (it fits)"
    )
    outlook = made.loading.model_copy(update={"databases": (shop,), "left_out": 1})
    api.overrides["POST", "plans"] = fake.Answer(200, made.model_copy(update={"loading": outlook}))
    page = console(api.url, "#/new")
    to_options(page)
    page.get_by_role("radio", name="drill").check()
    go_on(page, REVIEW)
    plan = page.get_by_role("main")

    expect(plan).to_contain_text("Archives of up to 20.0 GB are downloaded first")
    expect(plan.get_by_role("list", name="How each database will be loaded").get_by_role("listitem")).to_have_text(
        "shop 3.0 MB, downloaded first (it fits)"
    )
    expect(plan).to_contain_text("and 1 smaller one")


def test_an_id_that_was_used_leads_to_its_restore_or_to_another_name(api: Any, fake: ModuleType, console: Any) -> None:
    api.overrides["POST", "restores"] = fake.problem(409, "Conflict", "Restore x was started by another request.")
    page = console(api.url, "#/new")
    to_options(page)
    page.get_by_role("radio", name="drill").check()
    go_on(page, REVIEW)
    page.get_by_role("button", name="Restore into drill").click()

    expect(page.get_by_role("alert")).to_contain_text("was started by another request")
    expect(page.get_by_role("link", name="See that restore")).to_be_visible()
    page.get_by_role("link", name="give this one another name").click()
    expect(page.get_by_role("heading", name=OPTIONS)).to_be_focused()


def test_files_only_asks_for_no_databases(api: Any, console: Any) -> None:
    page = console(api.url, "#/new")
    to_options(page)
    page.get_by_role("radio", name="drill").check()
    page.get_by_label("Names on the target").fill("*_x")
    page.get_by_text("More options").click()
    page.get_by_label("How much").focus()
    page.get_by_label("How much").select_option("files-only")
    expect(page.get_by_label("Names on the target")).to_have_count(0)
    expect(page.get_by_label("How much")).to_be_focused()
    go_on(page, REVIEW)
    expect(page.get_by_text("Files only: they stay in their landing container")).to_be_visible()

    request = sent(api, "plans")
    assert request["mode"] == "files-only"
    assert "databases" not in request


def test_files_that_have_landed_need_no_recovery_point(api: Any, console: Any) -> None:
    page = console(api.url, "#/new")
    page.get_by_role("radio", name="Files that have landed").check()
    page.get_by_label("Landing container").fill("landing-1")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_label("Backup name")).to_be_focused()
    page.get_by_label("Backup name").fill("orders-prod")
    go_on(page, OPTIONS)
    page.get_by_role("radio", name="drill").check()
    go_on(page, REVIEW)
    expect(page.get_by_text("files of orders-prod")).to_be_visible()

    assert sent(api, "plans")["source"] == {"container": "landing-1", "backupName": "orders-prod"}
    assert "mode" not in sent(api, "plans")


def test_the_name_is_asked_for_once_and_remembered(api: Any, console: Any) -> None:
    page = console(api.url, "#/new", who="")
    expect(page.get_by_role("button", name="Who are you?")).to_be_visible()
    to_options(page)
    page.get_by_role("radio", name="drill").check()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_label("Your name")).to_be_focused()
    page.get_by_label("Your name").fill("Carla")
    go_on(page, REVIEW)

    page.reload()
    expect(page.get_by_role("button", name="Carla")).to_be_visible()


def test_the_whole_way_can_be_gone_by_keyboard(api: Any, console: Any) -> None:
    page = console(api.url)
    press = page.keyboard.press

    def tab_to(name: str) -> None:
        """Go on until something of this name has the focus."""
        for _ in range(60):
            press("Tab")
            if name in page.evaluate("document.activeElement.id + ' ' + document.activeElement.textContent"):
                return
        pytest.fail(f"no way to {name} by keyboard")

    tab_to("New restore")
    press("Enter")
    expect(page.get_by_role("heading", name=SOURCE)).to_be_focused()
    expect(page.get_by_role("radio", name="orders-prod")).to_be_visible()
    tab_to("instance-orders-prod-pgflex")
    press("Space")
    press("Enter")
    expect(page.get_by_role("heading", name=POINT)).to_be_focused()
    expect(page.get_by_role("slider")).to_be_visible()
    tab_to("timeline")
    press("ArrowLeft")
    tab_to("next")
    press("Enter")
    expect(page.get_by_role("heading", name=OPTIONS)).to_be_focused()
    expect(page.get_by_role("radio", name="drill")).to_be_visible()
    tab_to("target-drill")
    press("Space")
    press("Enter")
    expect(page.get_by_role("heading", name=REVIEW)).to_be_focused()
    expect(page.get_by_role("button", name="Restore into drill")).to_be_visible()
    tab_to("Restore into drill")
    press("Enter")
    expect(page.get_by_role("heading", name="restore-20251125-0314")).to_be_focused()
