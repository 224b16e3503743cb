"""Landing containers: reserve one, survey what has landed, close and release it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from activities.answers import answering
from shared.contracts.base import Json
from shared.contracts.files import FileKind, Listing
from shared.contracts.importing import LandingRef, Survey
from shared.contracts.progress import Phase, RestoreProgress
from shared.contracts.watch import Sighting
from shared.errors import LandingFailed
from shared.settings import settings
from shared.storage import landing, reservations
from shared.storage.ledger import Ledger
from shared.survey import survey

_KEEP_FILES = frozenset({Phase.FAILED, Phase.PARTIALLY_FAILED, Phase.CANCELLED})
"""After these, the files stay: they can be imported again without another restore."""


@answering
def reserve_landing(subject: dict[str, Any]) -> Sighting:
    """Reserve a free landing container, or say why none is free."""
    reservation, reasons = reservations.reserve(subject["requestId"])
    if reservation is None:
        return Sighting(ended=False, status="; ".join(reasons))
    return Sighting(ended=True, value={"container": reservation.container})


@answering
def survey_landing(subject: dict[str, Any]) -> Survey:
    """What has landed, and what the request says about each file."""
    where = LandingRef.from_wire(subject)
    listing = _listing(where)
    ledger = Ledger(where.request_id)
    ledger.write("listing", listing)
    if (marker := listing.of(FileKind.MARKER)) and ledger.read("marker") is None:
        ledger.write("marker", landing.read_marker(where.container, marker).to_wire())
    return survey(listing, ledger.plan().request)


def _listing(where: LandingRef) -> Listing:
    held = reservations.read(where.container) if where.reserved else None
    closed = held is None or held.request_id != where.request_id or held.closed
    return landing.list_files(where.container, where.backup_name, closed=closed)


@answering
def settle_landing(subject: dict[str, Any]) -> Sighting:
    """Whether somebody else's restore has stopped writing: nothing has landed for a while, by the service's clock."""
    where = LandingRef.from_wire(subject)
    newest = landing.newest_change(where.container, where.backup_name)
    if newest is None:
        raise LandingFailed(f"{where.container} holds no file of backup {where.backup_name!r}.")
    quiet = datetime.now(UTC) - newest
    settled = quiet >= timedelta(seconds=settings().settle_seconds)
    return Sighting(ended=settled, status=f"the last file landed {quiet.total_seconds():.0f} s ago")


@answering
def close_landing(subject: dict[str, Any]) -> None:
    """The backup job has ended: nothing more will land."""
    where = LandingRef.from_wire(subject)
    reservations.close(where.container, where.request_id)


@answering
def release_landing(subject: dict[str, Any]) -> Json:
    """Delete the files of a restore that is done with them, and give its container back."""
    request_id = subject["requestId"]
    container = reservations.owned_by(request_id)
    if container is None:
        return {"deleted": 0}
    listing = Ledger(request_id).read("listing", Listing)
    deleted = 0
    if listing is not None and RestoreProgress.from_wire(subject["progress"]).phase not in _KEEP_FILES:
        landing.delete_files(listing)
        deleted = len(listing.files)
    reservations.release(container, request_id)
    return {"deleted": deleted}
