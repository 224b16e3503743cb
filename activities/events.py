"""Tell the outside: an event for every phase that a restore enters."""

from datetime import datetime
from typing import Any

from activities.answers import answering
from shared.contracts.events import PhaseData, PhaseEntered, Problem, event_id
from shared.contracts.progress import RestoreProgress
from shared.contracts.status import About
from shared.storage import register
from shared.storage.events import publish


@answering
def publish_phase(subject: dict[str, Any]) -> None:
    """Publish the phase that was entered last, and before it those that could not be told then; lists show it too.

    A repeated event has the same id. The time at which the restore began tells it from an earlier, rejected one of
    the same request id.
    """
    progress = RestoreProgress.from_wire(subject["progress"])
    register.enter(subject["requestId"], About.from_wire(subject["about"]), progress)
    for number in range(subject["told"] + 1, len(progress.phases) + 1):
        publish(_entered(subject["requestId"], progress, number))


def _entered(request_id: str, progress: RestoreProgress, number: int) -> PhaseEntered:
    """The event of the numbered phase, counted from 1; what more is known belongs to the last one."""
    began, entry = progress.phases[0].at, progress.phases[number - 1]
    data = PhaseData(phase=entry.phase, started_at=datetime.fromisoformat(began), message="")
    if number == len(progress.phases):
        known = {
            "message": progress.message,
            "errors": tuple(Problem(**error.model_dump()) for error in progress.errors),
            "container": progress.container,
            "job": progress.job,
            "report": progress.report,
        }
        data = data.model_copy(update=known)
    return PhaseEntered(
        id=event_id("phase", request_id, began, number),
        subject=request_id,
        time=datetime.fromisoformat(entry.at),
        sequence=f"{number:06}",
        data=data,
    )
