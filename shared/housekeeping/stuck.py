"""Restores that do not go on: longer in a phase than it may take, or with an orchestration that was ended from outside.

Each is told once for a phase: the event is written into the ledger before it is published, and noted as told after it.
A crash in between publishes it again, under the same id.
"""

import logging
from datetime import UTC, datetime, timedelta

from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from shared import decisions
from shared.contracts.events import RestoreStuck, StuckData, event_id
from shared.contracts.progress import Phase
from shared.contracts.status import RestoreSummary
from shared.instances import is_over, progress_of
from shared.settings import settings
from shared.storage import register
from shared.storage.events import publish
from shared.storage.ledger import Ledger

_log = logging.getLogger(__name__)


def examine(restore: RestoreSummary, status: DurableOrchestrationStatus | None) -> None:
    """Report a restore that has no end, if it does not go on; one that nothing works for gets its end.

    One that the engine does not know may be at work in another task hub, for as long as its phase may take.
    """
    limit = settings().phase_limit(restore.phase)
    is_late = datetime.now(UTC) - datetime.fromisoformat(restore.updated_at) > limit
    if status and not is_over(status):
        if is_late:
            _tell_once(restore, None, _too_long(restore, limit))
        return
    if not (status or is_late) or register.current(restore).phase.is_terminal:  # it came to its end meanwhile
        return
    ended, how = _end(status)
    _tell_once(restore, ended, how)
    decisions.close(Ledger(restore.request_id))  # an import that still works for it stops
    register.close(restore, ended, datetime.now(UTC).isoformat())


def _end(status: DurableOrchestrationStatus | None) -> tuple[Phase, str]:
    """The end of a restore that did not tell it, and how it came about."""
    if not status:
        return (
            Phase.FAILED,
            "Its orchestration is gone: somebody purged it, or the task hub is another one now.",
        )
    progress = progress_of(status)
    state = status.runtime_status.value
    if isinstance(status.output, dict) and "phase" in status.output:
        return Phase(status.output["phase"]), f"It ended by itself, and its end could not be told: {progress.message}"
    return progress.phase, f"Its orchestration was ended from outside ({state}): {progress.message}"


def _too_long(restore: RestoreSummary, limit: timedelta) -> str:
    hours = limit.total_seconds() / 3600
    return (
        f"Restore {restore.request_id} is {restore.phase} since {restore.updated_at}, longer than the {hours:g} h that "
        "are given to it. Look at its status; it still runs, and cancelling it ends it."
    )


def _tell_once(restore: RestoreSummary, ended: Phase | None, message: str) -> None:
    """Publish that a restore is stuck, unless that was done."""
    ledger = Ledger(restore.request_id)
    facts = (restore.started_at, restore.phase.value, ended is not None)
    identity = event_id("stuck", restore.request_id, *facts)
    mine = RestoreStuck(
        id=identity,
        subject=restore.request_id,
        time=datetime.now(UTC),
        data=StuckData(
            phase=restore.phase, since=datetime.fromisoformat(restore.updated_at), ended=ended, message=message
        ),
    )
    record = f"stuck/{identity}"
    standing = ledger.first(record, {"event": mine.to_wire(), "told": False})
    if not standing["told"]:
        # The words that infra/queries/stuck-restores.kql looks for.
        _log.warning("restore %s does not go on: %s", restore.request_id, message)
        publish(RestoreStuck.from_wire(standing["event"]))
        ledger.write(record, {**standing, "told": True})
