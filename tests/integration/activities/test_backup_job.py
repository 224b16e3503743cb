"""`start_restore`: the vault is asked once and only once, whatever happens to the attempts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.backup_job import (
    SHOWS_UP_WITHIN,
    check_job,
    check_operation,
    find_job,
    start_restore,
    start_validation,
)
from local.environment import Services
from local.vault.faults import JobFault, RequestFault
from local.vault.jobs import Job
from local.vault.state import State
from shared.contracts.vaultjobs import BackupJob, Operation, RestoreOrder
from shared.contracts.watch import Sighting
from shared.errors import ServiceBusy
from shared.storage.ledger import Ledger
from shared.vault import operations

type Wait = Callable[[Callable[[], Any], str], Any]


class Vault:
    """One restore's view of the vault: its order, its ledger, and the jobs that came of it."""

    def __init__(self, services: Services, order: RestoreOrder, wait: Wait) -> None:
        self.services = services
        self.order = order
        self.ledger = Ledger(self.order.request_id)
        self._wait = wait
        self._before = {job.id for job in self._all}

    @property
    def _all(self) -> list[Job]:
        return list(State(self.services.vault.config.state).jobs)

    @property
    def jobs(self) -> list[str]:
        """The ids of the jobs that were started since."""
        return [job.id for job in self._all if job.id not in self._before]

    def attempt(self) -> Sighting:
        """What one run of the activity saw."""
        outcome = start_restore(self.order.to_wire())
        assert outcome["ok"], outcome
        return Sighting.from_wire(outcome["value"])

    def started(self) -> str:
        """The id of the job, after as many attempts as it takes."""
        seen: Sighting = self._wait(lambda: one if (one := self.attempt()).ended else None, "the job's start")
        return str(seen.value["jobId"])

    def claim(self, *, ago: timedelta) -> None:
        """An attempt that has claimed to ask, a while ago, and never said more."""
        self.ledger.write("restore-asked", {"at": (datetime.now(UTC) - ago).isoformat()})


@pytest.fixture
def vault(app: Services, order: RestoreOrder, wait: Wait) -> Vault:
    return Vault(app, order, wait)


def test_the_vault_is_asked_once_however_often_the_activity_runs(vault: Vault) -> None:
    first = vault.attempt()
    job = vault.started()

    assert (first.ended, first.status, first.retry_after) == (False, "accepted", 1)
    assert [vault.started() for _ in range(3)] == [job] * 3
    assert vault.jobs == [job]


def test_an_attempt_that_died_between_asking_and_recording_is_found_by_its_job(vault: Vault) -> None:
    job = vault.started()
    vault.ledger.delete("restore-operation")

    assert vault.attempt() == Sighting(ended=True, value={"jobId": job})
    assert vault.jobs == [job]


def test_a_ledger_that_lost_both_records_asks_nobody_while_the_job_is_there(vault: Vault) -> None:
    job = vault.started()
    vault.ledger.delete("restore-operation")
    vault.ledger.delete("restore-asked")

    assert vault.started() == job
    assert vault.jobs == [job]


def test_a_claim_without_a_job_waits_for_it_to_show_up(vault: Vault) -> None:
    """Another attempt may be asking at this moment."""
    vault.claim(ago=SHOWS_UP_WITHIN / 2)
    seen = vault.attempt()

    assert not seen.ended
    assert "waiting for its job to show up" in seen.status
    assert vault.jobs == []


def test_a_claim_that_nothing_came_of_is_asked_again_once(vault: Vault) -> None:
    vault.claim(ago=SHOWS_UP_WITHIN + timedelta(seconds=1))
    job = vault.started()

    assert vault.jobs == [job]


def test_an_attempt_whose_request_got_no_answer_keeps_its_claim(vault: Vault) -> None:
    """The service may have done it all the same: asking again at once could start a second restore."""
    vault.services.vault.inject(RequestFault(status=503, path="/restore$"))

    with pytest.raises(ServiceBusy):
        start_restore(vault.order.to_wire())
    assert "waiting for its job to show up" in vault.attempt().status
    assert vault.jobs == []


def test_a_busy_vault_is_seen_and_asked_again_later(vault: Vault, wait: Wait) -> None:
    other = vault.order.model_copy(update={"request_id": f"{vault.order.request_id}-other", "container": "landing-2"})
    vault.services.vault.inject(JobFault(outcome="Hang", after_files=0))
    operations.start_restore(other)
    [blocking] = vault.jobs

    def busy() -> Sighting | None:
        seen = vault.attempt()
        return seen if "maximum number of allowed concurrent operations" in seen.status else None

    seen = wait(busy, "the vault's refusal")
    assert not seen.ended
    assert vault.ledger.read("restore-operation") is None
    vault.services.vault.clear_faults()
    mine = vault.started()
    assert set(vault.jobs) == {blocking, mine}
    assert mine != blocking


def test_a_refusal_is_an_answer_with_the_services_words(vault: Vault, wait: Wait) -> None:
    vault.order = vault.order.model_copy(update={"recovery_point": "0" * 32})

    def refused() -> dict[str, Any] | None:
        outcome: dict[str, Any] = start_restore(vault.order.to_wire())
        return None if outcome["ok"] else outcome

    outcome = wait(refused, "the vault's refusal")
    assert outcome["error"]["code"] == "VaultRefused"
    assert "There is no recovery point" in outcome["error"]["message"]
    assert vault.jobs == []
    assert vault.ledger.read("restore-asked") is None


def test_a_status_that_cannot_be_read_asks_nobody_twice(vault: Vault) -> None:
    vault.attempt()
    vault.services.vault.inject(RequestFault(status=503, path="operationStatus"))

    with pytest.raises(ServiceBusy):
        start_restore(vault.order.to_wire())
    assert vault.jobs == [vault.started()]


def test_a_validation_and_a_job_are_watched_to_their_end(vault: Vault, wait: Wait) -> None:
    operation = Operation.from_wire(start_validation(vault.order.to_wire())["value"])
    wait(lambda: check_operation(operation.to_wire())["value"]["ended"], "the validation's end")
    job = BackupJob(instance=vault.order.instance, job_id=vault.started())

    assert wait(lambda: check_job(job.to_wire())["value"]["value"], "the job's end")["status"] == "Completed"


def test_a_failed_job_is_an_answer(vault: Vault, wait: Wait) -> None:
    vault.services.vault.inject(JobFault(outcome="Failed", message="The storage account is locked."))
    job = BackupJob(instance=vault.order.instance, job_id=vault.started())
    outcome = wait(lambda: one if not (one := check_job(job.to_wire()))["ok"] else None, "the job's end")

    assert outcome["error"]["code"] == "BackupJobFailed"
    assert "The storage account is locked." in outcome["error"]["message"]


def found(vault: Vault) -> Sighting:
    """What a look for the job of a restore sees that was cancelled."""
    outcome = find_job(vault.order.to_wire())
    assert outcome["ok"], outcome
    return Sighting.from_wire(outcome["value"])


def test_the_job_of_a_cancelled_restore_is_found(vault: Vault) -> None:
    job = vault.started()

    assert found(vault).value == {"jobId": job}


def test_an_accepted_restore_may_still_become_a_job_however_long_ago_it_was_asked_for(vault: Vault, wait: Wait) -> None:
    vault.attempt()
    vault.claim(ago=SHOWS_UP_WITHIN * 2)
    vault.services.vault.inject(RequestFault(status=503, path="operationStatus"))
    with pytest.raises(ServiceBusy):  # it is looked at first
        find_job(vault.order.to_wire())

    assert wait(lambda: one.value["jobId"] if (one := found(vault)).ended else None, "the job") == vault.started()


def test_what_was_never_asked_for_becomes_no_job(vault: Vault) -> None:
    assert found(vault).value == {"jobId": None}
    vault.claim(ago=SHOWS_UP_WITHIN * 2)
    assert found(vault).value == {"jobId": None}
    vault.claim(ago=timedelta())
    assert not found(vault).ended


def test_a_passing_refusal_to_list_jobs_is_no_end(vault: Vault) -> None:
    vault.services.vault.inject(RequestFault(status=403, path="backupJobs"))

    with pytest.raises(ServiceBusy):
        find_job(vault.order.to_wire())
