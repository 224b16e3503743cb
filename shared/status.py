"""The live status of a restore: its course, its job, and each file, put together from where they are kept."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import azure.durable_functions as df
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from shared.contracts.decisions import Statement
from shared.contracts.files import FileKind, Listing
from shared.contracts.outcome import Failure
from shared.contracts.plan import Plan
from shared.contracts.progress import RETRIED, FileProgress, FileState, Phase, RestoreProgress, SetResult
from shared.contracts.status import About, Action, JobStatus, RestoreStatus
from shared.decisions import end
from shared.instances import is_over, progress_of, request_of, status_of
from shared.storage.ledger import Ledger, database_record
from shared.survey import survey
from shared.topology import child_instance, import_instance


async def restore_status(client: df.DurableOrchestrationClient, request_id: str) -> RestoreStatus | None:
    """Where a restore stands; None when there is none."""
    status = await status_of(client, request_id)
    if not status:
        return None
    progress, request = progress_of(status), request_of(status)
    files = await _files(client, request_id)
    kept = await asyncio.to_thread(_kept, request_id, progress.phase)
    return RestoreStatus(
        **About.of(request).model_dump(),
        reason=str(request.get("reason") or ""),
        request_id=request_id,
        phase=progress.phase,
        message=progress.message,
        started_at=status.created_time.isoformat(),
        updated_at=status.last_updated_time.isoformat(),
        phases=progress.phases,
        progress=share(progress.phase, files),
        container=progress.container,
        job=await _job(client, request_id, progress),
        files=files,
        report=progress.report,
        approval=progress.approval,
        cancellation=progress.cancellation or kept.cancellation,
        actions=_actions(progress, files, kept),
        errors=_errors(status, progress),
        plan=kept.plan,
    )


@dataclass(frozen=True)
class _Kept:
    """What the ledger keeps of a restore besides its files."""

    cancellation: Statement | None = None
    plan: Plan | None = None


def _kept(request_id: str, phase: Phase) -> _Kept:
    ledger = Ledger(request_id)
    ending = None if phase.is_terminal else end(ledger)
    plan = ledger.read("plan", Plan) if phase in {Phase.AWAITING_APPROVAL, Phase.COMPLETED} else None
    shown = plan if plan and (plan.request.dry_run or phase is Phase.AWAITING_APPROVAL) else None
    return _Kept(ending.cancelled if ending else None, shown)


def _actions(progress: RestoreProgress, files: Sequence[FileProgress], kept: _Kept) -> tuple[Action, ...]:
    """What can be asked of a restore as it stands."""
    if progress.phase.is_terminal:
        return (Action.RETRY,) if progress.phase in RETRIED and any(file.can_come_again for file in files) else ()
    if kept.cancellation is not None:
        return ()
    approval = progress.approval if progress.phase is Phase.AWAITING_APPROVAL else None
    if approval is not None and approval.is_open(datetime.now(UTC)):
        return (Action.APPROVE, Action.REJECT, Action.CANCEL)
    return (Action.CANCEL,)


_SHARES = {
    FileState.LANDED: 0.0,
    FileState.IMPORTING: 0.2,
    FileState.LOADED: 0.8,
    FileState.VERIFIED: 0.9,
    FileState.FAILED: 0.0,
    FileState.CANCELLED: 0.0,
}
"""How much of a file's work is done in the states in which it is not where it should be."""


def share(phase: Phase, files: Sequence[FileProgress]) -> float:
    """The share of the files' bytes that is where it should be, from 0 to 1."""
    total = sum(file.size for file in files)
    if not total:
        return 1.0 if phase is Phase.COMPLETED else 0.0
    return round(sum(file.size * _SHARES.get(file.state, 1.0) for file in files) / total, 4)


async def _job(client: df.DurableOrchestrationClient, request_id: str, progress: RestoreProgress) -> JobStatus | None:
    if not progress.job:
        return None
    watch = await client.get_status(child_instance(request_id, "job"))
    shown = watch.custom_status if watch and isinstance(watch.custom_status, dict) else {}
    return JobStatus(id=progress.job, status=shown.get("status") or "InProgress")


async def _files(client: df.DurableOrchestrationClient, request_id: str) -> tuple[FileProgress, ...]:
    status = await client.get_status(import_instance(request_id))
    if not status:  # files that only landed have a listing and no import
        return await asyncio.to_thread(_files_at_work, request_id, frozenset())
    if is_over(status) and isinstance(status.output, dict) and status.output.get("ok"):
        return SetResult.from_wire(status.output["value"]).files
    shown = status.custom_status if isinstance(status.custom_status, dict) else {}
    return await asyncio.to_thread(_files_at_work, request_id, frozenset(shown.get("importing", [])))


def _files_at_work(request_id: str, importing: frozenset[str]) -> tuple[FileProgress, ...]:
    """What has landed, and how far each file is: the ledger's records tell."""
    ledger = Ledger(request_id)
    listing = ledger.read("listing", Listing)
    if listing is None:
        return ()
    records = frozenset(f"databases/{name}" for name in ledger.names("databases"))
    scripts = frozenset(f"scripts/{name}" for name in ledger.names("scripts"))
    files = survey(listing, ledger.plan().request).files
    return tuple(_at_work(file, records | scripts, importing) for file in files)


def _at_work(file: FileProgress, records: frozenset[str], importing: frozenset[str]) -> FileProgress:
    if file.state is not FileState.LANDED:
        return file
    if file.kind is FileKind.DATABASE:
        known = (state for name, state in _RECORDS.items() if database_record(file.database, name) in records)
    else:
        known = (state for state in (FileState.IMPORTED,) if f"scripts/{file.kind}" in records)
    at_work = FileState.IMPORTING if file.name[:200] in importing else FileState.LANDED
    return file.model_copy(update={"state": next(known, at_work)})


_RECORDS = {
    "failure": FileState.FAILED,
    "promotion": FileState.IMPORTED,
    "verification": FileState.VERIFIED,
    "load": FileState.LOADED,
}


def _errors(status: DurableOrchestrationStatus, progress: RestoreProgress) -> tuple[Failure, ...]:
    """The errors in full once the restore has ended; the custom status has room for their beginning only."""
    if isinstance(status.output, dict):
        return tuple(Failure.from_wire(error) for error in status.output.get("errors", []))
    if is_over(status):
        return (Failure(code=str(status.runtime_status), message=str(status.output)[:2_000]),)
    return progress.errors
