"""Backup jobs: their state, and how ARM shows it."""

import uuid
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from local.vault.arm import (
    DATASOURCE_TYPE,
    VAULT_TYPE,
    Json,
    duration,
    instance_id,
    now,
    server_id,
    timestamp,
    vault_id,
)
from local.vault.config import BackupInstance, Frozen, VaultConfig
from local.vault.faults import JobFault

type Status = Literal["InProgress", "Completed", "CompletedWithWarnings", "Failed", "Cancelled"]


class RestoreTarget(Frozen):
    """Where a restore goes.

    Attributes:
        url: the container's, as the request wrote it.
        prefix: the request's `filePrefix`; the service repeats it and does nothing with it.
    """

    url: str
    account: str
    container: str
    prefix: str


class Job(Frozen):
    """A backup (no target) or a restore (with a target).

    Attributes:
        point: id of the recovery point, restored or made.
        point_time: its time.
        begun: blobs whose upload has begun; after a crash they may or may not be there.
        transferred: bytes.
    """

    id: str
    activity: str
    instance: str
    point: str
    point_time: datetime
    target: RestoreTarget | None = None
    status: Status = "InProgress"
    start: datetime
    end: datetime | None = None
    changed: datetime
    begun: tuple[str, ...] = ()
    transferred: int = 0
    errors: list[dict[str, Any]] | None = None
    warning: str | None = None
    fault: JobFault | None = None

    @property
    def operation(self) -> Literal["Backup", "Restore"]:
        """The kind of job."""
        return "Backup" if self.target is None else "Restore"

    def changed_to(self, **values: object) -> "Job":
        """This job with other values, changed now."""
        return self.model_copy(update={**values, "changed": now()})


def new_job(
    instance: BackupInstance, point: str, point_time: datetime, target: RestoreTarget | None, fault: JobFault | None
) -> Job:
    """A job that starts now."""
    start = now()
    return Job(
        id=str(uuid.uuid4()),
        activity=str(uuid.uuid1()),
        instance=instance.name,
        point=point,
        point_time=point_time,
        target=target,
        start=start,
        changed=start,
        fault=fault,
    )


def job_body(config: VaultConfig, instance: BackupInstance, job: Job) -> Json:
    """A job as ARM shows it."""
    etag = quote(timestamp(job.changed), safe="-.")
    properties = {
        "activityID": job.activity,
        "subscriptionId": config.subscription,
        "backupInstanceId": instance_id(config, instance),
        "policyId": f"{vault_id(config)}/backupPolicies/{instance.policy}",
        "dataSourceId": server_id(config, instance),
        "vaultName": config.vault,
        "backupInstanceFriendlyName": instance.server_name,
        "policyName": instance.policy,
        "sourceResourceGroup": instance.resource_group or config.resource_group,
        "dataSourceSetName": None,
        "dataSourceName": instance.server_name,
        "sourceDataStoreName": None,
        "sourceDataStoreType": "VaultStore",
        "destinationDataStoreName": None,
        "progressEnabled": True,
        "etag": f"W/\"datetime'{etag}'\"",
        "sourceSubscriptionID": config.subscription,
        "dataSourceLocation": config.location,
        "startTime": timestamp(job.start),
        "endTime": timestamp(job.end) if job.end else None,
        "dataSourceType": DATASOURCE_TYPE,
        "operationCategory": job.operation,
        "operation": job.operation,
        "status": _status(job),
        "restoreType": None,
        "isUserTriggered": True,
        "rehydrationPriority": None,
        "supportedActions": [""],
        "duration": duration(job.end - job.start) if job.end else "PT0S",
        "progressUrl": None,
        "isCrossRegionRestore": None,
        "errorDetails": job.errors,
        "extendedInfo": _extended_info(job),
    }
    identity = f"{vault_id(config)}/backupJobs/{job.id}"
    return {"properties": properties, "id": identity, "name": job.id, "type": f"{VAULT_TYPE}/backupJobs"}


def _status(job: Job) -> str:
    if job.status == "InProgress" and job.fault is not None and job.fault.status_word is not None:
        return job.fault.status_word
    return job.status


def _extended_info(job: Job) -> Json:
    done = job.end is not None
    point = {"recoveryPointID": job.point, "recoveryPointTime": timestamp(job.point_time)}
    restore = job.target is not None
    # Bytes are a number in a backup's extendedInfo and a string in a task's details: both as recorded.
    transferred = {
        "DataTransferredInBytes": str(job.transferred),
        "TaskId": job.activity,
        "DatasourceType": DATASOURCE_TYPE,
    }
    task = {
        "taskId": 1,
        "taskName": f"Trigger {job.operation}",
        "taskStatus": job.status,
        "taskProgress": None,
        "additionalDetails": transferred if done else None,
    }
    return {
        "backupInstanceState": None,
        "dataTransferredInBytes": float(job.transferred) if done and not restore else None,
        "targetRecoverPoint": point if done and not restore else None,
        "sourceRecoverPoint": point if restore else None,
        "recoveryDestination": job.target.url if job.target else None,
        "subTasks": [task],
        "additionalDetails": {"Restore File Prefix": job.target.prefix} if job.target else None,
        "warningDetails": [{"resourceName": job.instance, "warning": job.warning}] if job.warning else None,
    }
