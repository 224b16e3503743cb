"""Tell the outside: an event for every phase that a restore enters."""

import logging
import re
from datetime import datetime
from typing import Any

from activities.answers import answering
from shared.contracts.events import WEBHOOK_NAME, PhaseData, PhaseEntered, event_id
from shared.contracts.progress import RestoreProgress
from shared.contracts.status import About
from shared.storage import register
from shared.storage.events import publish
from shared.telemetry import metrics, spans

_log = logging.getLogger(__name__)

_TOLD = {"message", "errors", "container", "job", "report", "approval"}
"""What of a progress its event tells under the same name."""


@answering
def publish_phase(subject: dict[str, Any]) -> None:
    """Publish the phase that was entered last, and before it those that could not be told then; lists show it too.

    A repeated event has the same id. The time at which the restore began tells it from an earlier, rejected one of
    the same request id.
    """
    progress = RestoreProgress.from_wire(subject["progress"])
    about = About.from_wire(subject["about"])
    known = register.enter(subject["requestId"], about, progress)
    if known < len(progress.phases):  # whoever writes the row first tells it
        _log.info("the restore has entered the phase %s", progress.phase)
        metrics.count_phases(about, progress, known)
        spans.tell_phases(subject["requestId"], progress, known)
    notify = _names(subject.get("notify"))
    for number in range(subject["told"] + 1, len(progress.phases) + 1):
        publish(_entered(subject["requestId"], progress, number), notify)


def _names(notify: Any) -> list[str]:
    """The webhooks that a request names, rightly or not: it comes as it was sent, for it may be Rejected."""
    names = notify if isinstance(notify, list) else []
    return [name for name in names if isinstance(name, str) and re.fullmatch(WEBHOOK_NAME, name)]


def _entered(request_id: str, progress: RestoreProgress, number: int) -> PhaseEntered:
    """The event of the numbered phase, counted from 1; what more is known belongs to the last one."""
    began, entry = progress.phases[0].at, progress.phases[number - 1]
    known: dict[str, Any] = {"message": ""}
    if number == len(progress.phases):
        cancelled = progress.cancellation and progress.cancellation.model_dump()
        known = {**progress.model_dump(include=_TOLD), "cancelled": cancelled}
    return PhaseEntered(
        id=event_id("phase", request_id, began, number),
        subject=request_id,
        time=datetime.fromisoformat(entry.at),
        sequence=f"{number:06}",
        data=PhaseData(phase=entry.phase, started_at=datetime.fromisoformat(began), **known),
    )
