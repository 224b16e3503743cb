"""Orchestration instances: starting one once and only once, and reading its status."""

import asyncio
import json
import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from shared.contracts.access import Requester
from shared.contracts.base import Json
from shared.contracts.clearing import Clearing
from shared.contracts.importing import ImportSet, LandingRef
from shared.contracts.progress import Phase, RestoreProgress
from shared.decisions import reopen
from shared.histories import kept
from shared.settings import settings
from shared.storage import imports, waiting
from shared.storage.ledger import Ledger
from shared.topology import HOUSEKEEPING, WAKE, WATCHES, child_instance, import_instance

_log = logging.getLogger(__name__)
_STATES = df.OrchestrationRuntimeStatus
OVER = (_STATES.Completed, _STATES.Failed, _STATES.Terminated, _STATES.Canceled)
"""What an instance that does nothing more ended as."""
_AT_WORK = (_STATES.Running, _STATES.Pending, _STATES.Suspended, _STATES.ContinuedAsNew)


def is_over(status: DurableOrchestrationStatus) -> bool:
    """Whether the instance does nothing more."""
    return status.runtime_status in OVER


async def status_of(client: df.DurableOrchestrationClient, request_id: str) -> DurableOrchestrationStatus | None:
    """The status of a restore, also of one whose history was purged; None or something falsy where there is none."""
    return await client.get_status(request_id, show_input=True) or await asyncio.to_thread(kept, request_id)


async def at_work(client: df.DurableOrchestrationClient, request_id: str) -> bool:
    """Whether anything works for a restore: itself, its import, or what clears up after it."""
    status = await client.get_status(request_id)
    if status and not is_over(status):
        return True
    return bool(await client.get_status_by(instance_id_prefix=f"{request_id}:", runtime_status=list(_AT_WORK)))


def progress_of(status: DurableOrchestrationStatus) -> RestoreProgress:
    """The course that a restore shows; one that has not begun is Accepted."""
    shown = status.custom_status
    progress = RestoreProgress.from_wire(shown) if isinstance(shown, dict) else RestoreProgress(phase=Phase.ACCEPTED)
    if is_over(status) and not progress.phase.is_terminal:
        ended = Phase.CANCELLED if status.runtime_status is _STATES.Terminated else Phase.FAILED
        return progress.model_copy(update={"phase": ended, "message": str(status.output)[:500]})
    return progress


def request_of(status: DurableOrchestrationStatus) -> dict[str, Any]:
    """The request that started a restore, as it came; empty where the status was asked for without its input."""
    return dict(_input(status).get("request") or {})


def requester_of(status: DurableOrchestrationStatus) -> Requester | None:
    """Who was signed in when the request was sent; None where nobody was, as for a message of the queue."""
    requester = _input(status).get("requester")
    return Requester.from_wire(requester) if requester else None


def _input(status: DurableOrchestrationStatus) -> Json:
    subject = status.input_
    while isinstance(subject, str):  # the SDK encodes it twice
        subject = json.loads(subject)
    return dict(subject or {})


async def start_restore_once(
    client: df.DurableOrchestrationClient,
    request_id: str,
    request: dict[str, Any],
    requester: Requester | None = None,
) -> DurableOrchestrationStatus | None:
    """Start the restore of a request, unless it was started before; the status of that earlier one.

    A request that was rejected before it had a landing container, and not by an approver, may be sent again, corrected,
    under its own id. An id is taken for as long as the restore's records are kept, though its history may be purged.
    """
    status = await _settled(client, request_id)
    if status:
        if not (is_over(status) and _may_come_again(progress_of(status))):
            return status
        await asyncio.to_thread(reopen, Ledger(request_id))
    proven = {"requester": requester.to_wire()} if requester else {}
    return await _start(client, "restore", request_id, {"request": request, **proven})


async def _settled(client: df.DurableOrchestrationClient, request_id: str) -> DurableOrchestrationStatus | None:
    """The status of a restore; one that tells its end already is given the moment to come to it."""
    for _ in range(_LOOKS):
        status = await status_of(client, request_id)
        if not status or is_over(status) or not progress_of(status).phase.is_terminal:
            break
        await asyncio.sleep(_PAUSE)
    return status


_LOOKS, _PAUSE = 25, 0.2


def _may_come_again(progress: RestoreProgress) -> bool:
    return progress.phase is Phase.REJECTED and not progress.container and progress.approval is None


async def wake(client: df.DurableOrchestrationClient, request_id: str, names: Sequence[str] = WATCHES) -> None:
    """Have what sleeps for a restore look again now; what does not sleep needs no waking."""
    for name in names:
        try:
            await client.raise_event(child_instance(request_id, name), WAKE, {})
        except Exception as error:  # noqa: BLE001 -- the SDK's only kind; the sleeper looks again by itself, only later
            _log.debug("%s of restore %s is not woken: %s", name, request_id, error)


async def call_first(client: df.DurableOrchestrationClient, lines: Iterable[str]) -> None:
    """Have the first of each line look at once whether it is their turn."""
    for line in lines:
        sleeper = "import" if imports.is_line(line) else "landing"
        for request_id in (await asyncio.to_thread(waiting.first, line))[: waiting.CALLED]:
            await wake(client, request_id, [sleeper])


async def start_housekeeping_once(client: df.DurableOrchestrationClient) -> bool:
    """Start housekeeping, unless it is at work; whether it was started now."""
    status = await client.get_status(HOUSEKEEPING)
    if status and not is_over(status):
        return False
    return await _start(client, "housekeeping", HOUSEKEEPING, {}) is None


async def is_clearing_known(client: df.DurableOrchestrationClient, request_id: str) -> bool:
    """Whether the clearing of a restore's landing container was started, and may have come to its end."""
    return bool(await client.get_status(_clearing_instance(request_id)))


async def start_clearing(client: df.DurableOrchestrationClient, clearing: Clearing) -> bool:
    """Start to clear a landing container, unless that is being done; whether it was started now."""
    instance_id = _clearing_instance(clearing.order.request_id)
    return await _start(client, "clear_landing", instance_id, clearing.to_wire()) is None


def _clearing_instance(request_id: str) -> str:
    return child_instance(request_id, "clearing")


async def start_import_once(client: df.DurableOrchestrationClient, landing: LandingRef) -> bool:
    """Start the import of a restore's file set, unless it was started before; whether it was started now."""
    instance_id = import_instance(landing.request_id)
    if await client.get_status(instance_id):
        return False
    deadline = datetime.now(UTC) + timedelta(hours=2 * settings().job_deadline_hours)
    subject = ImportSet(
        landing=landing,
        lanes=settings().databases_at_once,
        interval=settings().poll_seconds,
        longest_interval=settings().poll_limit_seconds,
        deadline=deadline,
    )
    return await _start(client, "import_set", instance_id, subject.to_wire()) is None


async def _start(
    client: df.DurableOrchestrationClient, orchestrator: str, instance_id: str, subject: dict[str, Any]
) -> DurableOrchestrationStatus | None:
    """Start an instance; the status of the one that somebody else has started in this very moment."""
    try:
        await client.start_new(orchestrator, instance_id, subject)
    except Exception:
        # The SDK raises plain Exception for the engine's refusal of an id that runs.
        if started := await client.get_status(instance_id, show_input=True):
            return started
        raise
    return None
