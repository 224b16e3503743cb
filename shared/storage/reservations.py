"""Reservations: one restore at a time owns a landing container while the vault writes into it.

The vault writes fixed names and its only recovery option is FailIfExists, so two restores in one container would
destroy each other's chance. A reservation is a document created with `If-None-Match: *` in the control container.
"""

from collections.abc import Callable

from shared.contracts.files import Reservation
from shared.contracts.request import Priority
from shared.errors import PermanentError
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


def reserve(
    request_id: str,
    priority: Priority = Priority.NORMAL,
    *,
    imported: bool = True,
    datasource: str = "",
    still_wanted: Callable[[], None] = lambda: None,
) -> Reservation | Wait:
    """The container that this restore owns now or already, or why it has to wait.

    Restores that wait are served by their priority, and within it in the order in which they came. `still_wanted`
    raises when the restore has ended: it is asked once more when a container was reserved, so that whoever comes late
    takes none that nobody would give back.
    """
    if (owned := standing(request_id)) is not None:
        waiting.leave(waiting.LANDING, request_id)
        return owned
    first = waiting.join(waiting.LANDING, request_id, priority)
    if len(first) >= len(LANDING_CONTAINERS):
        return Wait((f"{len(first)} restores are first, the next of them {first[0]}",), len(first))
    free, reasons, owners = _free()
    first = [other for other in first if other not in owners]
    if len(first) >= len(free):
        return Wait((*reasons, *(f"restore {other} is first" for other in first)), len(first))
    for container in free:
        reservation = Reservation(
            container=container, request_id=request_id, imported=imported, datasource=datasource.lower()
        )
        created = documents.create(control_container(), _document(container), reservation.to_wire())
        if created:
            _require_wanted(reservation, still_wanted)
        # Whose it is when the answer to a first try was lost, only the documents tell.
        held = owned_by(request_id)
        if held and created and container != held[0]:
            release(container, request_id)  # an attempt that ran at the same time took another one
        if held and (stands := read(held[0])):
            waiting.leave(waiting.LANDING, request_id)
            return stands
    return Wait(("somebody else was faster",), len(first))


def _require_wanted(reservation: Reservation, still_wanted: Callable[[], None]) -> None:
    try:
        still_wanted()
    except PermanentError:
        release(reservation.container, reservation.request_id)
        raise


def _free() -> tuple[list[str], list[str], set[str]]:
    """The containers that nobody owns and that hold no files, why the others are not free, and who owns them."""
    free, reasons, owners = [], [], set()
    for container in LANDING_CONTAINERS:
        if (held := read(container)) is not None:
            owners.add(held.request_id)
            reasons.append(f"{container} is reserved by restore {held.request_id}")
        elif leftovers := landing.restored_files(container):
            reasons.append(_occupied(container, len(leftovers), leftovers[0].name))
        else:
            free.append(container)
    return free, reasons, owners


def _occupied(container: str, count: int, first: str) -> str:
    return (
        f"{container} holds {count} restored file(s), {first} first: delete them, "
        "or import them with a request whose source names this container"
    )


def settle(container: str, request_id: str) -> bool:
    """Make the reservation final; whether it is."""
    return _change(container, request_id, "final")


def withdraw(container: str, request_id: str) -> None:
    """Give the container back, unless the reservation is final."""
    document, version = documents.read_version(control_container(), _document(container))
    if document is not None and document["requestId"] == request_id and not Reservation.from_wire(document).final:
        documents.delete_version(control_container(), _document(container), version)


def close(container: str, request_id: str) -> None:
    """Record that the backup job has ended: nothing more will land for this restore."""
    _change(container, request_id, "closed")


def _change(container: str, request_id: str, flag: str) -> bool:
    """Set a flag of the restore's reservation; whether it is set."""
    document, version = documents.read_version(control_container(), _document(container))
    if document is None or document["requestId"] != request_id:
        return False
    changed = Reservation.from_wire(document).model_copy(update={flag: True}).to_wire()
    return document == changed or documents.replace_version(control_container(), _document(container), version, changed)


def release(container: str, request_id: str) -> None:
    """Give the container back, if this restore owns it."""
    document, version = documents.read_version(control_container(), _document(container))
    if document is not None and document["requestId"] == request_id:
        documents.delete_version(control_container(), _document(container), version)


def every() -> list[Reservation]:
    """The reservations that stand."""
    return [held for container in LANDING_CONTAINERS if (held := read(container)) is not None]


def standing(request_id: str) -> Reservation | None:
    """The reservation of a restore, if it has one."""
    return next((held for held in every() if held.request_id == request_id), None)


def owned_by(request_id: str) -> list[str]:
    """The containers that the restore owns: one, or two when attempts to reserve overlapped, or none."""
    return [held.container for held in every() if held.request_id == request_id]
