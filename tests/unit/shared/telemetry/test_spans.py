"""Spans: what a piece of work was about and what came of it; one trace for each restore."""

from typing import Any

import pytest

from shared.contracts.outcome import Failure
from shared.contracts.progress import Phase, PhaseEntry, RestoreProgress
from shared.errors import TargetUnavailable
from shared.telemetry.about import about
from shared.telemetry.spans import Work, root_of, tell_phases, trace_of, working

COURSE = (
    PhaseEntry(phase=Phase.ACCEPTED, at="2026-04-01T02:30:00+00:00"),
    PhaseEntry(phase=Phase.PLANNING, at="2026-04-01T02:30:01.500000+00:00"),
    PhaseEntry(phase=Phase.FAILED, at="2026-04-01T02:31:00+00:00"),
)
SECOND = 1_000_000_000


def progress(count: int) -> RestoreProgress:
    return RestoreProgress(phase=COURSE[count - 1].phase, phases=COURSE[:count])


def test_the_ids_of_a_restore_follow_from_its_name() -> None:
    """Workers that know nothing of each other put their spans into one trace."""
    assert (trace_of("r"), root_of("r")) == (0x6E0B260A274AB6948ABCDBE0DDEAEA2F, 0x990D409C030AAE9E)
    assert trace_of("r") != trace_of("r2")


def test_a_span_is_about_what_was_known_and_what_was_found_out(told: list[Any]) -> None:
    with about(file="f"), working("file_landed", Work({"extra": 1}), "consumer"), about(restore="r"):
        pass

    [span] = told
    assert (span.name, span.kind, span.restore, span.linked, span.error) == ("file_landed", "consumer", "r", "", "")
    assert dict(span.attributes) == {
        "flexrestore.file": "f",
        "flexrestore.restore": "r",
        "flexrestore.outcome": "ok",
        "extra": 1,
    }
    assert span.began <= span.ended


def test_a_look_at_a_restore_is_a_trace_of_its_own_that_points_at_it(told: list[Any]) -> None:
    with about(restore="r"), working("get_restore", Work(), "server", own_trace=True):
        pass

    assert (told[0].restore, told[0].linked) == ("", "r")


def test_an_answer_that_is_no_success_has_its_code(told: list[Any]) -> None:
    work = Work()
    with working("load_database", work):
        work.answered({"ok": True, "value": None})
        work.answered({"ok": False, "error": {"code": "DatabaseExists", "message": "m"}})

    assert (told[0].error, told[0].attributes["flexrestore.outcome"]) == ("DatabaseExists", "failed")


def test_an_exception_is_told_by_its_type_and_goes_on(told: list[Any]) -> None:
    with pytest.raises(TargetUnavailable), working("load_database", Work()):
        raise TargetUnavailable("password=planted")

    assert (told[0].error, told[0].attributes["flexrestore.outcome"]) == ("TargetUnavailable", "raised")
    assert "planted" not in repr(told)


def test_each_phase_is_told_when_it_has_ended_and_the_restore_at_its_end(told: list[Any]) -> None:
    for count in (1, 2, 3):
        tell_phases("r", progress(count), before=count - 1)

    assert [span.name for span in told] == ["Accepted", "Planning", "restore"]
    assert [(span.ended - span.began) / SECOND for span in told] == [1.5, 58.5, 60]
    assert [span.error for span in told] == ["", "", "Failed"]
    assert told[-1].id == root_of("r")


def test_phases_that_could_not_be_told_are_told_with_the_next_one(told: list[Any]) -> None:
    tell_phases("r", progress(3), before=0)

    assert [span.name for span in told] == ["Accepted", "Planning", "restore"]


def test_a_failed_restore_has_the_code_of_its_first_error(told: list[Any]) -> None:
    failure = Failure(code="BackupJobFailed", message="m")
    tell_phases("r", progress(3).model_copy(update={"errors": (failure,)}), before=2)

    assert told[-1].error == "BackupJobFailed"


@pytest.mark.parametrize("phase", [Phase.COMPLETED, Phase.COMPLETED_WITH_WARNINGS, Phase.REJECTED, Phase.CANCELLED])
def test_who_rejects_or_cancels_a_restore_makes_no_error_of_it(told: list[Any], phase: Phase) -> None:
    entries = (COURSE[0], PhaseEntry(phase=phase, at=COURSE[2].at))
    tell_phases("r", RestoreProgress(phase=phase, phases=entries), before=1)

    assert told[-1].error == ""
