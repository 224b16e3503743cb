"""The flow of a restore, step by step, and how it ends."""

import json
from typing import Any

import pytest

from orchestrators.restore import restore

INSTANCE = {
    "subscription": "s", "resourceGroup": "rg", "vault": "v", "name": "bi", "server": "orders",
    "datasourceId": "/d", "location": "westeurope",
}  # fmt: skip
PACE = {
    "pollSeconds": 1,
    "pollLimitSeconds": 2,
    "jobDeadlineHours": 1,
    "landingDeadlineHours": 1,
    "approvalDeadlineHours": 8,
}
BRIEFING = {
    "requestId": "INC-1", "dryRun": False, "needsApproval": False, "mode": "full", "priority": "normal",
    "instance": INSTANCE, "pace": PACE, "landing": None,
    "recoveryPoint": {"id": "rp", "time": "2026-11-20T00:00:00Z"},
}  # fmt: skip
LANDED = {**BRIEFING, "instance": None, "recoveryPoint": None, "landing": {
    "requestId": "INC-1", "container": "landing-2", "backupName": "b", "reserved": False,
}}  # fmt: skip
OPERATION = {"url": "https://arm/op", "retryAfter": 0}


def ok(value: Any = None) -> dict[str, Any]:
    return {"ok": True, "value": value}


def no(code: str) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code, "message": f"{code} happened"}}


def file(name: str, state: str, kind: str = "database") -> dict[str, Any]:
    return {"name": name, "kind": kind, "database": name if kind == "database" else "", "state": state}


def world(files: Any = None, **answers: Any) -> dict[str, Any]:
    return {
        "make_plan": ok(BRIEFING),
        "start_validation": ok(OPERATION),
        "watch_job:check_operation": ok({"jobId": None}),
        "watch_job:reserve_landing": ok({"container": "landing-1"}),
        "watch_job:start_restore": ok({"jobId": "job-1"}),
        "watch_job:check_job": ok({"status": "Completed", "warnings": []}),
        "watch_job:check_import": ok({"files": files or [file("bank", "imported")]}),
        "close_restore": ok({"at": "2026-11-22T12:00:00Z", "cancelled": None}),
        "write_report": ok({"json": "report.json"}),
        **answers,
    }


@pytest.fixture
def run(drive: Any) -> Any:
    return lambda answers: (one := drive({"request": {"requestId": "INC-1"}}, answers), one.run(restore))


def test_the_steps_of_a_restore(run: Any) -> None:
    driven, answer = run(world())

    assert driven.names() == [
        "make_plan",
        "start_validation", "watch_job:check_operation",
        "watch_job:reserve_landing",
        "watch_job:start_restore", "watch_job:check_job", "close_landing",
        "open_import", "watch_job:check_import",
        "verify_restore",
        "close_restore", "write_report", "release_landing",
    ]  # fmt: skip
    assert driven.phases() == [
        "Accepted", "Planning", "AwaitingLanding", "Restoring", "Importing", "Verifying", "Completed",
    ]  # fmt: skip
    assert answer["phase"] == "Completed"
    assert driven.statuses[-1]["job"] == "job-1"


@pytest.mark.parametrize("request_", [{}, {"notify": ["audit"]}, {"notify": "no list"}], ids=str)
def test_each_event_is_told_with_the_webhooks_that_the_request_names_as_it_came(drive: Any, request_: Any) -> None:
    driven = drive({"request": request_}, world(make_plan=no("RequestRejected")))
    driven.run(restore)

    told = [call.subject["notify"] for call in driven.calls if call.name == "publish_phase"]
    assert told == [request_.get("notify")] * 3


def test_a_dry_run_ends_with_the_plan(run: Any) -> None:
    driven, answer = run(world(make_plan=ok({**BRIEFING, "dryRun": True})))

    assert driven.names() == ["make_plan", "close_restore", "write_report", "release_landing"]
    assert answer["phase"] == "Completed"


def test_a_request_that_is_wrong_is_rejected_and_nothing_is_touched(run: Any) -> None:
    driven, answer = run(world(make_plan=no("RequestRejected")))

    assert driven.names() == ["make_plan", "close_restore", "write_report", "release_landing"]
    assert answer["phase"] == "Rejected"
    assert driven.statuses[-1]["errors"][0]["code"] == "RequestRejected"


def test_what_the_vault_does_not_validate_is_rejected(run: Any) -> None:
    driven, answer = run(world(**{"watch_job:check_operation": no("VaultRefused")}))

    assert "watch_job:reserve_landing" not in driven.names()
    assert answer["phase"] == "Rejected"


def test_without_a_free_container_in_time_the_restore_fails(run: Any) -> None:
    driven, answer = run(world(**{"watch_job:reserve_landing": no("DeadlinePassed")}))

    assert "watch_job:start_restore" not in driven.names()
    assert answer["phase"] == "Failed"


def test_a_failed_job_fails_the_restore_but_what_had_landed_is_waited_for(run: Any) -> None:
    driven, answer = run(world(**{
        "watch_job:check_job": no("BackupJobFailed"), "watch_job:check_import": ok({"files": []}),
    }))  # fmt: skip

    assert driven.names().index("close_landing") < driven.names().index("watch_job:check_import")
    assert answer["phase"] == "Failed"


def test_a_failed_job_after_databases_were_imported_is_a_partial_failure(run: Any) -> None:
    _, answer = run(world(**{"watch_job:check_job": no("BackupJobFailed")}))

    assert answer["phase"] == "PartiallyFailed"


@pytest.mark.parametrize(
    ("files", "phase"),
    [
        ([file("a", "imported"), file("b", "skipped")], "Completed"),
        ([file("a", "imported"), file("b", "imported-with-warnings")], "CompletedWithWarnings"),
        ([file("a", "imported"), file("b", "failed")], "PartiallyFailed"),
        ([file("a", "imported"), file("b", "landed")], "PartiallyFailed"),
        ([file("a", "failed"), file("roles.sql", "imported", kind="roles")], "Failed"),
        ([file("a", "imported"), file("roles.sql", "failed", kind="roles")], "PartiallyFailed"),
        ([file("a", "skipped")], "Completed"),
    ],
)
def test_the_files_decide_the_terminal_phase(run: Any, files: list[dict[str, Any]], phase: str) -> None:
    _, answer = run(world(files))

    assert answer["phase"] == phase


def test_a_file_of_unknown_name_is_a_warning(run: Any) -> None:
    imported = ok({"files": [file("a", "imported")], "unknown": ["notes.txt"]})
    _, answer = run(world(**{"watch_job:check_import": imported}))

    assert answer["phase"] == "CompletedWithWarnings"
    assert "1 unknown file(s) left alone" in answer["message"]


def test_a_database_that_the_backup_does_not_hold_rejects_the_request(run: Any) -> None:
    problem = "databases: nowhere is not in the backup"
    driven, answer = run(world(**{"watch_job:check_import": ok({"problems": [problem]})}))

    assert answer["phase"] == "Rejected"
    assert answer["errors"][0]["details"] == [problem]
    assert driven.statuses[-1]["errors"][0]["details"] == [problem]


def test_a_restore_that_restored_nothing_has_failed(run: Any) -> None:
    _, answer = run(world(**{"watch_job:check_import": ok({"files": []})}))

    assert answer["phase"] == "Failed"
    assert answer["errors"][0]["code"] == "LandingFailed"


def test_warnings_of_the_backup_job_are_warnings_of_the_restore(run: Any) -> None:
    ended = ok({"status": "CompletedWithWarnings", "warnings": ["one database is missing"]})
    driven, answer = run(world(**{"watch_job:check_job": ended}))

    assert answer["phase"] == "CompletedWithWarnings"
    assert driven.statuses[-1]["warnings"] == ["one database is missing"]


@pytest.mark.parametrize("step", ["watch_job:start_restore", "watch_job:check_job"])
def test_a_container_that_the_vault_may_still_write_into_is_not_given_away(run: Any, step: str) -> None:
    driven, answer = run(world(**{step: no("DeadlinePassed"), "watch_job:check_import": ok({"files": []})}))

    assert answer["phase"] == "Failed"
    assert "release_landing" not in driven.names()
    assert "stays reserved" in answer["message"]


def test_a_container_is_given_back_when_the_vault_refused_to_write(run: Any) -> None:
    driven, _ = run(world(**{"watch_job:start_restore": no("VaultRefused")}))

    assert "release_landing" in driven.names()


def test_an_import_that_outlives_its_restore_is_waited_for_once_it_was_told_to_stop(run: Any) -> None:
    """What it has done by then is in the report."""
    stopped = ok({"files": [file("bank", "imported")]})
    driven, answer = run(world(**{"watch_job:check_import": [no("DeadlinePassed"), stopped]}))

    assert answer["phase"] == "Failed"
    assert driven.names()[-5:] == [
        "watch_job:check_import", "close_restore", "watch_job:check_import", "write_report", "release_landing",
    ]  # fmt: skip
    assert [one["name"] for one in driven.last("write_report")["files"]] == ["bank"]


def waiting(**decision: Any) -> dict[str, Any]:
    decided = ok({"by": "", "reason": "", "at": "2026-11-22T13:00:00Z", **decision})
    return world(make_plan=ok({**BRIEFING, "needsApproval": True}), **{"watch_job:check_approval": decided})


def test_a_plan_that_needs_approval_waits_for_it_before_anything_is_touched(run: Any) -> None:
    driven, answer = run(waiting(verdict="approved", by="lead@example.org", reason="drill"))

    assert driven.names()[:5] == [
        "make_plan", "start_validation", "watch_job:check_operation", "watch_job:check_approval",
        "watch_job:reserve_landing",
    ]  # fmt: skip
    assert driven.phases()[2] == "AwaitingApproval"
    assert answer["phase"] == "Completed"
    assert driven.statuses[-1]["approval"]["decision"]["by"] == "lead@example.org"


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        ({"verdict": "rejected", "by": "lead", "reason": "wrong server"}, "lead rejected the plan: wrong server"),
        ({"verdict": "expired"}, "Nobody approved the plan in time"),
    ],
)
def test_a_plan_that_nobody_approves_is_rejected(run: Any, decision: dict[str, Any], words: str) -> None:
    driven, answer = run(waiting(**decision))

    assert "watch_job:reserve_landing" not in driven.names()
    assert (answer["phase"], answer["errors"][0]["code"]) == ("Rejected", "ApprovalDenied")
    assert words in answer["message"]


def test_landed_files_can_need_approval_too(run: Any) -> None:
    answers = {**waiting(verdict="approved"), "make_plan": ok({**LANDED, "needsApproval": True})}
    driven, _ = run(answers)

    assert driven.names()[1:3] == ["watch_job:check_approval", "watch_job:settle_landing"]


CANCEL = ok({"at": "2026-11-22T13:00:00Z", "cancelled": {"by": "dba", "reason": "wrong day"}})


def cancelled(**answers: Any) -> dict[str, Any]:
    return world(close_restore=CANCEL, **answers)


@pytest.mark.parametrize("phase", [0, 1, 2, 3, 5])
def test_a_cancelled_restore_enters_no_further_phase(run: Any, phase: int) -> None:
    running = [ok()] * phase + [no("RestoreCancelled")]
    driven, answer = run(cancelled(check_running=running))

    assert answer["phase"] == "Cancelled"
    assert len(driven.phases()) == phase + 2
    assert "dba cancelled the restore: wrong day." in answer["message"]
    assert driven.statuses[-1]["cancellation"] == {"by": "dba", "reason": "wrong day", "objectId": ""}


def test_a_job_that_cannot_be_stopped_is_left_to_a_clearing_of_its_own(run: Any) -> None:
    driven, answer = run(cancelled(**{
        "watch_job:check_job": no("RestoreCancelled"), "watch_job:check_import": ok(None),
    }))  # fmt: skip

    assert driven.names()[-3:] == ["watch_job:check_import", "open_clearing", "write_report"]
    assert "Backup job job-1 cannot be stopped" in answer["message"]


def test_a_cancel_tells_which_databases_stand_already(run: Any) -> None:
    files = ok({"files": [
        {**file("bank", "imported"), "finalName": "bank_drill"}, {**file("atlas", "cancelled"), "finalName": "atlas"},
    ]})  # fmt: skip
    driven, answer = run(cancelled(**{"watch_job:check_import": [no("RestoreCancelled"), files]}))

    assert "Databases that stand already and stay: bank_drill." in answer["message"]
    assert "release_landing" in driven.names()


def test_a_cancel_does_not_deny_what_an_unknown_import_may_have_done(run: Any) -> None:
    """Its import does not tell its end: files that it may still read stay too."""
    driven, answer = run(cancelled(**{
        "watch_job:check_import": [no("RestoreCancelled"), no("DeadlinePassed")],
    }))  # fmt: skip

    assert "look at the target server for what stands" in answer["message"]
    assert driven.last("release_landing")["brought"] == ""


def test_a_cancel_deletes_the_files_that_its_job_brought(run: Any) -> None:
    driven, _ = run(cancelled(**{"watch_job:check_import": [no("RestoreCancelled"), ok({"files": []})]}))

    assert driven.names()[-1] == "release_landing"
    assert driven.last("release_landing") == {
        "requestId": "INC-1", "request": {"requestId": "INC-1"}, "phase": "Cancelled", "brought": "landing-1",
    }  # fmt: skip


def test_a_cancel_that_was_accepted_stands_whatever_else_happens(run: Any) -> None:
    """It comes when the last check has been passed: the restore still ends as Cancelled, and says what it had done."""
    _, answer = run(cancelled())

    assert answer["phase"] == "Cancelled"
    assert "Before that: files: 1 imported" in answer["message"]


def survey(*files: dict[str, Any]) -> dict[str, Any]:
    return ok({"files": [{**one, "backupName": "b"} for one in files], "closed": True})


def test_files_only_ends_when_the_files_have_landed(run: Any) -> None:
    driven, answer = run(world(
        make_plan=ok({**BRIEFING, "mode": "files-only"}), survey_landing=survey(file("bank", "landed")),
    ))  # fmt: skip

    assert "open_import" not in driven.names()
    assert driven.names()[-4:] == ["survey_landing", "close_restore", "write_report", "release_landing"]
    assert answer["phase"] == "Completed"
    assert "1 files of backup b are in landing-1" in answer["message"]


def test_files_only_fails_with_its_backup_job(run: Any) -> None:
    _, answer = run(world(
        make_plan=ok({**BRIEFING, "mode": "files-only"}), survey_landing=survey(file("bank", "landed")),
        **{"watch_job:check_job": no("BackupJobFailed")},
    ))  # fmt: skip

    assert answer["phase"] == "Failed"


def test_a_watch_that_crashes_ends_the_restore_with_a_report(run: Any, lost_worker: Exception) -> None:
    driven, answer = run(world(**{"watch_job:reserve_landing": lost_worker}))

    assert answer["phase"] == "Failed"
    assert "write_report" in driven.names()


def test_a_defect_of_ours_ends_the_restore_with_a_report(run: Any) -> None:
    driven, answer = run(world(**{"watch_job:start_restore": ok({})}))

    assert answer["phase"] == "Failed"
    assert answer["errors"][0]["code"] == "InternalError"
    assert "write_report" in driven.names()


def test_what_could_not_be_found_out_is_failed_and_not_rejected(run: Any, lost_worker: Exception) -> None:
    """Rejected tells a person to correct the request; a vault that is down is not theirs to correct."""
    _, answer = run(world(make_plan=lost_worker))

    assert answer["phase"] == "Failed"


def test_the_status_keeps_within_what_azure_allows(run: Any) -> None:
    errors = {"ok": False, "error": {
        "code": "RequestRejected", "message": "x" * 4_000, "details": ["y" * 600] * 50,
    }}  # fmt: skip
    driven, answer = run(world(make_plan=errors))

    assert max(len(json.dumps(status).encode("utf-16")) for status in driven.statuses) < 16_000
    assert len(answer["errors"][0]["details"]) == 50


def test_files_that_have_landed_are_imported_without_the_vault_once_they_settled(run: Any) -> None:
    driven, answer = run(world(make_plan=ok(LANDED)))

    assert driven.names() == [
        "make_plan", "watch_job:settle_landing", "open_import", "watch_job:check_import", "verify_restore",
        "close_restore", "write_report", "release_landing",
    ]  # fmt: skip
    assert answer["phase"] == "Completed"


def test_an_event_that_cannot_be_delivered_stops_nothing(run: Any, lost_worker: Exception) -> None:
    _, answer = run(world(publish_phase=lambda _: (_ for _ in ()).throw(lost_worker)))

    assert answer["phase"] == "Completed"


def test_a_phase_that_could_not_be_told_is_told_with_the_next_one(run: Any, lost_worker: Exception) -> None:
    driven, _ = run(world(publish_phase=[ok(), lost_worker, lost_worker, *[ok()] * 9]))

    told = [call.subject["told"] for call in driven.calls if call.name == "publish_phase"]
    assert told[:5] == [0, 1, 1, 1, 4]


def test_a_restore_ends_although_its_report_cannot_be_written(run: Any, lost_worker: Exception) -> None:
    _, answer = run(world(write_report=lost_worker))

    assert answer["phase"] == "CompletedWithWarnings"
    assert "The report could not be written." in answer["message"]
    assert answer["errors"][0]["code"] == "RetriesExhausted"


BUSY = {"ok": False, "error": {"code": "ServiceBusy", "message": "throttled"}, "retryAfter": 90}


def test_a_step_that_meets_a_busy_service_is_taken_again_when_that_wants_to_be_asked(run: Any) -> None:
    driven, answer = run(world(make_plan=[BUSY, ok(BRIEFING)]))

    assert driven.names()[:2] == ["make_plan", "make_plan"]
    assert driven.slept == [60, 30]
    assert answer["phase"] == "Completed"


@pytest.mark.parametrize("step", ["make_plan", "start_validation"])
def test_a_cancel_ends_the_wait_for_a_busy_service(run: Any, step: str) -> None:
    """Nobody waits for the hour that the service asks for: somebody looks each minute."""
    of_phases, of_minutes = [ok(), ok()], [ok(), no("RestoreCancelled")]
    driven, answer = run(cancelled(**{step: {**BUSY, "retryAfter": 3_000}}, check_running=[*of_phases, *of_minutes]))

    assert answer["phase"] == "Cancelled"
    assert driven.slept == [60, 60]
    assert driven.names().count(step) == 1


def test_a_wait_goes_on_though_a_look_whether_the_restore_does_cannot_be_taken(run: Any, lost_worker: Any) -> None:
    looks = [ok(), ok(), lost_worker]
    driven, answer = run(world(make_plan=[BUSY, ok(BRIEFING)], check_running=[*looks, *[ok()] * 9]))

    assert driven.slept == [60, 30]
    assert answer["phase"] == "Completed"


def test_a_service_that_is_busy_for_an_hour_fails_the_restore(run: Any) -> None:
    driven, answer = run(world(make_plan=BUSY))

    assert sum(driven.slept) == 3600
    assert (answer["phase"], answer["errors"][0]["code"]) == ("Failed", "RetriesExhausted")
    assert answer["message"].endswith("throttled")


def test_a_validation_whose_outcome_has_expired_is_asked_for_once_more(run: Any) -> None:
    driven, answer = run(world(**{"watch_job:check_operation": [no("OperationGone"), ok({"jobId": None})]}))

    assert driven.names().count("start_validation") == 2
    assert answer["phase"] == "Completed"


def test_a_validation_that_expires_again_fails_the_restore(run: Any) -> None:
    driven, answer = run(world(**{"watch_job:check_operation": no("OperationGone")}))

    assert driven.names().count("start_validation") == 2
    assert (answer["phase"], answer["errors"][0]["code"]) == ("Failed", "OperationGone")


@pytest.mark.parametrize("code", ["VaultRefused", "DatasourceBusy"])
def test_what_the_vault_does_not_start_is_rejected_and_gives_its_container_back(run: Any, code: str) -> None:
    """Among them a recovery point that has expired since the plan was made."""
    driven, answer = run(world(**{"watch_job:start_restore": no(code), "watch_job:check_import": ok({"files": []})}))

    assert answer["phase"] == "Rejected"
    assert "release_landing" in driven.names()
    assert "open_import" not in driven.names()


def test_a_busy_datasource_for_which_nobody_waits_is_a_rejection(run: Any) -> None:
    driven, answer = run(world(**{"watch_job:reserve_landing": no("DatasourceBusy")}))

    assert answer["phase"] == "Rejected"
    assert "watch_job:start_restore" not in driven.names()


def test_a_container_is_reserved_for_its_datasource(run: Any) -> None:
    driven, _ = run(world())
    [reserving] = [call.subject for call in driven.calls if call.name == "watch_job:reserve_landing"]

    assert reserving["subject"]["instance"] == INSTANCE
