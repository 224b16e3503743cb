"""The vault's part: validate, start the restore once and only once, look at operations and jobs."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.answers import answering
from shared.contracts.vaultjobs import BackupJob, Operation, RestoreOrder
from shared.contracts.watch import Sighting
from shared.datasources import in_the_way, refuse_when_busy
from shared.decisions import require_running
from shared.errors import OperationGone, VaultBusy, VaultRefused
from shared.storage.ledger import Ledger
from shared.vault import jobs, operations, recovery_points

_log = logging.getLogger(__name__)

SHOWS_UP_WITHIN = timedelta(seconds=30)
"""A backup job appears in the vault's list within a second of its request (recorded traffic of 2024); this is ample.

It is also longer than the request itself may take, so that no two are on their way at once.
"""


@answering
def start_validation(subject: dict[str, Any]) -> Operation:
    """Ask the service whether it would accept the restore. Asking twice does no harm."""
    return operations.start_validation(RestoreOrder.from_wire(subject))


@answering
def check_operation(subject: dict[str, Any]) -> Sighting:
    """Look at a validation. That the datasource is busy is no verdict on the restore, which waits for it later."""
    try:
        return operations.look(Operation.from_wire(subject))
    except VaultBusy as error:
        refuse_when_busy([error.text])
        return Sighting(ended=True, status=error.text)


@answering
def start_restore(subject: dict[str, Any]) -> Sighting:
    """Start the restore as files, unless an earlier attempt did; ends with `{"jobId": …}` once its job is known.

    The job is looked for also while its operation runs, and when nobody knows that any more. A vault that is busy with
    another job of the datasource is no failure, unless restores are not to wait: the next sighting asks again.
    """
    order = RestoreOrder.from_wire(subject)
    ledger = Ledger(order.request_id)
    operation = ledger.read("restore-operation", Operation)
    try:
        sighting = _look(operation) if operation is not None else None
        if sighting is not None and sighting.ended and sighting.value["jobId"]:
            return sighting
        if job := jobs.find(order):
            return Sighting(ended=True, value={"jobId": job})
        if sighting is not None and not sighting.ended:
            return sighting
        if operation is not None or not _may_ask(ledger):
            return Sighting(ended=False, status="the vault was asked: waiting for its job to show up")
        require_running(ledger)  # after the claim: whoever clears up waits for what may come of one
        operation = operations.start_restore(order)
    except VaultBusy as error:
        return _not_yet(order, ledger, error)
    except VaultRefused as error:
        _forget_asking(ledger)
        raise _explained(order, error) from error
    ledger.write("restore-operation", operation)
    return Sighting(ended=False, status="accepted", retry_after=operation.retry_after)


def _look(operation: Operation) -> Sighting:
    """Look at a restore's operation. One that nobody knows any more may have led to a job: nobody asks for another."""
    try:
        return operations.look(operation)
    except OperationGone as error:
        return Sighting(ended=False, status=f"{error.text} Waiting for its job to show up")


def _not_yet(order: RestoreOrder, ledger: Ledger, error: VaultBusy) -> Sighting:
    """The vault is busy: with our own job, should an earlier answer have been lost, or with somebody else's."""
    _log.info("restore %s is not started yet: %s", order.request_id, error)
    if job := jobs.find(order):
        return Sighting(ended=True, value={"jobId": job})
    _forget_asking(ledger)
    refuse_when_busy(in_the_way(order.instance, order.request_id) or [error.text])
    return Sighting(ended=False, status=error.text, retry_after=error.retry_after)


def _explained(order: RestoreOrder, error: VaultRefused) -> VaultRefused:
    """The refusal, with its reason where the service's own words hide it."""
    if recovery_points.still_there(order.instance, order.recovery_point):
        return error
    return VaultRefused(
        f"Recovery point {order.recovery_point} of {order.instance.server} is gone: it has expired since the plan was "
        f"made. Nothing was touched; send a request for another one. {error.text}"
    )


def _forget_asking(ledger: Ledger) -> None:
    ledger.delete("restore-operation")
    ledger.delete("restore-asked")


def _may_ask(ledger: Ledger) -> bool:
    """Whether nobody has asked, or so long ago that a job would be there by now."""
    now = datetime.now(UTC)
    claim = {"at": now.isoformat()}
    if ledger.claim("restore-asked", claim):
        return True
    asked = datetime.fromisoformat(str((ledger.read("restore-asked") or claim)["at"]))
    if now - asked < SHOWS_UP_WITHIN:
        return False
    _log.warning("restore %s was asked for at %s and no job has come of it; asking again", ledger.request_id, asked)
    ledger.write("restore-asked", claim)
    return True


@answering
def check_job(subject: dict[str, Any]) -> Sighting:
    """Look at a backup job."""
    return jobs.look(BackupJob.from_wire(subject))


@answering
def find_job(subject: dict[str, Any]) -> Sighting:
    """Look for the job that a restore has asked for; ends with its id, or with None when none has come of it."""
    order = RestoreOrder.from_wire(subject)
    ledger = Ledger(order.request_id)
    asked, operation = ledger.read("restore-asked"), ledger.read("restore-operation", Operation)
    running = operation is not None and not _has_ended(operation)
    if job := jobs.find(order):
        return Sighting(ended=True, value={"jobId": job})
    if running:
        return Sighting(ended=False, status="the vault has accepted the restore")
    too_late = asked is None or datetime.now(UTC) - datetime.fromisoformat(asked["at"]) >= SHOWS_UP_WITHIN
    return Sighting(ended=too_late, status="no job has shown up", value={"jobId": None})


def _has_ended(operation: Operation) -> bool:
    """Whether an operation has ended, well or not."""
    try:
        return _look(operation).ended
    except (VaultBusy, VaultRefused) as error:
        _log.info("the vault did not start the restore: %s", error.text)
        return True
