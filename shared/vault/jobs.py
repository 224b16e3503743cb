"""Backup jobs: looking at one, and finding the one that an earlier attempt of ours has started."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.arm import arm_errors, describe, same_id
from shared.contracts.plan import BackupInstanceRef
from shared.contracts.vaultjobs import BackupJob, RestoreOrder
from shared.contracts.watch import Sighting
from shared.errors import BackupJobFailed
from shared.vault.clients import data_protection
from shared.vault.operations import file_prefix

if TYPE_CHECKING:
    from azure.mgmt.dataprotection.models import AzureBackupJob

_DONE = frozenset({"completed", "completedwithwarnings"})
_DEAD = frozenset({"failed", "cancelled"})
_PREFIX_DETAIL = "Restore File Prefix"


def look(job: BackupJob) -> Sighting:
    """Look at a job once. A status that is not known means that it is still running.

    The first end that is seen counts: the service's answers come from several places, one of which may lag behind, so
    what says InProgress after Completed is the older answer.

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
    names = [
        (job.start_time, name)
        for name, job in _jobs_of(order.instance, watching=True)
        if _prefix_of(job) == file_prefix(order.request_id)
    ]
    return min(names)[1] if names else None


def running(instance: BackupInstanceRef, besides: str = "") -> list[str]:
    """Jobs that run on the datasource now, for people; those of one restore of ours may be left out."""
    jobs = [
        (name, job, _prefix_of(job))
        for name, job in _jobs_of(instance)
        if str(job.status).lower() in {"inprogress", "started", "cancelling"}
    ]
    return [
        f"{job.operation_category} {name}{_for_whom(prefix)}"
        for name, job, prefix in jobs
        if not besides or prefix != file_prefix(besides)
    ]


def _prefix_of(job: "AzureBackupJob") -> str:
    details = (job.extended_info.additional_details if job.extended_info else None) or {}
    return details.get(_PREFIX_DETAIL) or ""


def _for_whom(prefix: str) -> str:
    mine = prefix.removeprefix(file_prefix(""))
    return f" (restore {mine})" if mine != prefix else ""


def _jobs_of(instance: BackupInstanceRef, *, watching: bool = False) -> Iterator[tuple[str, "AzureBackupJob"]]:
    with arm_errors(f"listing the backup jobs of {instance.vault}", watching=watching):
        for one in data_protection(instance.subscription).jobs.list(instance.resource_group, instance.vault):
            if one.properties is not None and same_id(one.properties.data_source_id, instance.datasource_id):
                yield str(one.name), one.properties


def _reasons(properties: "AzureBackupJob") -> str:
    errors = [describe(error.as_dict()) for error in properties.error_details or []]
    return "; ".join(f"{code}: {text}" for code, text in errors) or "the service gave no reason."


def _warnings(properties: "AzureBackupJob") -> list[str]:
    extended = properties.extended_info
    return [str(one.warning) for one in (extended.warning_details if extended else None) or []]
