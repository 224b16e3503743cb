"""A watch looks, sleeps, and looks again, until the end or the deadline."""

from typing import Any

import pytest

from orchestrators.watch_job import watch_job

WATCH = {
    "check": "check_job",
    "subject": {"id": "1"},
    "what": "backup job 1",
    "interval": 10,
    "longestInterval": 30,
    "deadline": "2026-11-23T12:00:00Z",
}


def sighting(*, ended: bool = False, **more: Any) -> dict[str, Any]:
    return {"ok": True, "value": {"ended": ended, **more}}


def test_the_value_of_what_ended_is_the_answer(drive: Any) -> None:
    run = drive(WATCH, {"check_job": [sighting(), sighting(ended=True, value={"status": "Completed"})]})

    assert run.run_on(watch_job) == {"ok": True, "value": {"status": "Completed"}}
    assert run.statuses[0] == {"what": "backup job 1", "status": ""}


def test_looks_become_rarer_up_to_a_limit(drive: Any) -> None:
    run = drive(WATCH, {"check_job": [sighting()] * 5 + [sighting(ended=True)]})
    run.run_on(watch_job)

    assert run.slept == [10, 15, 22.5, 30, 30]


def test_the_services_retry_after_is_honoured_when_it_is_longer(drive: Any) -> None:
    run = drive(WATCH, {"check_job": [sighting(retryAfter=60), sighting(retryAfter=1), sighting(ended=True)]})
    run.run_on(watch_job)

    assert run.slept == [60, 15]


def test_a_permanent_failure_ends_the_watch(drive: Any) -> None:
    failure = {"ok": False, "error": {"code": "BackupJobFailed", "message": "no"}}
    answer = drive(WATCH, {"check_job": failure}).run(watch_job)

    assert answer["error"]["code"] == "BackupJobFailed"


def test_a_look_that_cannot_be_taken_is_taken_again(drive: Any, lost_worker: Exception) -> None:
    run = drive(WATCH, {"check_job": [lost_worker, sighting(ended=True, value=1)]})

    assert run.run_on(watch_job) == {"ok": True, "value": 1}


def test_a_history_stays_short_however_long_the_watch_lasts(drive: Any) -> None:
    """Each generation is one look."""
    run = drive(WATCH, {"check_job": sighting()})

    assert run.run(watch_job) is None
    assert len(run.calls) == 1
    assert run.continued_with["interval"] == 15
    assert run.continued_with["deadline"] == WATCH["deadline"]


def test_one_that_is_woken_looks_at_once_and_leaves_no_timer(drive: Any) -> None:
    run = drive(WATCH, {"check_job": [sighting(), sighting(ended=True, value=1)]}, woken=True)

    assert run.run_on(watch_job) == {"ok": True, "value": 1}
    assert run.slept == []
    assert [timer.cancelled for timer in run.timers] == [True]


def test_a_watch_for_a_restore_ends_when_that_was_cancelled(drive: Any) -> None:
    cancelled = {"ok": False, "error": {"code": "RestoreCancelled", "message": "somebody cancelled it"}}
    run = drive({**WATCH, "restore": "INC-1"}, {"check_running": cancelled})

    assert run.run(watch_job)["error"]["code"] == "RestoreCancelled"
    assert [call.name for call in run.calls] == ["check_running"]


@pytest.mark.parametrize("status", ["InProgress", "Hibernating"])
def test_after_the_deadline_the_watch_gives_up_in_words(drive: Any, status: str) -> None:
    """An unknown status means still running, and nothing runs for ever."""
    run = drive({**WATCH, "deadline": "2026-11-22T12:00:05+00:00"}, {"check_job": sighting(status=status)})
    answer = run.run_on(watch_job)

    assert answer["error"]["code"] == "DeadlinePassed"
    assert status in answer["error"]["message"]


def busy(seconds: float) -> dict[str, Any]:
    return {"ok": False, "error": {"code": "ServiceBusy", "message": "throttled"}, "retryAfter": seconds}


def test_a_busy_service_is_looked_at_again_when_it_wants_to_be(drive: Any) -> None:
    run = drive(WATCH, {"check_job": [busy(600), sighting(ended=True, value=1)]})

    assert run.run_on(watch_job) == {"ok": True, "value": 1}
    assert run.slept == [600]
    assert run.statuses[0] == {"what": "backup job 1", "status": "unknown: throttled"}


def test_a_service_that_wants_to_be_left_alone_for_longer_moves_no_deadline(drive: Any) -> None:
    run = drive({**WATCH, "deadline": "2026-11-22T12:10:00+00:00"}, {"check_job": busy(86_400)})

    assert run.run_on(watch_job)["error"]["code"] == "DeadlinePassed"
    assert run.slept == [600]


def test_what_stays_in_progress_for_hours_is_watched_in_short_histories_until_the_deadline(drive: Any) -> None:
    watch = {**WATCH, "interval": 10, "longestInterval": 120}
    run = drive(watch, {"check_job": sighting(status="Inprogress")})
    answer = run.run_on(watch_job)

    assert answer["error"]["code"] == "DeadlinePassed"
    assert "its last status was Inprogress" in answer["error"]["message"]
    assert sum(run.slept) >= 24 * 3600
    assert max(run.slept) == 120


def test_the_first_end_that_is_seen_counts(drive: Any) -> None:
    """A job that says InProgress after Completed is an older answer of another machine; nobody looks again."""
    completed = sighting(ended=True, status="Completed", value={"status": "Completed"})
    run = drive(WATCH, {"check_job": [completed, sighting(status="InProgress")]})

    assert run.run_on(watch_job)["value"] == {"status": "Completed"}
    assert run.names() == ["check_job"]
