"""Landing containers: reserve one, survey what has landed, close and release it."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from activities.answers import answering
from shared import datasources
from shared.contracts.base import Json
from shared.contracts.files import FileKind, Listing, Reservation
from shared.contracts.importing import LandingRef, Survey
from shared.contracts.plan import BackupInstanceRef
from shared.contracts.progress import Phase
from shared.contracts.request import Mode, Priority
from shared.contracts.watch import Sighting
from shared.decisions import require_running
from shared.errors import FileChanged, LandingFailed, RestoreEnded, UnreadableFile
from shared.leftovers import done_with
from shared.postgres.archive import inspect
from shared.settings import settings
from shared.storage import landing, reservations, waiting
from shared.storage.landing import BlobFile
from shared.storage.ledger import Ledger, remember_set, use_set
from shared.storage.waiting import Wait
from shared.survey import survey
from shared.targets import toolbox
from shared.topology import SYSTEM_DATABASES

_log = logging.getLogger(__name__)


@answering
def reserve_landing(subject: dict[str, Any]) -> Sighting:
    """Reserve a free landing container for a free datasource, or say why one is not free, or who is first."""
    wanted = partial(require_running, Ledger(subject["requestId"]))
    try:
        reserved = _reserve(subject, wanted)
        if isinstance(reserved, Wait):
            wanted()
    except RestoreEnded:
        waiting.leave_all(subject["requestId"])  # who comes late holds up nobody in a line
        raise
    if isinstance(reserved, Wait):
        return Sighting(ended=False, status="; ".join(reserved.reasons), retry_after=reserved.retry_after)
    return Sighting(ended=True, value={"container": reserved.container})


def _reserve(subject: dict[str, Any], wanted: Callable[[], None]) -> Reservation | Wait:
    request_id, priority, full = subject["requestId"], Priority(subject["priority"]), subject["mode"] == Mode.FULL
    if "instance" not in subject:  # a wait that began before this version knows of no datasource
        return reservations.reserve(request_id, priority, imported=full, still_wanted=wanted)
    instance = BackupInstanceRef.from_wire(subject["instance"])
    if reservations.standing(request_id) is None and (wait := datasources.wait_for(instance, request_id, priority)):
        return wait
    reserved = reservations.reserve(
        request_id, priority, imported=full, datasource=instance.datasource_id, still_wanted=wanted
    )
    if isinstance(reserved, Wait) or reserved.final:
        return reserved
    return datasources.settle(reserved, instance)


@answering
def survey_landing(subject: dict[str, Any]) -> Survey:
    """What has landed, and what the request says about each file."""
    where = LandingRef.from_wire(subject)
    ledger = Ledger(where.request_id)
    require_running(ledger)
    listing = _latest_listing(where, ledger)
    if listing.backup_name:
        (remember_set if where.reserved else use_set)(where.container, listing.backup_name, where.request_id)
    _check_tools(where.container, listing, ledger)
    _keep_marker(where.container, listing, ledger)
    return survey(listing, ledger.plan().request)


def _latest_listing(where: LandingRef, ledger: Ledger) -> Listing:
    """What lies there now, recorded; a look that was taken before somebody else's is not recorded after it."""
    while True:
        _, version = ledger.read_version("listing")
        listing = _listing(where)
        if ledger.replace_version("listing", version, listing):
            return listing


def _listing(where: LandingRef) -> Listing:
    if not where.reserved:
        return landing.list_files(where.container, where.backup_name, closed=True)
    held = reservations.read(where.container)
    if held is None or held.request_id != where.request_id:
        raise LandingFailed(f"Restore {where.request_id} does not own {where.container} any more.")
    return landing.list_files(where.container, where.backup_name, closed=held.closed)


def _keep_marker(container: str, listing: Listing, ledger: Ledger) -> None:
    """Read the marker once; one that is being written again is left to the next look: only the report needs it."""
    marker = listing.of(FileKind.MARKER)
    if marker is None or ledger.read("marker") is not None:
        return
    try:
        ledger.write("marker", landing.read_marker(container, marker).to_wire())
    except (FileChanged, LandingFailed) as error:
        _log.info("the marker is left to the next look: %s", error)


def _check_tools(container: str, listing: Listing, ledger: Ledger) -> None:
    """Refuse tools that are too old for the archives before anything is touched: one backup has one pg_dump."""
    first = next((file for file in listing.databases if file.database not in SYSTEM_DATABASES), None)
    if first is None or ledger.read("tools") is not None:
        return
    try:
        archive = inspect(BlobFile(container, first), toolbox())
    except (FileChanged, LandingFailed, UnreadableFile) as error:
        _log.info("%s is left to its import: %s", first.name, error)
        return
    ledger.write("tools", {"pgRestore": str(archive.toolbox.pg_restore)})


@answering
def settle_landing(subject: dict[str, Any]) -> Sighting:
    """Whether somebody else's restore has stopped writing: nothing has landed for a while, by the service's clock."""
    where = LandingRef.from_wire(subject)
    if (held := reservations.read(where.container)) is not None:
        return Sighting(ended=False, status=f"restore {held.request_id} has the vault write into {where.container}")
    newest = landing.newest_change(where.container, where.backup_name)
    if newest is None:
        raise LandingFailed(f"{where.container} holds no file of backup {where.backup_name!r}.")
    if unfinished := landing.unfinished(where.container, where.backup_name):
        return Sighting(ended=False, status=f"{unfinished[0]} is still being written: it is empty or not copied yet")
    quiet = datetime.now(UTC) - newest
    settled = quiet >= timedelta(seconds=settings().settle_seconds)
    return Sighting(ended=settled, status=f"the last file landed {quiet.total_seconds():.0f} s ago")


@answering
def close_landing(subject: dict[str, Any]) -> Json:
    """The backup job has ended: nothing more will land, and the datasource is free; where others wait for it."""
    where = LandingRef.from_wire(subject)
    reservations.close(where.container, where.request_id)
    return {"lines": _before_datasources(where.request_id)}


@answering
def release_landing(subject: dict[str, Any]) -> Json:
    """Delete the files that nobody needs any more, and give up what the restore has reserved; where others wait."""
    request_id, phase, brought = subject["requestId"], Phase(subject["phase"]), subject["brought"]
    leftovers = done_with(request_id, phase, brought)
    containers = reservations.owned_by(request_id)
    # Once it is given back, what lies there is another restore's: a repeated activity leaves it.
    if leftovers is not None and (leftovers.backup_name or brought in containers):
        landing.delete_files(leftovers)
    lines = [waiting.LANDING, *_before_datasources(request_id)]
    waiting.leave_all(request_id)
    for container in containers:
        reservations.release(container, request_id)
    return {"lines": lines, "containers": containers}


def _before_datasources(request_id: str) -> list[str]:
    """The lines before the datasources that the restore has reserved containers for."""
    mine = {held.datasource for held in reservations.every() if held.request_id == request_id}
    return sorted(waiting.before(datasource) for datasource in mine if datasource)
