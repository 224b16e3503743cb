"""The outcome in a sentence, and what a database's verification came to."""

from typing import Any

import pytest

from local.samples import database_load
from shared.contracts.files import FileKind
from shared.contracts.imports import (
    ArchiveFormat,
    ArchiveSummary,
    CheckResult,
    DatabaseLoad,
    Note,
    NoteKind,
    Notes,
    Verification,
)
from shared.contracts.outcome import Failure
from shared.contracts.plan import Plan, TargetRef
from shared.contracts.progress import FileProgress, FileState, Phase, PhaseEntry
from shared.contracts.report import FileReport, Landing, Report
from shared.contracts.request import read_request
from shared.report_summary import summarize, verdict

REQUEST = {"requestId": "INC-1", "source": {"backupInstance": "orders"}, "target": "drill"}


def database(state: FileState, *notes: Note, left_out: int = 0, exact: bool = True, **more: Any) -> FileReport:
    verification = Verification(tables=2, rows=30, exact=exact, objects={}, notes=Notes(items=notes, left_out=left_out))
    progress = FileProgress(name="f", kind=FileKind.DATABASE, database="d", final_name="d", size=100, state=state)
    known = {"verification": verification if state is FileState.IMPORTED else None, **more}
    return FileReport(file=progress, **known)


def report(*files: FileReport, phase: Phase, **options: Any) -> Report:
    request = {**REQUEST, **options}
    return Report(
        request_id="INC-1",
        phase=phase,
        message="",
        request=request,
        plan=Plan(request=read_request(request), target=TargetRef(alias="drill", host="h", version="18")),
        backup_taken=None,
        container="landing-1",
        job="",
        landing=Landing(account="a", container="landing-1", backup_name="b", files=4, left=True),
        phases=(PhaseEntry(phase=Phase.ACCEPTED, at="2026-04-01T02:30:00+00:00"),),
        times=(),
        files=files,
        written_at="2026-04-01T02:31:30+00:00",
    )


LOST = Note(kind=NoteKind.SKIPPED, subject="s", reason="r")
EXPECTED = LOST.model_copy(update={"matters": False})
DONE, FAILED, SKIPPED = (database(state) for state in (FileState.IMPORTED, FileState.FAILED, FileState.SKIPPED))
CHECKED = Verification(
    tables=2, rows=30, exact=True, objects={}, checks=(CheckResult(name="recent", ok=True, answer="True"),)
)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (report(DONE, phase=Phase.COMPLETED), "1 database stands on drill, verified. Nothing of the source is lost"),
        (report(DONE, DONE, SKIPPED, phase=Phase.COMPLETED), "2 databases stand on drill, verified."),
        (report(DONE, FAILED, FAILED, phase=Phase.PARTIALLY_FAILED), "1 of 3 databases stand on drill, verified."),
        (report(database(FileState.IMPORTED, LOST), phase=Phase.COMPLETED_WITH_WARNINGS), "1 thing of the source is"),
        (report(DONE, FAILED, phase=Phase.CANCELLED), "The restore was cancelled. 1 of 2 databases stand"),
        (report(FAILED, FAILED, phase=Phase.FAILED), "None of 2 databases was restored."),
        (report(phase=Phase.FAILED), "No database was restored."),
        (report(phase=Phase.REJECTED), "The request was rejected: nothing was restored."),
        (report(phase=Phase.CANCELLED), "The restore was cancelled before any database stood."),
        (report(phase=Phase.COMPLETED, dryRun=True), "This was a dry run: the plan was made, and nothing was touched."),
        (report(phase=Phase.COMPLETED, mode="files-only"), "4 files of the backup lie in landing-1, as asked"),
    ],
)
def test_the_outcome_is_told_in_a_sentence(found: Report, text: str) -> None:
    assert text in summarize(found).text


def test_figures_are_those_of_the_databases_that_stand() -> None:
    noted = database(FileState.IMPORTED, LOST, EXPECTED, EXPECTED, left_out=7, exact=False)
    found = summarize(report(DONE, noted, FAILED, SKIPPED, phase=Phase.PARTIALLY_FAILED))

    assert (found.databases, found.restored, found.tables, found.rows, found.size) == (3, 2, 4, 60, 200)
    assert (found.exact, found.matters, found.expected) == (False, 8, 2)
    assert found.seconds == 90


def load(archive: ArchiveFormat) -> DatabaseLoad:
    return database_load(archive=ArchiveSummary(format=archive, size=1))


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (database(FileState.IMPORTED, load=load(ArchiveFormat.CUSTOM)), "verified: every object of the backup's"),
        (database(FileState.IMPORTED, load=load(ArchiveFormat.CUSTOM)), "every row was counted"),
        (database(FileState.IMPORTED, exact=False), "rows are counted in part, the others estimated"),
        (database(FileState.IMPORTED, load=load(ArchiveFormat.PLAIN)), "counted: plain SQL has no table of contents"),
        (DONE.model_copy(update={"verification": CHECKED}), "every row was counted; 1 check of the operator passed"),
        (FAILED, "not verified"),
        (SKIPPED, ""),
        (
            database(FileState.FAILED, failure=Failure(code="VerificationFailed", message="differs in 2 points")),
            "not as in the backup: differs in 2 points",
        ),
    ],
)
def test_a_databases_verification_is_told_in_words(one: FileReport, text: str) -> None:
    assert text in verdict(one)
    assert text or not verdict(one)
