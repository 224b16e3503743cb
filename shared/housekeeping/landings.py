"""Landing containers whose restore is gone: reserved by it, and nothing works for it any more."""

import logging
from collections.abc import Iterator

from shared.contracts.files import Listing
from shared.contracts.housekeeping import Abandoned, Item, Kind
from shared.contracts.plan import Plan
from shared.contracts.progress import Phase
from shared.contracts.vaultjobs import RestoreOrder
from shared.errors import LandingFailed
from shared.housekeeping.census import Census
from shared.leftovers import done_with
from shared.storage import landing, reservations, waiting
from shared.storage.ledger import Ledger, remember_set

_log = logging.getLogger(__name__)


def held(container: str) -> Abandoned | None:
    """The reservation of a container by a restore that is over, with what the vault may have been asked for."""
    reservation = reservations.read(container)
    if reservation is None or (census := Census.take()).runs(reservation.request_id):
        return None
    row = census.rows.get(reservation.request_id)
    plan = Ledger(reservation.request_id).read("plan", Plan)
    order = None
    if plan is not None and plan.instance is not None and plan.recovery_point is not None:
        order = RestoreOrder(
            request_id=reservation.request_id,
            instance=plan.instance,
            recovery_point=plan.recovery_point.id,
            container=container,
        )
    return Abandoned(
        container=container,
        request_id=reservation.request_id,
        phase=row.phase if row is not None else Phase.FAILED,
        order=order,
    )


def look(abandoned: Abandoned, *, brought: bool) -> Iterator[Item]:
    """What the restore did not come to give up: files that its job brought and nobody needs, and the container.

    The files are listed before it is seen whether the container is still reserved: so none is of a later owner.
    """
    container, request_id, order = abandoned.container, abandoned.request_id, abandoned.order
    leftovers = done_with(request_id, abandoned.phase, container if brought else "")
    if container not in reservations.owned_by(request_id):
        return
    if leftovers is not None and leftovers.files:
        yield Item(
            kind=Kind.FILES,
            name=f"files in {leftovers.container}",
            restores=(request_id,),
            why=f"the restore has ended as {abandoned.phase}",
            count=len(leftovers.files),
            facts=leftovers.to_wire(),
        )
    unclear = (
        f"Nothing is known of restore {request_id}, which has reserved {container}: when no backup job writes into it, "
        f"delete {reservations.address(container)}."
    )
    yield Item(
        kind=Kind.RESERVATION,
        name=f"reservation of {container}",
        restores=(request_id,),
        why="nothing works for the restore any more, and its backup job has ended",
        facts={"container": container, "brought": brought, "leftovers": leftovers and leftovers.to_wire()},
        lines=(waiting.LANDING, *([waiting.before(order.instance.datasource_id)] if order else [])),
        problem="" if order else unclear,
    )


def remove(item: Item) -> bool:
    """Delete the files, or release the container; what its job brought is on record then."""
    if item.kind is Kind.FILES:
        landing.delete_files(Listing.from_wire(item.facts))
        return True
    container, (request_id,) = item.facts["container"], item.restores
    if (leftovers := item.facts["leftovers"]) is not None:
        _require_deleted(Listing.from_wire(leftovers))
    if item.facts["brought"] and container in reservations.owned_by(request_id):
        _remember(container, request_id)
    waiting.leave(waiting.LANDING, request_id)
    reservations.release(container, request_id)
    return True


def _require_deleted(listing: Listing) -> None:
    """See to it that no container is given back with files that were to be deleted."""
    gone = {(file.name, file.etag) for file in listing.files}
    if left := [file.name for file in landing.restored_files(listing.container) if (file.name, file.etag) in gone]:
        raise LandingFailed(f"{listing.container} still holds {len(left)} file(s) to be deleted, {left[0]} first.")


def _remember(container: str, request_id: str) -> None:
    """Record what a job has brought, so that its files are known as ours and have their retention."""
    try:
        listing = landing.list_files(container, "", closed=True)
    except LandingFailed as error:
        _log.warning("the files in %s are not recorded: %s", container, error.text)
        return
    if listing.backup_name:
        Ledger(request_id).write("listing", listing)
        remember_set(container, listing.backup_name, request_id)
