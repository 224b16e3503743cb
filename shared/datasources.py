"""Datasources: one restore at a time, whether the vault has started its job already or not.

The vault refuses a second job on a datasource (`UserErrorMaxConcurrentOperationLimitReached`). Who waits for a
datasource does so before a landing container is reserved, so that it holds none meanwhile.
"""

from shared.contracts.files import Reservation
from shared.contracts.plan import BackupInstanceRef
from shared.contracts.request import Priority
from shared.decisions import end
from shared.errors import DatasourceBusy
from shared.settings import settings
from shared.storage import reservations, waiting
from shared.storage.ledger import Ledger
from shared.storage.waiting import Wait
from shared.vault import jobs


def in_the_way(instance: BackupInstanceRef, request_id: str) -> list[str]:
    """What runs on the datasource, or is about to, besides this restore itself; for people."""
    return [f"{job} runs on {instance.server}" for job in jobs.running(instance, besides=request_id)] + [
        f"restore {other} is about to restore {instance.server}" for other in _about_to(instance, request_id)
    ]


def _about_to(instance: BackupInstanceRef, request_id: str) -> list[str]:
    """Restores that hold a container for the datasource. One that has ended counts no more: the vault's list tells."""
    return [
        held.request_id
        for held in reservations.every()
        if held.datasource == instance.datasource_id.lower()
        and held.request_id != request_id
        and not held.closed
        and end(Ledger(held.request_id)) is None
    ]


def wait_for(instance: BackupInstanceRef, request_id: str, priority: Priority) -> Wait | None:
    """Why the restore has to wait for its datasource; None when it is its turn.

    Raises:
        DatasourceBusy: something is in the way, and restores are not to wait.
    """
    first = waiting.join(waiting.before(instance.datasource_id), request_id, priority)
    # Who is not first need not ask the vault, unless it is to be rejected.
    reasons = [] if first and settings().busy_datasource == "wait" else in_the_way(instance, request_id)
    refuse_when_busy(reasons)
    if not (reasons or first):
        return None
    waiting.leave(waiting.LANDING, request_id)  # others may pass
    before = [f"restore {other} is first" for other in first[: waiting.CALLED]]
    return Wait((*reasons, *before), len(first))


def settle(reservation: Reservation, instance: BackupInstanceRef) -> Reservation | Wait:
    """Make a reservation final, or withdraw it because others have reserved for the datasource at the same moment.

    Two that see each other both withdraw: at their next look the line says who is first.
    """
    container, request_id = reservation.container, reservation.request_id
    if others := _about_to(instance, request_id):
        reservations.withdraw(container, request_id)
        return Wait(tuple(f"restore {other} wants {instance.server}, too" for other in others), 0)
    if not reservations.settle(container, request_id):
        return Wait((f"{container} was given away",), 0)
    waiting.leave_all(request_id)
    return reservation


def refuse_when_busy(reasons: list[str]) -> None:
    """Refuse to wait, where the operator wants that.

    Raises:
        DatasourceBusy: there are reasons to wait.
    """
    if reasons and settings().busy_datasource == "fail":
        raise DatasourceBusy(
            f"{'; '.join(reasons)}. Send the request again when that has ended, or let restores wait with "
            "FLEX_RESTORE_BUSY_DATASOURCE=wait."
        )
