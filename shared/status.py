"""The live status of a restore: its course, its job, and each file, put together from where they are kept."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import azure.durable_functions as df
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from shared.contracts.decisions import Statement
from shared.contracts.files import FileKind, Listing
from shared.contracts.importing import SurveyedFile
from shared.contracts.loading import LoadProgress
from shared.contracts.outcome import Failure
from shared.contracts.plan import Plan
from shared.contracts.progress import RETRIED, FileState, Phase, RestoreProgress, SetResult
from shared.contracts.status import About, Action, FileStatus, JobStatus, RestoreStatus
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
        message=await _message(client, request_id, progress),
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


def _actions(progress: RestoreProgress, files: Sequence[FileStatus], kept: _Kept) -> tuple[Action, ...]:
    """What can be asked of a restore as it stands."""
    if progress.phase.is_terminal:
        return (Action.RETRY,) if progress.phase in RETRIED and any(file.can_come_again for file in files) else ()
    if kept.cancellation is not None:
        return ()
    approval = progress.approval if progress.phase is Phase.AWAITING_APPROVAL else None
    if approval is not None and approval.is_open(datetime.now(UTC)):
        return (Action.APPROVE, Action.REJECT, Action.CANCEL)
    return (Action.CANCEL,)


_BEGUN = 0.05
_SHARES = {
    FileState.LANDED: 0.0,
    FileState.IMPORTING: _BEGUN,
    FileState.LOADED: 0.8,
    FileState.VERIFIED: 0.9,
    FileState.FAILED: 0.0,
    FileState.CANCELLED: 0.0,
}
"""How much of a file's work is done in the states in which it is not where it should be."""


def share(phase: Phase, files: Sequence[FileStatus]) -> float:
    """The share of the files' bytes that is where it should be, from 0 to 1."""
    total = sum(file.size for file in files)
    if not total:
        return 1.0 if phase is Phase.COMPLETED else 0.0
    return round(sum(file.size * _done(file) for file in files) / total, 4)


def _done(file: FileStatus) -> float:
    """The share of a file's work that is done."""
    done = _SHARES.get(file.state, 1.0)
    if file.state is FileState.IMPORTING and file.load is not None:
        done += file.load.share * (_SHARES[FileState.LOADED] - done)
    return done


async def _job(client: df.DurableOrchestrationClient, request_id: str, progress: RestoreProgress) -> JobStatus | None:
    if not progress.job:
        return None
    watch = await client.get_status(child_instance(request_id, "job"))
    shown = watch.custom_status if watch and isinstance(watch.custom_status, dict) else {}
    return JobStatus(id=progress.job, status=shown.get("status") or "InProgress")


async def _message(client: df.DurableOrchestrationClient, request_id: str, progress: RestoreProgress) -> str:
    """What happens now; of a restore that waits for a turn of its own also what it waits for."""
    waits = _WAITS.get(progress.phase)
    if waits is None or (progress.phase is Phase.RESTORING and progress.job):
        return progress.message
    name, told = waits
    waiter = await client.get_status(child_instance(request_id, name))
    shown = waiter.custom_status if waiter and not is_over(waiter) and isinstance(waiter.custom_status, dict) else {}
    return f"{progress.message}: {shown[told]}" if shown.get(told) else progress.message


_WAITS = {
    Phase.AWAITING_LANDING: ("landing", "status"),
    Phase.RESTORING: ("start", "status"),
    Phase.IMPORTING: ("import", "waiting"),
}
"""In which phases something is waited for: who waits, and under which word its custom status tells for what."""


async def _files(client: df.DurableOrchestrationClient, request_id: str) -> tuple[FileStatus, ...]:
    status = await client.get_status(import_instance(request_id))
    if not status:  # files that only landed have a listing and no import
        return await asyncio.to_thread(_files_at_work, request_id, frozenset())
    if is_over(status) and isinstance(status.output, dict) and status.output.get("ok"):
        return tuple(FileStatus(**dict(file)) for file in SetResult.from_wire(status.output["value"]).files)
    shown = status.custom_status if isinstance(status.custom_status, dict) else {}
    return await asyncio.to_thread(_files_at_work, request_id, frozenset(shown.get("importing", [])))


def _files_at_work(request_id: str, importing: frozenset[str]) -> tuple[FileStatus, ...]:
    """What has landed, and how far each file is: the ledger's records tell."""
    ledger = Ledger(request_id)
    listing = ledger.read("listing", Listing)
    if listing is None:
        return ()
    records = frozenset(f"databases/{name}" for name in ledger.names("databases"))
    scripts = frozenset(f"scripts/{name}" for name in ledger.names("scripts"))
    files = survey(listing, ledger.plan().request).files
    states = ((file, _state(file, records | scripts, importing)) for file in files)
    return tuple(
        FileStatus(**{**dict(file.progress), "state": state}, load=_load(ledger, file, state, records))
        for file, state in states
    )


def _load(ledger: Ledger, file: SurveyedFile, state: FileState, records: frozenset[str]) -> LoadProgress | None:
    """How far the file's load is, when that is known."""
    name = database_record(file.database, "progress")
    if state not in _LOADING or name not in records:
        return None
    load = ledger.read(name, LoadProgress)
    return load if load is not None and is_current(load, file.etag, state, datetime.now(UTC)) else None


def is_current(load: LoadProgress, version: str, state: FileState, now: datetime) -> bool:
    """Whether it is of that version of the file, and while it is loaded, of an attempt that still goes on."""
    if load.file_version != version:
        return False
    return state is not FileState.IMPORTING or now - datetime.fromisoformat(load.at) < _LATEST


_LOADING = {FileState.IMPORTING, FileState.LOADED, FileState.VERIFIED}
"""States in which the progress of a load tells something."""
_LATEST = timedelta(minutes=3)
"""Within which whoever watches a load tells of it again: what is older is of an attempt that has ended."""


def _state(file: SurveyedFile, records: frozenset[str], importing: frozenset[str]) -> FileState:
    if file.state is not FileState.LANDED:
        return file.state
    if file.kind is FileKind.DATABASE:
        known = (state for name, state in _RECORDS.items() if database_record(file.database, name) in records)
    else:
        known = (state for state in (FileState.IMPORTED,) if f"scripts/{file.kind}" in records)
    at_work = FileState.IMPORTING if file.name[:200] in importing else FileState.LANDED
    return next(known, at_work)


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
