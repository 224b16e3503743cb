"""The vault misbehaves while it is looked at: each fault by name, and what the app makes of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.vault.faults import JobFault, OperationFault, RequestFault
from local.vault.process import VaultProcess
from local.vault.state import State
from shared.contracts.vaultjobs import BackupJob, Operation, RestoreOrder
from shared.contracts.watch import Sighting
from shared.errors import BackupJobFailed, OperationGone, ServiceBusy
from shared.vault import clients, instances, jobs, operations, recovery_points

type Wait = Callable[[Callable[[], Any], str], Any]
type Ended = Callable[[Operation], Sighting]
type StartJob = Callable[[], str]

PASSING: dict[str, dict[str, Any]] = {
    "429": {"status": 429},
    "429 with seconds": {"status": 429, "retry_after": 600},
    "429 with a date": {"status": 429, "retry_after": 600, "as_date": True},
    "500": {"status": 500},
    "502": {"status": 502},
    "503 with seconds": {"status": 503, "retry_after": 600},
    "connection reset": {"lost": "reset"},
    "connection reset after the work": {"lost": "reset", "heard": True},
    "no answer": {"lost": "silence"},
    "an answer that is cut off": {"lost": "truncated"},
}
"""What passes; each on the path of whatever is asked for."""
IMPATIENT = 0.3


@pytest.fixture(autouse=True)
def impatience(app: object, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """Time limits are short here."""
    monkeypatch.setattr(clients, "READ_SECONDS", IMPATIENT)
    monkeypatch.setattr(operations, "ASKING_SECONDS", IMPATIENT)
    configure()


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_means_look_again_when_the_service_wants_it(
    vault: VaultProcess, order: RestoreOrder, ended: Ended, wait: Wait, fault: str
) -> None:
    """Jobs, their list, operations, validations, recovery points, instances: no look is a verdict."""
    operation = operations.start_restore(order)
    job = BackupJob(instance=order.instance, job_id=str(ended(operation).value["jobId"]))
    looks: list[Callable[[], object]] = [
        lambda: jobs.look(job),
        lambda: jobs.find(order),
        lambda: jobs.running(order.instance),
        lambda: operations.look(operation),
        lambda: operations.start_validation(order),
        lambda: recovery_points.still_there(order.instance, order.recovery_point),
        lambda: instances.resolve(order.instance.name),
    ]
    for look in looks:
        vault.inject(RequestFault.model_validate(PASSING[fault]))
        with pytest.raises(ServiceBusy) as busy:
            look()
        assert busy.value.retry_after == pytest.approx(PASSING[fault].get("retry_after", 0), abs=5)
        look()
    wait(lambda: jobs.look(job).ended, "the job's end")


@pytest.mark.parametrize("status", [404, 410])
def test_an_operation_that_nobody_knows_any_more_is_gone(vault: VaultProcess, order: RestoreOrder, status: int) -> None:
    vault.inject(OperationFault.model_validate({"action": "validateRestore", "expired": status}))
    operation = operations.start_validation(order)

    with pytest.raises(OperationGone, match=f"HTTP {status}"):
        operations.look(operation)


@pytest.mark.parametrize("how", ["as recorded", "capitals", "bare"])
def test_the_id_of_a_job_is_read_in_any_form(
    vault: VaultProcess, order: RestoreOrder, ended: Ended, wait: Wait, how: str
) -> None:
    vault.inject(OperationFault.model_validate({"job_id": how}))
    job_id = ended(operations.start_restore(order)).value["jobId"]

    assert job_id.lower() == jobs.find(order)
    job = BackupJob(instance=order.instance, job_id=job_id)
    assert wait(lambda: jobs.look(job).value, "the job's end")["status"] == "Completed"


def test_a_job_that_goes_back_to_in_progress_has_ended_when_that_was_seen_first(
    vault: VaultProcess, order: RestoreOrder, start_job: StartJob, wait: Wait
) -> None:
    """Each look tells what the service says; the watch ends with the first end (see its unit test)."""
    vault.inject(JobFault(relapses=2))
    job = BackupJob(instance=order.instance, job_id=start_job())
    wait(lambda: State(vault.config.state).jobs.get(job.job_id).end, "the job's end")  # type: ignore[union-attr]

    seen = [jobs.look(job).status for _ in range(4)]
    assert seen == ["Completed", "InProgress", "InProgress", "Completed"]


CAUSES = (("UserErrorStorage", "The copy failed."), ("AuthorizationFailure", "The firewall refused 10.0.0.4."))
ENDS: dict[str, tuple[dict[str, Any], str]] = {
    "failed": ({"outcome": "Failed", "causes": ()}, "ended as Failed: X: No luck. The service recommends: Open it."),
    "failed with nested details": (
        {"outcome": "Failed", "causes": CAUSES},
        (
            "ended as Failed: X: No luck. The cause: AuthorizationFailure: The firewall refused 10.0.0.4. "
            "The service recommends: Refer https://aka.ms/AzureBackupTroubleshootFailures for more details. Open it."
        ),
    ),
    "cancelled": (
        {"outcome": "Cancelled", "causes": ()},
        "ended as Cancelled: X: No luck. The service recommends: Open it.",
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_job_without_files_says_the_innermost_cause_and_what_to_do(
    vault: VaultProcess, order: RestoreOrder, start_job: StartJob, wait: Wait, end: str
) -> None:
    changes, text = ENDS[end]
    vault.inject(JobFault.model_validate({"code": "X", "message": "No luck.", "action": "Open it.", **changes}))
    job = BackupJob(instance=order.instance, job_id=start_job())

    with pytest.raises(BackupJobFailed) as failed:
        wait(lambda: jobs.look(job).ended, "the job's end")
    assert failed.value.text == f"Backup job {job.job_id} {text}"


def test_no_thread_sleeps_as_long_as_a_service_likes(
    vault: VaultProcess, order: RestoreOrder, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK retries by itself, and would sleep for ten minutes here; a short wait it honours."""
    monkeypatch.setattr(clients, "_options", clients_options)
    configure()
    vault.inject(RequestFault(status=429, retry_after=600))
    began = datetime.now(UTC)
    with pytest.raises(ServiceBusy):
        jobs.find(order)
    assert datetime.now(UTC) - began < timedelta(seconds=60)
    vault.inject(RequestFault(status=429, retry_after=1), RequestFault(lost="reset"))
    assert jobs.find(order) is None


clients_options = clients._options


def test_every_client_of_the_vault_has_time_limits_of_its_own(order: RestoreOrder) -> None:
    subscription = order.instance.subscription
    for client in (
        clients.data_protection(subscription),
        clients.storage_management(subscription),
        clients.authorization(subscription),
    ):
        transport: Any = client._client._pipeline._transport
        limits = transport.connection_config
        assert (limits.timeout, limits.read_timeout) == (clients.CONNECT_SECONDS, IMPATIENT)
