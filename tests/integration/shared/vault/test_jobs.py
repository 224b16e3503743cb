"""Backup jobs: looking at one until it ends, and finding the one that is ours."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from local.vault.faults import JobFault, RequestFault
from local.vault.process import VaultProcess
from local.vault.state import State
from shared.contracts.vaultjobs import BackupJob, RestoreOrder
from shared.contracts.watch import Sighting
from shared.errors import BackupJobFailed, ServiceBusy
from shared.vault import instances, jobs

type StartJob = Callable[[], str]
type Wait = Callable[[Callable[[], Any], str], Any]


def last(order: RestoreOrder, job_id: str, wait: Wait) -> Sighting:
    """The sighting of a job that has ended."""
    job = BackupJob(instance=order.instance, job_id=job_id)
    seen: Sighting = wait(lambda: sighting if (sighting := jobs.look(job)).ended else None, "the job's end")
    return seen


def test_a_job_that_went_well_ends_without_warnings(order: RestoreOrder, start_job: StartJob, wait: Wait) -> None:
    assert last(order, start_job(), wait).value == {"status": "Completed", "warnings": []}


def test_a_jobs_warnings_are_told(vault: VaultProcess, order: RestoreOrder, start_job: StartJob, wait: Wait) -> None:
    vault.inject(JobFault(outcome="CompletedWithWarnings", message="One database was skipped."))

    seen = last(order, start_job(), wait)
    assert seen.value == {"status": "CompletedWithWarnings", "warnings": ["One database was skipped."]}


@pytest.mark.parametrize("word", ["InProgress", "Started", "Cancelling", "Hibernating"])
def test_a_status_that_does_not_mean_the_end_means_still_running(
    vault: VaultProcess, order: RestoreOrder, start_job: StartJob, word: str
) -> None:
    vault.inject(JobFault(outcome="Hang", status_word=word))
    job = BackupJob(instance=order.instance, job_id=start_job())

    assert jobs.look(job) == Sighting(ended=False, status=word)


def test_a_failed_job_tells_its_reasons_down_to_the_innermost(
    vault: VaultProcess, order: RestoreOrder, start_job: StartJob, wait: Wait
) -> None:
    vault.inject(JobFault(outcome="Failed", code="UserErrorX", message="The storage account is locked."))
    job_id = start_job()

    with pytest.raises(BackupJobFailed) as failed:
        last(order, job_id, wait)
    assert failed.value.text.startswith(
        f"Backup job {job_id} ended as Failed: UserErrorX: The storage account is locked."
    )
    assert "Internal Server Error" in failed.value.text
    assert "aka.ms/AzureBackupTroubleshootFailures" in failed.value.text


def test_a_cancelled_job_has_failed_also_without_a_reason(
    vault: VaultProcess, order: RestoreOrder, start_job: StartJob
) -> None:
    vault.inject(JobFault(outcome="Hang", status_word="Cancelled"))
    job = BackupJob(instance=order.instance, job_id=start_job())

    with pytest.raises(BackupJobFailed, match=r"ended as Cancelled: the service gave no reason\."):
        jobs.look(job)


def test_a_job_that_is_not_found_is_looked_at_again(order: RestoreOrder) -> None:
    """It was there when it was started: a passing 404 must not end what still runs."""
    with pytest.raises(ServiceBusy, match=r"While reading backup job 00000000.* ResourceNotFound"):
        jobs.look(BackupJob(instance=order.instance, job_id="00000000-0000-0000-0000-000000000000"))


def test_a_job_that_cannot_be_read_is_looked_at_again(
    vault: VaultProcess, order: RestoreOrder, start_job: StartJob
) -> None:
    job = BackupJob(instance=order.instance, job_id=start_job())
    vault.inject(RequestFault(status=503, path="backupJobs"))

    with pytest.raises(ServiceBusy):
        jobs.look(job)


def test_our_job_is_found_by_its_request_running_or_done(
    vault: VaultProcess, order: RestoreOrder, start_job: StartJob, wait: Wait
) -> None:
    assert jobs.find(order) is None
    vault.inject(JobFault(outcome="Hang"))
    job_id = start_job()

    assert jobs.find(order) == job_id
    vault.clear_faults()
    assert last(order, job_id, wait).ended
    assert jobs.find(order) == job_id


def test_of_two_jobs_for_a_request_the_older_one_is_ours(
    vault: VaultProcess, order: RestoreOrder, start_job: StartJob, wait: Wait
) -> None:
    job_id = start_job()
    last(order, job_id, wait)
    made = State(vault.config.state).jobs
    first = made.get(job_id)
    assert first is not None
    for digit in "0f":  # in whichever order the vault lists them
        second = digit * 8 + job_id[8:]
        made.put(second, first.model_copy(update={"id": second, "start": first.start + timedelta(minutes=1)}))

    assert jobs.find(order) == job_id


def test_a_job_of_another_request_or_another_instance_is_not_ours(order: RestoreOrder, start_job: StartJob) -> None:
    start_job()
    shorter = order.model_copy(update={"request_id": order.request_id[:-1]})
    longer = order.model_copy(update={"request_id": f"{order.request_id}0"})
    elsewhere = order.model_copy(update={"instance": instances.resolve("history")})

    assert [jobs.find(other) for other in (shorter, longer, elsewhere)] == [None, None, None]


def test_jobs_that_run_on_the_datasource_are_told_while_they_run(
    vault: VaultProcess, order: RestoreOrder, start_job: StartJob, wait: Wait
) -> None:
    assert jobs.running(order.instance) == []
    vault.inject(JobFault(outcome="Hang"))
    job_id = start_job()

    assert jobs.running(order.instance) == [f"Restore {job_id} (restore {order.request_id})"]
    assert jobs.running(order.instance, besides=order.request_id) == []
    assert jobs.running(instances.resolve("history")) == []
    vault.clear_faults()
    wait(lambda: not jobs.running(order.instance), "the job's end")
