"""The live status of a restore: its course, its job, and each file, put together from where they are kept."""

import asyncio

import azure.durable_functions as df
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from shared.contracts.base import Contract
from shared.contracts.files import FileKind, Listing
from shared.contracts.outcome import Failure
from shared.contracts.plan import Plan
from shared.contracts.progress import FileProgress, FileState, Phase, PhaseEntry, RestoreProgress, SetResult
from shared.instances import is_over, progress_of
from shared.storage.ledger import Ledger, database_record
from shared.survey import survey
from shared.topology import child_instance, import_instance


async def restore_status(client: df.DurableOrchestrationClient, request_id: str) -> RestoreStatus | None:
    """Where a restore stands; None when there is none."""
    status = await client.get_status(request_id)
    if not status:
        return None
    progress = progress_of(status)
    return RestoreStatus(
        request_id=request_id,
        phase=progress.phase,
        message=progress.message,
        started_at=status.created_time.isoformat(),
        updated_at=status.last_updated_time.isoformat(),
        phases=progress.phases,
        container=progress.container,
        job=await _job(client, request_id, progress),
        files=await _files(client, request_id),
        report=progress.report,
        errors=_errors(status, progress),
        plan=await asyncio.to_thread(_dry_plan, request_id) if progress.phase is Phase.COMPLETED else None,
    )


async def _job(client: df.DurableOrchestrationClient, request_id: str, progress: RestoreProgress) -> JobStatus | None:
    if not progress.job:
        return None
    watch = await client.get_status(child_instance(request_id, "job"))
    shown = watch.custom_status if watch and isinstance(watch.custom_status, dict) else {}
    return JobStatus(id=progress.job, status=shown.get("status") or "InProgress")


async def _files(client: df.DurableOrchestrationClient, request_id: str) -> tuple[FileProgress, ...]:
    status = await client.get_status(import_instance(request_id))
    if not status:
        return ()
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


def _dry_plan(request_id: str) -> Plan | None:
    """The plan, when that is all that was asked for."""
    plan = Ledger(request_id).read("plan", Plan)
    return plan if plan is not None and plan.request.dry_run else None
