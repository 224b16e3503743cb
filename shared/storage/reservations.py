"""Reservations: one restore at a time owns a landing container while the vault writes into it.

The vault writes fixed names and its only recovery option is FailIfExists, so two restores in one container would
destroy each other's chance. A reservation is a document created with `If-None-Match: *` in the control container.
"""

from shared.contracts.files import Reservation
from shared.contracts.request import Priority
from shared.storage import documents, landing, waiting
from shared.storage.accounts import control_container
from shared.storage.waiting import Wait
from shared.topology import LANDING_CONTAINERS


def _document(container: str) -> str:
    return f"reservations/{container}.json"


def address(container: str) -> str:
    """Where the reservation of a container lies."""
    return str(control_container().get_blob_client(_document(container)).url)


def read(container: str) -> Reservation | None:
    """Who owns the container; None when nobody does."""
    document = documents.read(control_container(), _document(container))
    return None if document is None else Reservation.from_wire(document)


def reserve(request_id: str, priority: Priority = Priority.NORMAL, *, imported: bool = True) -> Reservation | Wait:
    """The container that this restore owns now or already, or why it has to wait.

    Restores that wait are served by their priority, and within it in the order in which they came.
    """
    for owned in owned_by(request_id)[:1]:
        waiting.leave(waiting.LANDING, request_id)
        if reservation := read(owned):
            return reservation
    first = waiting.join(waiting.LANDING, request_id, priority)
    if len(first) >= len(LANDING_CONTAINERS):
        return Wait((f"{len(first)} restores are first, the next of them {first[0]}",), len(first))
    free, reasons, owners = _free()
    first = [other for other in first if other not in owners]
    if len(first) >= len(free):
        return Wait((*reasons, *(f"restore {other} is first" for other in first)), len(first))
    for container in free:
        reservation = Reservation(container=container, request_id=request_id, imported=imported)
        # Whose it is when the answer to a first try was lost, only the document tells.
        standing = documents.create_or_read(control_container(), _document(container), reservation.to_wire())
        if standing is not None and standing["requestId"] == request_id:
            waiting.leave(waiting.LANDING, request_id)
            return Reservation.from_wire(standing)
    return Wait(("somebody else was faster",), len(first))


def _free() -> tuple[list[str], list[str], set[str]]:
    """The containers that nobody owns and that hold no files, why the others are not free, and who owns them."""
    free, reasons, owners = [], [], set()
    for container in LANDING_CONTAINERS:
        leftovers = landing.restored_files(container)
        if (standing := read(container)) is not None:
            owners.add(standing.request_id)
            reasons.append(f"{container} is reserved by restore {standing.request_id}")
        elif leftovers:
            reasons.append(_occupied(container, len(leftovers), leftovers[0].name))
        else:
            free.append(container)
    return free, reasons, owners


def _occupied(container: str, count: int, first: str) -> str:
    return (
        f"{container} holds {count} restored file(s), {first} first: delete them, "
        "or import them with a request whose source names this container"
    )


def close(container: str, request_id: str) -> None:
    """Record that the backup job has ended: nothing more will land for this restore."""
    document, version = documents.read_version(control_container(), _document(container))
    if document is not None and document["requestId"] == request_id and not document["closed"]:
        closed = Reservation.from_wire(document).model_copy(update={"closed": True})
        documents.replace_version(control_container(), _document(container), version, closed.to_wire())


def release(container: str, request_id: str) -> None:
    """Give the container back, if this restore owns it."""
    document, version = documents.read_version(control_container(), _document(container))
    if document is not None and document["requestId"] == request_id:
        documents.delete_version(control_container(), _document(container), version)


def owned_by(request_id: str) -> list[str]:
    """The containers that the restore owns: one, or two when attempts to reserve overlapped, or none."""
    held = (read(container) for container in LANDING_CONTAINERS)
    return [one.container for one in held if one is not None and one.request_id == request_id]
