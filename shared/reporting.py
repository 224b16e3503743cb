"""Write the report: collect what the ledger holds of a restore, as JSON and as a page for people."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContainerClient, ContentSettings

from shared.contracts.files import FileKind, Listing, Marker
from shared.contracts.imports import DatabaseLoad, Promotion, ScriptRun, Verification
from shared.contracts.outcome import Failure
from shared.contracts.plan import Plan
from shared.contracts.progress import FileProgress, FileState, PhaseEntry, RestoreProgress
from shared.contracts.report import FileReport, Landing, PhaseTime, Report
from shared.contracts.request import FilesSource
from shared.decisions import end
from shared.leftovers import done_with
from shared.next_steps.steps import next_steps
from shared.report_page import page
from shared.report_summary import summarize, verdict
from shared.request_words import in_words
from shared.storage import documents, reservations
from shared.storage.accounts import landing_container, report_container
from shared.storage.ledger import Ledger, database_record
from shared.storage.logs import log_name
from shared.survey import survey

_HTML = ContentSettings(content_type="text/html; charset=utf-8")


def build(  # noqa: PLR0913  what the orchestration alone knows
    request_id: str,
    request: dict[str, Any],
    progress: RestoreProgress,
    files: tuple[FileProgress, ...],
    *,
    brought: str = "",
    reserved: bool = False,
) -> Report:
    """The report of a restore that has ended.

    `brought` is the container that its own backup job has filled; `reserved` says that it is not given back.
    """
    ledger = Ledger(request_id)
    plan = ledger.read("plan", Plan)
    listing = ledger.read("listing", Listing)
    ended = end(ledger)
    now = datetime.now(UTC)
    report = Report(
        request_id=request_id,
        phase=progress.phase,
        message=progress.message,
        request=request,
        request_in_words=in_words(request),
        approval=progress.approval,
        cancellation=progress.cancellation,
        cancelled_at=ended.at if ended and ended.cancelled else None,
        plan=plan,
        backup_taken=ledger.read("marker", Marker),
        container=progress.container,
        job=progress.job,
        landing=_landing(request_id, progress, plan, listing, brought=brought, reserved=reserved),
        phases=progress.phases,
        times=_times(progress.phases, now),
        files=tuple(_file_report(ledger, file) for file in _ordered(files or _from_listing(listing, plan))),
        unknown=listing.unknown if listing else (),
        warnings=progress.warnings,
        errors=progress.errors,
        written_at=now.isoformat(),
    )
    return report.model_copy(update={"summary": summarize(report), "next_steps": next_steps(report)})


type Form = Literal["json", "page"]

_FILES: dict[Form, str] = {"json": "report.json", "page": "report.html"}


def write(report: Report) -> dict[str, str]:
    """Write both forms; their addresses."""
    container = report_container()
    documents.write(container, _blob(report.request_id, "json"), report.to_wire())
    container.upload_blob(
        _blob(report.request_id, "page"),
        page(report).encode("utf-8", "backslashreplace"),
        overwrite=True,
        content_settings=_HTML,
    )
    return {form: _address(container, _blob(report.request_id, form)) for form in _FILES}


def read(request_id: str, form: Form) -> str | None:
    """A form as it was written; None where there is none."""
    try:
        return str(report_container().download_blob(_blob(request_id, form), encoding="utf-8").readall())
    except ResourceNotFoundError:
        return None


def _blob(request_id: str, form: Form) -> str:
    return f"{request_id}/{_FILES[form]}"


def _ordered(files: tuple[FileProgress, ...]) -> list[FileProgress]:
    """Databases first, what was skipped last."""
    kinds = list(FileKind)
    return sorted(files, key=lambda file: (file.state is FileState.SKIPPED, kinds.index(file.kind), file.name))


def _file_report(ledger: Ledger, file: FileProgress) -> FileReport:
    if file.kind is FileKind.DATABASE:
        one = FileReport(
            file=file,
            load=ledger.read(database_record(file.database, "load"), DatabaseLoad),
            verification=ledger.read(database_record(file.database, "verification"), Verification),
            promotion=ledger.read(database_record(file.database, "promotion"), Promotion),
            failure=ledger.read(database_record(file.database, "failure"), Failure),
            log=_log(ledger, file),
        )
        return one.model_copy(update={"verdict": verdict(one)})
    record = ledger.read(f"scripts/{file.kind}") or {}
    return FileReport(
        file=file,
        script=ScriptRun.from_wire(record["run"]) if "run" in record else None,
        failure=Failure.from_wire(record["failure"]) if "failure" in record else None,
        log=_log(ledger, file),
    )


def _log(ledger: Ledger, file: FileProgress) -> str:
    name = log_name(ledger.request_id, file.name)
    return name if report_container().get_blob_client(name).exists() else ""


def _from_listing(listing: Listing | None, plan: Plan | None) -> tuple[FileProgress, ...]:
    """What landed, where no import has told of it."""
    return survey(listing, plan.request).files if listing and plan else ()


def _landing(  # noqa: PLR0913  what is known of it lies in many places
    request_id: str,
    progress: RestoreProgress,
    plan: Plan | None,
    listing: Listing | None,
    *,
    brought: str,
    reserved: bool,
) -> Landing | None:
    """The landing container, and what lies there when this restore has ended."""
    if not progress.container:
        return None
    source = plan.request.source if plan else None
    named = source.backup_name if isinstance(source, FilesSource) else ""
    deleted = done_with(request_id, progress.phase, brought)
    return Landing(
        account=str(landing_container(progress.container).account_name),
        container=progress.container,
        backup_name=listing.backup_name if listing else named,
        files=len(listing.files) if listing else 0,
        left=listing is not None and deleted is None,
        reservation=reservations.address(progress.container) if reserved else "",
    )


def _times(phases: tuple[PhaseEntry, ...], end: datetime) -> tuple[PhaseTime, ...]:
    entered = [(entry.phase, datetime.fromisoformat(entry.at)) for entry in phases]
    closed = [*entered, (None, end)]
    return tuple(
        PhaseTime(phase=phase, seconds=round((until - since).total_seconds(), 3))
        for (phase, since), (_, until) in pairwise(closed)
        if phase is not None
    )


def _address(container: ContainerClient, name: str) -> str:
    return str(container.get_blob_client(name).url)
