"""Backup jobs: looking at one, and finding the one that an earlier attempt of ours has started."""

from collections.abc import Iterator

from azure.mgmt.dataprotection.models import AzureBackupJob

from shared.arm import arm_errors, describe, same_id
from shared.contracts.plan import BackupInstanceRef
from shared.contracts.vaultjobs import BackupJob, RestoreOrder
from shared.contracts.watch import Sighting
from shared.errors import BackupJobFailed
from shared.vault.clients import data_protection
from shared.vault.operations import file_prefix

_DONE = frozenset({"completed", "completedwithwarnings"})
_DEAD = frozenset({"failed", "cancelled"})
_PREFIX_DETAIL = "Restore File Prefix"


def look(job: BackupJob) -> Sighting:
    """Look at a job once. A status that is not known means that it is still running.

    Raises:
        BackupJobFailed: the job ended without restored files.
    """
    with arm_errors(f"reading backup job {job.job_id}", watching=True):
        resource = data_protection(job.instance.subscription).jobs.get(
            job.instance.resource_group, job.instance.vault, job.job_id
        )
    properties = resource.properties
    status = str(properties.status) if properties else ""
    if properties and status.lower() in _DEAD:
        raise BackupJobFailed(f"Backup job {job.job_id} ended as {status}: {_reasons(properties)}")
    if properties and status.lower() in _DONE:
        return Sighting(ended=True, status=status, value={"status": status, "warnings": _warnings(properties)})
    return Sighting(ended=False, status=status)


def find(order: RestoreOrder) -> str | None:
    """The id of the job that restores for this request, running or done; None when there is none.

    A job repeats the file prefix that the restore was asked with, and ours names the request. Should there be two, it
    is the older one: the other finds its files there already, and fails.
    """
    mine = [(job.start_time, name) for name, job in _jobs_of(order.instance, watching=True) if _is_for(order, job)]
    return min(mine)[1] if mine else None


def _is_for(order: RestoreOrder, job: AzureBackupJob) -> bool:
    details = (job.extended_info.additional_details if job.extended_info else None) or {}
    return bool(details.get(_PREFIX_DETAIL) == file_prefix(order.request_id))


def running(instance: BackupInstanceRef) -> list[str]:
    """Jobs that run on the datasource now, for people."""
    return [
        f"{job.operation_category} {name}"
        for name, job in _jobs_of(instance)
        if str(job.status).lower() in {"inprogress", "started", "cancelling"}
    ]


def _jobs_of(instance: BackupInstanceRef, *, watching: bool = False) -> Iterator[tuple[str, AzureBackupJob]]:
    with arm_errors(f"listing the backup jobs of {instance.vault}", watching=watching):
        for one in data_protection(instance.subscription).jobs.list(instance.resource_group, instance.vault):
            if one.properties is not None and same_id(one.properties.data_source_id, instance.datasource_id):
                yield str(one.name), one.properties


def _reasons(properties: AzureBackupJob) -> str:
    errors = [describe(error.as_dict()) for error in properties.error_details or []]
    return "; ".join(f"{code}: {text}" for code, text in errors) or "the service gave no reason."


def _warnings(properties: AzureBackupJob) -> list[str]:
    extended = properties.extended_info
    return [str(one.warning) for one in (extended.warning_details if extended else None) or []]
