"""A restore's page: where it stands, what went wrong and what to do, and what people can decide about it."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from shared.contracts.progress import Phase


def at(console: Any, api: Any, request_id: str, **more: Any) -> Page:
    page: Page = console(api.url, f"#/restores/{request_id}", **more)
    expect(page.locator(".standing .chip")).to_be_visible()
    return page


def sent(api: Any, path: str) -> Any:
    return next(body for method, called, body in reversed(api.calls) if (method, called) == ("POST", path))


def test_it_says_phase_message_progress_and_for_how_long(busy_api: Any, console: Any) -> None:
    page = at(console, busy_api, "INC-4711")
    standing = page.get_by_role("region", name="State")

    for text in ("Importing", "for 22 min, started 25 Nov 2025, 02:52", "Importing 4 databases into drill", "62 %"):
        expect(standing).to_contain_text(text)
    expect(page).to_have_title("62 % Importing · INC-4711 · Flex Restore")


def test_the_course_shows_what_was_how_long_it_took_and_what_is_to_come(busy_api: Any, console: Any) -> None:
    page = at(console, busy_api, "INC-4711")
    steps = [" ".join(text.split()) for text in page.locator(".course li").all_inner_texts()]

    assert steps == [
        "02:52:00 Accepted 0 s",
        "02:52:00 Planning 30 s",
        "02:52:30 Waits for landing 30 s",
        "02:53:00 Restoring 15 min",
        "03:08:00 Importing Each database is loaded under a temporary name. 6 min",
        "Verifying",
    ]
    expect(page.locator(".course [aria-current]")).to_contain_text("Importing")


def test_each_file_has_its_state_and_the_reason(busy_api: Any, console: Any) -> None:
    page = at(console, busy_api, "INC-4711")
    rows = [" ".join(text.split()) for text in page.locator("table.files tbody tr").all_inner_texts()]

    assert rows[0] == "billing billing_drill 3.1 GB importing"
    assert [row.split()[0] for row in rows[:5]] == ["billing", "catalog", "kunden_süd", "orders", "Roles"]
    expect(page.get_by_text("the request does not ask for this database")).not_to_be_visible()
    page.get_by_text("4 files skipped, with the reasons").click()
    expect(page.get_by_role("row", name="sessions")).to_contain_text("the request does not ask for this database")
    expect(page.get_by_role("heading", name="Files")).to_contain_text("1 of 4 databases in place")


def test_a_load_has_its_bar_what_it_is_at_and_the_time_left(busy_api: Any, console: Any) -> None:
    page = at(console, busy_api, "INC-4711")
    load = page.locator("details.load")

    for text in (
        "billing",
        "about 5 min 12 s left of the rows",
        "24 %",
        "Rows: 1.4 GB of 3.1 GB, 6,437,821 rows, 9 of 118 tables loaded",
    ):
        expect(load.locator("summary")).to_contain_text(text)
    expect(load.get_by_label("Share of the load of billing")).to_have_attribute("value", "0.24")
    expect(load.get_by_role("table")).not_to_be_visible()


def test_the_tables_of_a_load_stay_open_while_their_bars_move(busy_api: Any, fake: ModuleType, console: Any) -> None:
    page = at(console, busy_api, "INC-4711", live=True)
    load = page.locator("details.load")
    load.locator("summary").click()
    rows = [" ".join(text.split()) for text in load.locator("tbody tr").all_inner_texts()]

    assert rows == [
        "public.invoices 50 % 1.6 GB 4,120,388",
        "public.positions 31 % 980 MB 2,007,411",
        "public.customers loaded 240 MB 310,022",
        "public.dunning_letters waiting 120 MB 0",
    ]
    expect(load).to_contain_text("An index of public.customers building index: scanning table, 60 %")
    expect(load).to_contain_text("and 114 smaller tables")

    *others, billing = sorted(busy_api.restores["INC-4711"].files, key=lambda file: file.load is not None)
    moved = {"share": 0.7, "step": fake.LoadStep.INDEXES, "indexes": 12, "seconds_left": None}
    changed = billing.model_copy(update={"load": billing.load.model_copy(update=moved)})
    busy_api.change("INC-4711", files=(changed, *others))
    page.clock.fast_forward(4_000)
    expect(load.locator("summary")).to_contain_text("Indexes: 12 of 46 built")
    expect(load.locator("summary")).not_to_contain_text("left of")
    expect(load.get_by_role("table")).to_be_visible()
    done = changed.model_copy(update={"state": fake.S.LOADED})
    busy_api.change("INC-4711", files=(done, *others))
    page.clock.fast_forward(4_000)
    expect(load).to_have_count(0)


def test_a_load_of_which_little_is_known_shows_that(busy_api: Any, console: Any) -> None:
    """Of plain SQL nobody knows how many indexes will come, nor how large each table is."""
    *others, billing = sorted(busy_api.restores["INC-4711"].files, key=lambda file: file.load is not None)
    table = billing.load.by_table[0].model_copy(update={"total_bytes": None})
    unknown = {"total_bytes": None, "total_indexes": None, "seconds_left": None, "by_table": (table,), "tables": 12}
    load = billing.load.model_copy(update=unknown)
    busy_api.change("INC-4711", files=(billing.model_copy(update={"load": load}), *others))
    page = at(console, busy_api, "INC-4711")
    shown = page.locator("details.load")
    shown.locator("summary").click()

    expect(shown.locator("summary")).to_contain_text("Rows: 6,437,821 rows, 9 of 12 tables loaded")
    expect(shown.locator("tbody tr")).to_contain_text("loading")


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_a_page_that_names_it(busy_api: Any, console: Any, phase: Phase) -> None:
    one = next(one for one in busy_api.restores.values() if one.phase is phase)
    page = at(console, busy_api, one.request_id)
    words = page.locator(".standing .chip").inner_text()

    assert words.replace(" ", "").lower() in {phase.lower(), "waitsforapproval", "waitsforlanding"}
    buttons = {
        name.strip("…").lower()
        for name in page.locator(".standing .actions button, .approval button").all_inner_texts()
    }
    assert {action.value for action in one.actions} == buttons & {"approve", "reject", "cancel", "retry"}


def test_it_is_live_until_its_end_and_phases_are_announced(busy_api: Any, console: Any) -> None:
    page = at(console, busy_api, "INC-4711", live=True)
    busy_api.enter("INC-4711", Phase.VERIFYING, progress=1.0, message="Looking.")
    page.clock.fast_forward(4_000)
    expect(page.locator("#announcer")).to_have_text("INC-4711: Verifying. Looking.")
    busy_api.enter("INC-4711", Phase.COMPLETED, message="All stands.", actions=(), report={"json": "…", "page": "…"})
    with page.expect_response("**/restores/INC-4711/report"):
        page.clock.fast_forward(4_000)
    expect(page.locator(".standing .chip")).to_have_text("Completed")
    expect(page.get_by_role("button", name="Save as a page")).to_be_visible()

    calls = len(busy_api.calls)
    page.clock.fast_forward(60_000)
    page.get_by_role("link", name="Health").click()
    expect(page.get_by_text("Ready to restore")).to_be_visible()
    assert [path for _, path, _ in busy_api.calls[calls:]] == ["health"]


def test_what_is_open_or_has_the_focus_stays_so_while_it_is_live(busy_api: Any, console: Any) -> None:
    page = at(console, busy_api, "CHG-2093", live=True)
    page.get_by_text("The request as JSON").click()
    page.get_by_role("button", name="Approve…").focus()
    busy_api.change("CHG-2093", message="Still waiting.")
    page.clock.fast_forward(4_000)
    expect(page.get_by_text("Still waiting.")).to_be_visible()

    expect(page.get_by_role("button", name="Approve…")).to_be_focused()
    expect(page.get_by_label("The request", exact=True)).to_be_visible()


def test_skipped_files_stay_open_when_another_file_changes_its_state(
    busy_api: Any, fake: ModuleType, console: Any
) -> None:
    page = at(console, busy_api, "INC-4711", live=True)
    page.get_by_text("4 files skipped, with the reasons").click()
    files = busy_api.restores["INC-4711"].files
    changed = files[1].model_copy(update={"state": fake.S.IMPORTED})
    busy_api.change("INC-4711", files=(files[0], changed, *files[2:]))
    page.clock.fast_forward(4_000)
    expect(page.get_by_role("row", name="billing")).to_contain_text("imported")

    expect(page.get_by_role("row", name="sessions")).to_be_visible()


def test_an_approver_sees_the_plan_what_it_replaces_and_until_when(busy_api: Any, console: Any) -> None:
    page = at(console, busy_api, "CHG-2093")
    main = page.get_by_role("main")

    for text in (
        "ben.okafor@example.org asked for it: Staging must show the orders of last week.",
        "Without a decision by 25 Nov 2025, 09:00 (5 h 46 min left) it is Rejected.",
        "bill* → *_before",
        "each is dropped once the restored one is verified. This cannot be undone.",
        "Job 3f0c (Backup) is running on orders-prod",
    ):
        expect(main).to_contain_text(text)


@pytest.mark.parametrize(
    ("verb", "outcome", "decided"),
    [("Approve", "Waits for landing", "Approved by anna.berg"), ("Reject", "Rejected", "Rejected by anna.berg")],
)
def test_a_plan_is_approved_or_rejected_with_name_and_reason(
    busy_api: Any, fake: ModuleType, console: Any, verb: str, outcome: str, decided: str
) -> None:
    page = at(console, busy_api, "CHG-2093")
    page.get_by_role("button", name=f"{verb}…").click()
    dialog = page.get_by_role("dialog", name=f"{verb} CHG-2093?")
    expect(dialog.get_by_label("Your name")).to_have_value(fake.ANNA)
    dialog.get_by_role("button", name=verb, exact=True).click()  # a reason is wanted
    expect(dialog).to_be_visible()
    dialog.get_by_label("Reason").fill("Checked with the owner.")
    dialog.get_by_role("button", name=verb, exact=True).click()

    expect(page.locator(".standing .chip")).to_have_text(outcome)
    expect(page.get_by_role("main")).to_contain_text(decided)
    assert sent(busy_api, f"restores/CHG-2093/{verb.lower()}") == {"by": fake.ANNA, "reason": "Checked with the owner."}


def test_who_approves_their_own_request_is_told_so(busy_api: Any, fake: ModuleType, console: Any) -> None:
    page = at(console, busy_api, "CHG-2093", who=fake.BEN)
    page.get_by_role("button", name="Approve…").click()

    expect(page.get_by_role("dialog")).to_contain_text("You asked for this restore yourself.")


def test_a_decision_that_came_too_late_is_explained_and_the_dialog_stays(
    busy_api: Any, fake: ModuleType, console: Any
) -> None:
    late = fake.problem(409, "Conflict", "Carla has rejected restore CHG-2093: that decision stands.")
    busy_api.overrides["POST", "restores/CHG-2093/approve"] = late
    page = at(console, busy_api, "CHG-2093")
    page.get_by_role("button", name="Approve…").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("ok")
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(page.get_by_role("dialog")).to_contain_text("Carla has rejected restore CHG-2093: that decision stands.")

    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Approve…")).to_be_focused()


@pytest.mark.parametrize(
    ("request_id", "honest"),
    [
        ("INC-4712", "Nothing was touched yet: the restore just ends."),
        ("restore-20251125-0251", "The vault offers no cancel: its backup job runs to its end"),
        ("INC-4711", "Databases that stand already stay, and so do roles."),
    ],
)
def test_cancel_says_what_it_cannot_stop(busy_api: Any, console: Any, request_id: str, honest: str) -> None:
    page = at(console, busy_api, request_id)
    page.get_by_role("button", name="Cancel…").click()

    expect(page.get_by_role("dialog")).to_contain_text(honest)


def test_cancel_asks_for_a_reason_and_tells_what_was_answered(busy_api: Any, fake: ModuleType, console: Any) -> None:
    page = at(console, busy_api, "INC-4712")
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("Not needed any more.")
    page.get_by_role("dialog").get_by_role("button", name="Cancel the restore").click()

    expect(page.locator(".note", has_text="It will end as Cancelled")).to_contain_text("Nothing was touched yet")
    expect(page.get_by_text(f"Being cancelled by {fake.ANNA}")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel…")).to_have_count(0)
    assert sent(busy_api, "restores/INC-4712/cancel") == {"by": fake.ANNA, "reason": "Not needed any more."}


def test_what_failed_is_told_with_what_mends_it_and_can_be_retried(
    busy_api: Any, fake: ModuleType, console: Any
) -> None:
    page = at(console, busy_api, "INC-4698")
    main = page.get_by_role("main")
    for text in ("1 of 2 databases could not be imported", "az postgres flexible-server parameter set", "then retry"):
        expect(main).to_contain_text(text)
    page.get_by_role("button", name="Retry…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name of the new restore")).to_have_value("INC-4698-retry")
    dialog.get_by_role("button", name="Retry").click()

    expect(page.get_by_role("heading", name="INC-4698-retry")).to_be_focused()
    assert sent(busy_api, "restores/INC-4698/retry")["requestedBy"] == fake.ANNA


def test_a_rejected_request_can_be_corrected_and_sent_again(busy_api: Any, console: Any) -> None:
    request = {
        "requestId": "INC-4655",
        "source": {"backupInstance": "orders"},
        "target": "drlil",
        "databases": ["orders"],
    }
    busy_api.reports["INC-4655"] = {"request": {**request, "ticket": "INC-4655"}, "files": []}
    page = at(console, busy_api, "INC-4655")
    expect(page.get_by_role("main")).to_contain_text("target: 'drlil' is no configured target server")
    page.get_by_role("button", name="Correct and send again…").click()
    expect(page.get_by_role("heading", name="Which point in time?")).to_be_visible()
    expect(page.get_by_role("slider")).to_be_visible()
    page.get_by_role("button", name="Next").click()

    expect(page.get_by_label("Database 1: name in the backup")).to_have_value("orders")
    expect(page.get_by_label("Ticket")).to_have_value("INC-4655")
    expect(page.get_by_role("radio", name="drill")).not_to_be_checked()


def test_of_a_request_that_is_no_request_what_can_be_used_is_taken(busy_api: Any, console: Any) -> None:
    """The message from the queue was accepted as it came, and rejected."""
    request = {
        "source": 7,
        "target": ["x"],
        "databases": "shop",
        "exclude": {},
        "schemaOnly": "yes",
        "rows": 1,
        "reason": "R",
    }
    busy_api.reports["INC-4655"] = {"request": request, "files": []}
    page = at(console, busy_api, "INC-4655")
    page.get_by_role("button", name="Correct and send again…").click()
    page.get_by_role("radio", name="orders-prod").check()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("slider")).to_be_visible()
    page.get_by_role("button", name="Next").click()

    expect(page.get_by_label("Reason")).to_have_value("R")
    expect(page.get_by_label("Names on the target")).to_have_value("")


def test_a_dry_run_shows_its_plan_and_can_be_made_real(busy_api: Any, console: Any) -> None:
    page = at(console, busy_api, "dry-run-17")
    expect(page.get_by_role("heading", name="The plan: this was a dry run, nothing was touched")).to_be_visible()
    page.get_by_role("button", name="Restore for real…").click()
    expect(page.get_by_role("slider")).to_be_visible()
    page.get_by_role("button", name="Next").click()

    expect(page.get_by_label("Names on the target")).to_have_value("*_drill")


def test_the_report_tells_what_to_do_and_what_differs_and_can_be_saved(
    busy_api: Any, console: Any, tmp_path: Path
) -> None:
    page = at(console, busy_api, "drill-2025-46")
    main = page.get_by_role("main")
    for text in (
        "2 of 2 databases restored: 214 tables, 48,120,331 rows, all counted, from 11.5 GB in 22 min.",
        "Set new passwords for roles that log in: app_orders and app_billing.",
        'ALTER ROLE "app_orders" PASSWORD <new password>;',
        "EXTENSION pg_stat_statements",
        "a restored copy must not take part",
    ):
        expect(main).to_contain_text(text)
    expect(main).not_to_contain_text("SCHEMA public")

    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as a page").click()
    saved.value.save_as(tmp_path / saved.value.suggested_filename)
    assert (tmp_path / "drill-2025-46-report.html").read_text() == "<!doctype html><title>drill-2025-46</title>"
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as JSON").click()
    saved.value.save_as(tmp_path / saved.value.suggested_filename)
    assert json.loads((tmp_path / "drill-2025-46-report.json").read_text())["files"]


def test_the_reports_own_page_is_opened_only_where_no_key_is_needed(
    busy_api: Any, fake: ModuleType, console: Any
) -> None:
    page = at(console, busy_api, "drill-2025-46")
    link = page.get_by_role("link", name="Open the page")
    expect(link).to_have_attribute("href", f"{busy_api.url}/api/restores/drill-2025-46/report.html")

    page.evaluate(f"sessionStorage.setItem('flex-restore.key', '{fake.KEY}')")
    page.reload()
    expect(page.get_by_role("button", name="Save as a page")).to_be_visible()
    expect(link).to_have_count(0)


def test_a_report_that_cannot_be_read_is_said(busy_api: Any, fake: ModuleType, console: Any) -> None:
    gone = fake.problem(404, "Not Found", "There is no report of restore drill-2025-46.")
    busy_api.overrides["GET", "restores/drill-2025-46/report"] = gone

    expect(at(console, busy_api, "drill-2025-46").get_by_text("There is no report of restore")).to_be_visible()


def test_an_unknown_restore_is_explained_and_shows_up_once_it_is_known(
    busy_api: Any, fake: ModuleType, console: Any
) -> None:
    page = console(busy_api.url, "#/restores/from-the-queue", live=True)
    expect(page.get_by_role("heading", name="There is no such restore")).to_be_visible()

    busy_api.put(fake.status("from-the-queue", [(Phase.ACCEPTED, 0)], "It was accepted."))
    page.clock.fast_forward(31_000)
    expect(page.get_by_text("It was accepted.")).to_be_visible()


def test_while_it_is_looked_for_that_is_said(busy_api: Any, console: Any) -> None:
    busy_api.held.clear()
    page = console(busy_api.url, "#/restores/INC-4711")
    expect(page.locator("[aria-busy]")).to_contain_text("Looking where it stands")

    busy_api.held.set()
    expect(page.locator(".standing .chip")).to_be_visible()


def test_who_is_signed_in_is_named_and_asked_for_no_name(busy_api: Any, fake: ModuleType, console: Any) -> None:
    """The name that the platform proves is shown and used, whatever this browser has remembered."""
    busy_api.signed_in = "jörg@example.org"
    busy_api.overrides["POST", "restores/CHG-2093/approve"] = fake.problem(
        403, "Forbidden", "You asked for restore CHG-2093 yourself: somebody else has to approve it."
    )
    page = at(console, busy_api, "CHG-2093")
    expect(page.get_by_role("button", name="jörg@example.org")).to_be_visible()
    page.get_by_role("button", name="Approve…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Your name")).to_have_count(0)
    dialog.get_by_label("Reason").fill("read it")
    dialog.get_by_role("button", name="Approve").click()
    expect(dialog).to_contain_text("somebody else has to approve it")

    assert sent(busy_api, "restores/CHG-2093/approve") == {"reason": "read it"}


def test_whose_sign_in_the_app_does_not_take_is_told_so_and_asked_for_no_key(
    busy_api: Any, fake: ModuleType, console: Any
) -> None:
    text = "Only users of this app's own Entra tenant may come in."
    busy_api.overrides["GET", "restores/INC-4711"] = fake.problem(401, "Unauthorized", text)
    page = console(busy_api.url, "#/restores/INC-4711")

    expect(page.get_by_text(text)).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
