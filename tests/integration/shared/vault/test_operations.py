"""Validation and restore as operations: asked for without waiting, looked at until they end."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from local.vault.arm import now
from local.vault.faults import JobFault, RequestFault
from local.vault.process import VaultProcess
from local.vault.state import State
from shared.contracts.vaultjobs import Operation, RestoreOrder
from shared.contracts.watch import Sighting
from shared.errors import PermanentError, ServiceBusy, VaultBusy, VaultRefused
from shared.topology import LANDING_STORAGE
from shared.vault import operations

type Ended = Callable[[Operation], Sighting]


def test_a_validation_that_succeeds_ends_without_a_job(order: RestoreOrder, ended: Ended) -> None:
    operation = operations.start_validation(order)

    assert operation.url.startswith("http")
    assert operation.retry_after == 1
    assert ended(operation) == Sighting(ended=True, status="Succeeded", value={"jobId": None})


def test_a_restore_ends_with_the_bare_id_of_its_job(vault: VaultProcess, order: RestoreOrder, ended: Ended) -> None:
    job_id = ended(operations.start_restore(order)).value["jobId"]
    job = State(vault.config.state).jobs.get(job_id)

    assert job is not None
    assert job.target is not None
    assert (job.point, job.target.container) == (order.recovery_point, "landing-1")
    assert job.target.prefix == f"flex-restore-{order.request_id}"


def test_an_operation_is_seen_running_until_it_ends(vault: VaultProcess, order: RestoreOrder) -> None:
    """The service says "Inprogress", with a small p."""
    operation = operations.start_validation(order)
    kept = State(vault.config.state).operations
    newest = max(kept, key=lambda one: one.start)

    kept.put(newest.id, newest.model_copy(update={"end": now() + timedelta(hours=1)}))
    running = operations.look(operation)
    kept.put(newest.id, newest.model_copy(update={"end": now()}))

    assert (running.ended, running.status) == (False, "Inprogress")
    assert operations.look(operation).ended


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"container": "landing-9"}, "The specified container does not exist"),
        ({"recovery_point": "0" * 32}, "There is no recovery point"),
    ],
)
def test_a_refused_validation_speaks_with_the_services_words(
    order: RestoreOrder, ended: Ended, change: dict[str, str], words: str
) -> None:
    operation = operations.start_validation(order.model_copy(update=change))

    with pytest.raises(VaultRefused, match=words) as refused:
        ended(operation)
    assert refused.value.text.startswith("UserErrorInvalidRestoreRequest: Restore operation failed due to invalid")
    assert "Please ensure parameters provided to restore operation are valid." in refused.value.text


def test_a_missing_role_is_told_with_what_the_service_recommends(
    order: RestoreOrder, ended: Ended, configure: Callable[..., None]
) -> None:
    address = "DefaultEndpointsProtocol=https;AccountName=norole;AccountKey=a2V5;EndpointSuffix=core.windows.net"
    configure(**{LANDING_STORAGE: address})
    operation = operations.start_validation(order)

    with pytest.raises(VaultRefused) as refused:
        ended(operation)
    assert refused.value.text.startswith("UserErrorMSIMissingPermissions: Backup vault is missing")
    for words in ("Grant appropriate access permissions", "does not have authorization to perform action"):
        assert refused.value.text.count(words) == 1


def test_an_order_that_the_service_does_not_even_accept_is_refused(order: RestoreOrder) -> None:
    nowhere = order.model_copy(update={"instance": order.instance.model_copy(update={"name": "nowhere"})})

    with pytest.raises(VaultRefused, match="While asking for validateRestore of nowhere: ResourceNotFound"):
        operations.start_validation(nowhere)


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("action", [operations.start_validation, operations.start_restore])
def test_a_service_that_throttles_or_breaks_down_means_try_again(
    vault: VaultProcess, order: RestoreOrder, action: Callable[[RestoreOrder], Operation], status: int
) -> None:
    vault.inject(RequestFault.model_validate({"status": status, "path": "restore"}))

    with pytest.raises(ServiceBusy) as busy:
        action(order)
    assert not isinstance(busy.value, VaultBusy | PermanentError)
    assert not State(vault.config.state).running_jobs()


@pytest.mark.parametrize("status", [429, 503])
def test_a_status_that_cannot_be_read_means_look_again(
    vault: VaultProcess, order: RestoreOrder, ended: Ended, status: int
) -> None:
    operation = operations.start_validation(order)
    vault.inject(RequestFault.model_validate({"status": status, "path": "operationStatus"}))

    with pytest.raises(ServiceBusy, match="While reading the status of an operation"):
        operations.look(operation)
    vault.clear_faults()
    assert ended(operation).ended


def test_a_service_that_is_gone_means_try_again(vault: VaultProcess, order: RestoreOrder) -> None:
    vault.stop()
    try:
        with pytest.raises(ServiceBusy, match="did not answer"):
            operations.start_restore(order)
    finally:
        vault.restart()


def test_another_job_of_the_datasource_means_that_another_moment_is_better(
    vault: VaultProcess, order: RestoreOrder, ended: Ended
) -> None:
    vault.inject(JobFault(outcome="Hang"))
    assert ended(operations.start_restore(order)).value["jobId"]
    second = operations.start_restore(order.model_copy(update={"request_id": "somebody-else"}))

    with pytest.raises(VaultBusy, match="maximum number of allowed concurrent operations"):
        ended(second)
