"""A container that the vault still writes into is cleared when the backup job has ended, and not before."""

from typing import Any

import pytest

from orchestrators.clear_landing import clear_landing

INSTANCE = {
    "subscription": "s", "resourceGroup": "rg", "vault": "v", "name": "bi", "server": "orders",
    "datasourceId": "/d", "location": "westeurope",
}  # fmt: skip
CLEARING = {
    "order": {"requestId": "INC-1", "instance": INSTANCE, "recoveryPoint": "rp", "container": "landing-1"},
    "interval": 1,
    "longestInterval": 2,
    "deadline": "2026-11-23T12:00:00Z",
}
FIND, CHECK = "watch_job:find_job", "watch_job:check_job"


def found(job: str | None) -> dict[str, Any]:
    return {"ok": True, "value": {"jobId": job}}


def no(code: str) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code, "message": code}}


@pytest.mark.parametrize(
    ("end", "brought"), [({"ok": True, "value": {"status": "Completed"}}, "landing-1"), (no("BackupJobFailed"), "")]
)
def test_the_container_is_given_back_when_the_job_has_ended(drive: Any, end: dict[str, Any], brought: str) -> None:
    """What a failed job met in the container may be somebody else's: it stays."""
    run = drive(CLEARING, {FIND: found("job-1"), CHECK: end})
    run.run(clear_landing)

    assert run.names() == [FIND, CHECK, "release_landing"]
    assert run.last("release_landing") == {"requestId": "INC-1", "phase": "Cancelled", "brought": brought}


def test_it_is_watched_though_its_restore_was_cancelled(drive: Any) -> None:
    run = drive(CLEARING, {FIND: found("job-1")})
    run.run(clear_landing)

    assert [call.subject["restore"] for call in run.calls[:2]] == ["", ""]


def test_a_job_that_never_came_about_holds_nothing(drive: Any) -> None:
    run = drive(CLEARING, {FIND: found(None)})
    run.run(clear_landing)

    assert run.names() == [FIND, "release_landing"]
    assert run.last("release_landing")["brought"] == ""


def test_a_job_whose_end_is_not_known_keeps_the_container(drive: Any) -> None:
    run = drive(CLEARING, {FIND: found("job-1"), CHECK: no("DeadlinePassed")})

    assert run.run(clear_landing)["ok"] is False
    assert "release_landing" not in run.names()
