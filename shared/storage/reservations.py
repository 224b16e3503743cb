"""Reservations: one restore at a time owns a landing container while the vault writes into it.

The vault writes fixed names and its only recovery option is FailIfExists, so two restores in one container would
destroy each other's chance. A reservation is a document created with `If-None-Match: *` in the control container.
"""

from collections.abc import Iterable

from shared.contracts.files import Reservation
from shared.storage import documents, landing
from shared.storage.accounts import control_container
from shared.topology import LANDING_CONTAINERS


def _document(container: str) -> str:
    return f"reservations/{container}.json"


def read(container: str) -> Reservation | None:
    """Who owns the container; None when nobody does."""
    document = documents.read(control_container(), _document(container))
    return None if document is None else Reservation.from_wire(document)


def reserve(request_id: str) -> tuple[Reservation | None, list[str]]:
    """The container that this restore owns now or already, else None with the reason for each container."""
    for held in filter(None, map(read, LANDING_CONTAINERS)):
        if held.request_id == request_id:
            return held, []
    reasons = []
    for container in LANDING_CONTAINERS:
        reservation = Reservation(container=container, request_id=request_id)
        standing = Reservation.from_wire(
            documents.create_or_read(control_container(), _document(container), reservation.to_wire())
        )
        if standing.request_id != request_id:
            reasons.append(f"{container} is reserved by restore {standing.request_id}")
            continue
        leftovers = [file.name for file in landing.restored_files(container)]
        if not leftovers:
            return standing, []
        release(container, request_id)
        reasons.append(
            f"{container} holds {len(leftovers)} restored file(s), {leftovers[0]} first: import them with a request "
            "whose source names this container, or delete them"
        )
    return None, reasons


def close(container: str, request_id: str) -> None:
    """Record that the backup job has ended: nothing more will land for this restore."""
    reservation = read(container)
    if reservation is not None and reservation.request_id == request_id and not reservation.closed:
        closed = reservation.model_copy(update={"closed": True})
        documents.write(control_container(), _document(container), closed.to_wire())


def release(container: str, request_id: str) -> None:
    """Give the container back, if this restore owns it."""
    reservation = read(container)
    if reservation is not None and reservation.request_id == request_id:
        documents.delete(control_container(), _document(container))


def owned_by(request_id: str, containers: Iterable[str] = LANDING_CONTAINERS) -> str | None:
    """The container that the restore owns, if any."""
    held = (read(container) for container in containers)
    return next((one.container for one in held if one is not None and one.request_id == request_id), None)
