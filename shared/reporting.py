"""Write the report: collect what the ledger holds of a restore, as JSON and as a page for people."""

from datetime import UTC, datetime
from importlib import resources
from itertools import pairwise
from typing import Any, Literal

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContainerClient, ContentSettings
from jinja2 import Environment, StrictUndefined

from shared.contracts.files import FileKind, Listing, Marker
from shared.contracts.imports import DatabaseLoad, Promotion, ScriptRun, Verification
from shared.contracts.outcome import Failure
from shared.contracts.plan import Plan
from shared.contracts.progress import FileProgress, FileState, PhaseEntry, RestoreProgress
from shared.contracts.report import FileReport, PhaseTime, Report
from shared.storage import documents
from shared.storage.accounts import report_container
from shared.storage.ledger import Ledger, database_record
from shared.storage.logs import log_name
from shared.survey import survey

_HTML = ContentSettings(content_type="text/html; charset=utf-8")


def build(
    request_id: str, request: dict[str, Any], progress: RestoreProgress, files: tuple[FileProgress, ...]
) -> Report:
    """The report of a restore that has ended."""
    ledger = Ledger(request_id)
    plan = ledger.read("plan", Plan)
    listing = ledger.read("listing", Listing)
    now = datetime.now(UTC)
    return Report(
        request_id=request_id,
        phase=progress.phase,
        message=progress.message,
        request=request,
        plan=plan,
        backup_taken=ledger.read("marker", Marker),
        container=progress.container,
        job=progress.job,
        phases=progress.phases,
        times=_times(progress.phases, now),
        files=tuple(_file_report(ledger, file) for file in _ordered(files or _from_listing(listing, plan))),
        unknown=listing.unknown if listing else (),
        warnings=progress.warnings,
        errors=progress.errors,
        written_at=now.isoformat(),
    )


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


def page(report: Report) -> str:
    """The report as a page."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["size"] = _size
    template = resources.files(__package__ or "shared").joinpath("report.html.j2").read_text("utf-8")
    return environment.from_string(template).render(report=report, FileKind=FileKind)


def _ordered(files: tuple[FileProgress, ...]) -> list[FileProgress]:
    """Databases first, what was skipped last."""
    kinds = list(FileKind)
    return sorted(files, key=lambda file: (file.state is FileState.SKIPPED, kinds.index(file.kind), file.name))


def _file_report(ledger: Ledger, file: FileProgress) -> FileReport:
    if file.kind is FileKind.DATABASE:
        return FileReport(
            file=file,
            load=ledger.read(database_record(file.database, "load"), DatabaseLoad),
            verification=ledger.read(database_record(file.database, "verification"), Verification),
            promotion=ledger.read(database_record(file.database, "promotion"), Promotion),
            failure=ledger.read(database_record(file.database, "failure"), Failure),
            log=_log(ledger, file),
        )
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


def _size(count: int) -> str:
    number = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TB"
