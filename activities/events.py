"""Tell the outside: an event for every phase that a restore enters."""

from typing import Any

from activities.answers import answering
from shared.contracts.events import Event
from shared.contracts.progress import RestoreProgress
from shared.storage.events import publish


@answering
def publish_phase(subject: dict[str, Any]) -> None:
    """Publish the phase that was entered last; a repeated event has the same id."""
    progress = RestoreProgress.from_wire(subject["progress"])
    entry = progress.phases[-1]
    publish(
        Event(
            id=f"{subject['requestId']}/{len(progress.phases)}-{entry.phase}",
            type="flexrestore.phase",
            subject=subject["requestId"],
            time=entry.at,
            data={
                "phase": entry.phase,
                "message": progress.message,
                "errors": [error.to_wire() for error in progress.errors],
                "container": progress.container,
                "job": progress.job,
            },
        )
    )
