"""The events of housekeeping: what a chore has deleted, each time; what it alone could not, once a day."""

from datetime import datetime

from shared.contracts.events import HousekeepingDone, event_id
from shared.contracts.housekeeping import Told
from shared.housekeeping.sweep import FOLDER
from shared.storage import documents
from shared.storage.accounts import control_container
from shared.storage.events import publish


def tell(told: Told) -> None:
    """Publish what a chore has done; a repeated event has the same id."""
    began = datetime.fromisoformat(told.round)
    event = HousekeepingDone(id=_identity(told, began), subject=told.chore, time=began, data=told.done)
    name = f"{FOLDER}told/{event.id}.json"
    if not told.done.removed and documents.read(control_container(), name) is not None:
        return
    publish(event)
    if not told.done.removed:
        documents.write(control_container(), name, {"at": told.round})


def _identity(told: Told, began: datetime) -> str:
    if told.done.removed:
        return event_id("housekeeping", told.round, told.chore)
    names = (f"{one.kind} {one.name}" for one in told.done.failed)
    return event_id("housekeeping", f"{began:%Y-%m-%d}", told.chore, *names)
