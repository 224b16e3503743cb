"""How far a restore is, as one number, and how much of what people say its status shows."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from pydantic import ValidationError

from shared.contracts.decisions import Approval, Decision, Statement, Verdict
from shared.contracts.files import FileKind
from shared.contracts.loading import LoadProgress, LoadStep
from shared.contracts.outcome import Failure
from shared.contracts.progress import FileState, Phase, RestoreProgress
from shared.contracts.status import FileStatus
from shared.status import is_current, share

NOW = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)


def file(state: FileState, size: int = 2_000_000) -> FileStatus:
    return FileStatus(name="x_database_bank.sql", kind=FileKind.DATABASE, database="bank", size=size, state=state)


def test_it_grows_with_each_state_of_a_file_and_is_full_when_all_are_final() -> None:
    course = (FileState.LANDED, FileState.IMPORTING, FileState.LOADED, FileState.VERIFIED, FileState.IMPORTED)
    shares = [share(Phase.IMPORTING, [file(state)]) for state in course]

    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert all(earlier < later for earlier, later in pairwise(shares))


def test_it_counts_bytes_and_not_files() -> None:
    assert share(Phase.IMPORTING, [file(FileState.IMPORTED, size=900), file(FileState.LANDED, size=100)]) == 0.9


@pytest.mark.parametrize("state", [FileState.FAILED, FileState.CANCELLED])
def test_what_did_not_come_is_no_progress(state: FileState) -> None:
    assert share(Phase.PARTIALLY_FAILED, [file(FileState.IMPORTED, size=100), file(state, size=300)]) == 0.25


def test_without_files_only_the_end_is_full() -> None:
    assert share(Phase.PLANNING, []) == 0.0
    assert share(Phase.COMPLETED, []) == 1.0


def load(share: float = 0.5, at: datetime = NOW) -> LoadProgress:
    """A load that is in the middle."""
    return LoadProgress(
        attempt="flexrestore_x",
        file_version="0x1",
        at=at.isoformat(timespec="seconds"),
        step=LoadStep.ROWS,
        share=share,
        bytes=1,
        total_bytes=2,
        rows=3,
        seconds_left=None,
        indexes=0,
        total_indexes=None,
        tables=1,
        tables_loaded=0,
    )


def test_it_grows_while_a_file_is_loaded() -> None:
    importing, loaded = file(FileState.IMPORTING), file(FileState.LOADED)
    course = [importing, *(importing.model_copy(update={"load": load(part)}) for part in (0.1, 0.5, 0.95)), loaded]
    shares = [share(Phase.IMPORTING, [one]) for one in course]

    assert all(earlier < later for earlier, later in pairwise(shares))


@pytest.mark.parametrize(
    ("version", "state", "age", "shown"),
    [
        ("0x1", FileState.IMPORTING, timedelta(seconds=61), True),
        ("0x1", FileState.IMPORTING, timedelta(minutes=4), False),
        ("0x1", FileState.LOADED, timedelta(hours=4), True),
        ("0x2", FileState.IMPORTING, timedelta(0), False),
        ("0x2", FileState.LOADED, timedelta(0), False),
    ],
)
def test_what_is_shown_of_a_load_is_of_this_file_and_of_an_attempt_that_goes_on(
    *, version: str, state: FileState, age: timedelta, shown: bool
) -> None:
    """What an attempt told that has ended since, or that loaded a file which was written again, is not."""
    assert is_current(load(at=NOW - age), version, state, NOW) is shown


def odd(text: str) -> RestoreProgress:
    """A progress whose texts are all as long as they may be."""
    said = Statement.model_construct(by=text[:200], reason=text[:1_000])
    failure = Failure(code="RequestRejected", message=text * 4, details=(text,) * 50)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    decision = Decision(verdict=Verdict.REJECTED, by=text[:200], reason=text[:1_000], at=now)
    return RestoreProgress(
        phase=Phase.CANCELLED,
        message=text * 4,
        errors=(failure,) * 3,
        warnings=(text,) * 9,
        cancellation=said,
        approval=Approval(deadline=now, decision=decision),
    )


@pytest.mark.parametrize("sign", ["x", "ü", "\N{PILE OF POO}", "\x01", '"', "\\"])
def test_a_custom_status_keeps_within_what_azure_allows_whatever_people_write(sign: str) -> None:
    shown = odd(sign * 1_000).shown()

    assert len(json.dumps(shown.to_wire()).encode("utf-16")) <= 16_000
    assert shown.errors[0].message.startswith(sign)


@pytest.mark.parametrize("text", ["\x01", "a\0b", "\x1b[31m", "\x85"])
def test_what_people_say_holds_no_control_characters(text: str) -> None:
    with pytest.raises(ValidationError, match="control characters"):
        Statement(by="dba", reason=text)


def test_what_people_say_may_have_lines() -> None:
    assert Statement(by="dba", reason="first\n\tsecond\r\n").reason.startswith("first")
