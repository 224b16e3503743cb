"""The live status of a restore: its course, its job, and each file, put together from where they are kept."""

import asyncio
from urllib.parse import unquote

import azure.durable_functions as df
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from shared.contracts.base import Contract
from shared.contracts.outcome import Failure
from shared.contracts.progress import FileProgress, FileState, Phase, PhaseEntry, RestoreProgress, SetResult
from shared.instances import is_over, progress_of
from shared.storage.ledger import Ledger
from shared.topology import import_instance


class JobStatus(Contract):
    """The backup job."""

    id: str
    status: str


class RestoreStatus(Contract):
    """What `GET /api/restores/{requestId}` answers."""

    request_id: str
    phase: Phase
    message: str
    started_at: str
    updated_at: str
    phases: tuple[PhaseEntry, ...]
    container: str
    job: JobStatus | None
    files: tuple[FileProgress, ...]
    report: dict[str, str] | None
    errors: tuple[Failure, ...]


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
        errors=progress.errors or _crash(status),
    )


async def _job(client: df.DurableOrchestrationClient, request_id: str, progress: RestoreProgress) -> JobStatus | None:
    if not progress.job:
        return None
    watch = await client.get_status(f"{request_id}.job")
    shown = watch.custom_status if watch and isinstance(watch.custom_status, dict) else {}
    return JobStatus(id=progress.job, status=shown.get("status") or "InProgress")


async def _files(client: df.DurableOrchestrationClient, request_id: str) -> tuple[FileProgress, ...]:
    status = await client.get_status(import_instance(request_id))
    if not status:
        return ()
    if is_over(status) and isinstance(status.output, dict) and status.output.get("ok"):
        return SetResult.from_wire(status.output["value"]).files
    shown = status.custom_status if isinstance(status.custom_status, dict) else {}
    files = [FileProgress.from_wire(one) for one in shown.get("files", [])]
    if any(file.state is FileState.IMPORTING for file in files):
        records = await asyncio.to_thread(lambda: Ledger(request_id).names("databases"))
        files = [_with_records(file, records) for file in files]
    return tuple(files)


def _with_records(file: FileProgress, records: list[str]) -> FileProgress:
    """A file that a lane is at work on: how far it is tell the ledger's records."""
    if file.state is not FileState.IMPORTING or not file.database:
        return file
    mine = {name.rpartition("/")[2] for name in records if unquote(name.rpartition("/")[0]) == file.database}
    for record, state in _STATES.items():
        if record in mine:
            return file.model_copy(update={"state": state})
    return file


_STATES = {
    "failure": FileState.FAILED,
    "promotion": FileState.IMPORTED,
    "verification": FileState.VERIFIED,
    "load": FileState.LOADED,
}


def _crash(status: DurableOrchestrationStatus) -> tuple[Failure, ...]:
    """An orchestration that ended without a report of its own says why in its output."""
    if status.runtime_status in {df.OrchestrationRuntimeStatus.Failed, df.OrchestrationRuntimeStatus.Terminated}:
        return (Failure(code=str(status.runtime_status), message=str(status.output)[:2_000]),)
    return ()
