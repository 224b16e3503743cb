"""The outcome of a restore in a few figures and sentences."""

from datetime import datetime

from shared.contracts.imports import ArchiveFormat
from shared.contracts.progress import FileState, Phase
from shared.contracts.report import FileReport, Report, Summary
from shared.contracts.request import Mode
from shared.errors import VerificationFailed
from shared.figures import counted
from shared.next_steps.facts import databases, standing


def summarize(report: Report) -> Summary:
    """The report's figures."""
    asked = [one for one in databases(report) if one.file.state is not FileState.SKIPPED]
    stand = standing(report)
    verified = [one.verification for one in stand if one.verification]
    notes = [note for one in report.files for note in one.notes]
    matters = sum(note.matters for note in notes) + sum(one.notes_left_out for one in report.files)
    return Summary(
        text=_text(report, len(asked), len(stand), matters),
        seconds=_seconds(report),
        databases=len(asked),
        restored=len(stand),
        tables=sum(one.tables for one in verified),
        rows=sum(one.rows for one in verified),
        exact=all(one.exact for one in verified),
        size=sum(one.file.size for one in stand),
        matters=matters,
        expected=sum(not note.matters for note in notes),
    )


def verdict(one: FileReport) -> str:
    """What the verification of a database came to, in words."""
    if one.failure and one.failure.code == VerificationFailed.__name__:
        return f"not as in the backup: {one.failure.message}"
    if one.verification is None:
        return "" if one.file.state is FileState.SKIPPED else "not verified"
    rows = "every row was counted" if one.verification.exact else "rows are counted in part, the others estimated"
    if one.verification.checks:
        rows += f"; {counted(len(one.verification.checks), 'check')} of the operator passed"
    if one.load and one.load.archive.format is ArchiveFormat.PLAIN:
        return f"counted: plain SQL has no table of contents to compare with; {rows}"
    return f"verified: every object of the backup's table of contents is there; {rows}"


def _text(report: Report, asked: int, restored: int, matters: int) -> str:
    if not restored:
        return _nothing_restored(report, asked)
    of_how_many = f" of {asked}" if restored < asked else ""
    nouns = "database stands" if restored == asked == 1 else "databases stand"
    where = report.plan.target.alias if report.plan else "the target"
    outcome = f"{restored}{of_how_many} {nouns} on {where}, verified."
    cancelled = "The restore was cancelled. " if report.phase is Phase.CANCELLED else ""
    differs = "Nothing of the source is lost or different"
    if matters:
        differs = f"{counted(matters, 'thing')} of the source {'is' if matters == 1 else 'are'} lost or different"
    return f"{cancelled}{outcome} {differs}."


def _nothing_restored(report: Report, asked: int) -> str:
    request = report.plan.request if report.plan else None
    completed = report.phase in {Phase.COMPLETED, Phase.COMPLETED_WITH_WARNINGS}
    if completed and request and request.dry_run:
        return "This was a dry run: the plan was made, and nothing was touched."
    if completed and request and request.mode is Mode.FILES_ONLY:
        files = counted(report.landing.files if report.landing else 0, "file")
        return f"{files} of the backup lie in {report.container}, as asked; nothing was imported."
    outcome = {
        Phase.REJECTED: "The request was rejected: nothing was restored.",
        Phase.CANCELLED: "The restore was cancelled before any database stood.",
    }
    none = f"None of {counted(asked, 'database')} was restored." if asked > 1 else "No database was restored."
    return outcome.get(report.phase, none)


def _seconds(report: Report) -> float:
    if not report.phases:
        return 0.0
    began = datetime.fromisoformat(report.phases[0].at)
    return round((datetime.fromisoformat(report.written_at) - began).total_seconds(), 3)
