"""Housekeeping: each chore has its turn whatever becomes of the others, and what it has done is told."""

from typing import Any

import pytest

from orchestrators.housekeeping import housekeeping

INSTANCE = {
    "subscription": "s", "resourceGroup": "rg", "vault": "v", "name": "bi", "server": "orders",
    "datasourceId": "/d", "location": "westeurope",
}  # fmt: skip
ORDER = {"requestId": "INC-1", "instance": INSTANCE, "recoveryPoint": "rp", "container": "landing-1"}
CHORES = ["remove_places", "drop_databases", "delete_files", "delete_reports", "purge_histories", "delete_records"]
QUIET = ["report_stuck", "find_abandoned", "find_abandoned", *CHORES]
REMOVED = {"kind": "files", "name": "n", "restore": "r", "why": "w", "count": 2}
FAILED = {"kind": "database", "name": "n", "message": "m"}
NOBODY = {"ok": True, "value": None}
JOB = {"ended": True, "value": {"jobId": "571e"}}


def ok(value: Any) -> dict[str, Any]:
    return {"ok": True, "value": value}


def no(code: str) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code, "message": code}}


def done(*, removed: bool = False, failed: bool = False) -> dict[str, Any]:
    return ok({"removed": [REMOVED] * removed, "failed": [FAILED] * failed})


def abandoned(order: dict[str, Any] | None = ORDER) -> list[dict[str, Any]]:
    """The first container is, the second is not."""
    return [
        ok({"container": "landing-1", "requestId": "INC-1", "phase": "Cancelled", "order": order}),
        NOBODY,
    ]


def keep(drive: Any, **answers: Any) -> Any:
    run = drive({}, {"find_abandoned": NOBODY, **answers})
    run.run(housekeeping)
    return run


def told(run: Any) -> list[str]:
    return [call.subject["chore"] for call in run.calls if call.name == "tell_housekeeping"]


def test_nothing_is_told_where_nothing_was_done(drive: Any) -> None:
    assert keep(drive).names() == QUIET


@pytest.mark.parametrize("chore", ["report_stuck", *CHORES])
@pytest.mark.parametrize("answer", [done(removed=True), done(failed=True), no("Misconfigured")], ids=str)
def test_what_a_chore_did_or_could_not_is_told_and_the_others_have_their_turn(
    drive: Any, chore: str, answer: dict[str, Any]
) -> None:
    run = keep(drive, **{chore: answer})

    assert told(run) == [chore]
    assert [name for name in run.names() if name != "tell_housekeeping"] == QUIET


def test_a_chore_whose_worker_dies_each_time_is_told_and_stops_no_other(drive: Any, lost_worker: Exception) -> None:
    run = keep(drive, delete_files=lost_worker)

    assert told(run) == ["delete_files"]
    assert run.names()[-1] == "delete_records"


def test_an_event_that_cannot_be_told_stops_nothing(drive: Any, lost_worker: Exception) -> None:
    run = keep(drive, delete_files=done(removed=True), tell_housekeeping=lost_worker)

    assert run.names()[-1] == "delete_records"


def test_the_chores_of_one_round_know_each_other(drive: Any) -> None:
    run = keep(drive, delete_files=done(removed=True))
    rounds = {call.subject.get("began") or call.subject.get("round") for call in run.calls} - {None}

    assert rounds == {"2026-11-22T12:00:00+00:00"}


@pytest.mark.parametrize(
    ("find", "check", "brought"),
    [
        (ok(JOB), ok({"ended": True, "value": {"status": "Completed"}}), True),
        (ok(JOB), no("BackupJobFailed"), False),
        (ok({"ended": True, "value": {"jobId": None}}), None, False),
    ],
    ids=["completed", "failed", "no job"],
)
def test_an_abandoned_container_is_given_back_when_its_job_has_ended(
    drive: Any, find: dict[str, Any], check: dict[str, Any] | None, brought: bool
) -> None:
    run = keep(drive, find_abandoned=abandoned(), find_job=find, check_job=check, give_back_landing=done(removed=True))
    (call,) = [call for call in run.calls if call.name == "give_back_landing"]

    assert call.subject["brought"] is brought
    assert call.subject["abandoned"]["order"] == ORDER
    assert told(run) == ["give_back_landing landing-1"]


@pytest.mark.parametrize(
    ("find", "check", "is_told"),
    [
        (ok({"ended": False, "status": "accepted"}), None, False),
        (ok(JOB), ok({"ended": False, "status": "InProgress"}), False),
        (no("VaultRefused"), None, True),
        (ok(JOB), no("VaultRefused"), True),
    ],
    ids=["accepted", "running", "not found", "not seen"],
)
def test_it_stays_reserved_while_the_vault_may_write(
    drive: Any, find: dict[str, Any], check: dict[str, Any] | None, is_told: bool
) -> None:
    run = keep(drive, find_abandoned=abandoned(), find_job=find, check_job=check)

    assert "give_back_landing" not in run.names()
    assert told(run) == ["give_back_landing landing-1"] * is_told
    assert run.names()[-1] == "delete_records"


def test_a_vault_that_does_not_answer_is_told_and_stops_nothing(drive: Any, lost_worker: Exception) -> None:
    run = keep(drive, find_abandoned=abandoned(), find_job=lost_worker)

    assert told(run) == ["give_back_landing landing-1"]
    assert run.names()[-1] == "delete_records"


def test_a_container_of_which_nothing_is_known_is_not_asked_the_vault_about(drive: Any) -> None:
    run = keep(drive, find_abandoned=abandoned(order=None), give_back_landing=done(failed=True))

    assert "find_job" not in run.names()
    assert told(run) == ["give_back_landing landing-1"]
