"""Asynchronous operations: what a 202 answer promises, and what polling it shows.

An operation's outcome is known when it is created and shown when its time has come. So it needs no work in the
background, and survives the death of the service.
"""

import base64
import uuid
from datetime import datetime, timedelta

from local.vault.arm import NEVER, Json, UserError, now, timestamp, vault_id, whole_seconds
from local.vault.config import Frozen, VaultConfig
from local.vault.faults import OperationFault


class Operation(Frozen):
    """An accepted request.

    Attributes:
        id: base64 of two GUIDs, ends with `==`.
        end: from when on the outcome is shown.
        job_id: the backup job it started.
        error: the refusal it ends with.
        fault: what goes wrong with it.
    """

    id: str
    start: datetime
    end: datetime
    job_id: str | None = None
    error: Json | None = None
    fault: OperationFault | None = None

    @property
    def running(self) -> bool:
        """Whether the outcome is not shown yet."""
        return now() < self.end


def new_operation(
    config: VaultConfig,
    *,
    job_id: str | None = None,
    error: UserError | None = None,
    fault: OperationFault | None = None,
) -> Operation:
    """An operation that starts now."""
    # The first GUID is the same in all operations of one vault in recorded traffic.
    vault_guid = uuid.uuid5(uuid.NAMESPACE_URL, vault_id(config))
    start = now()
    return Operation(
        id=base64.b64encode(f"{vault_guid};{uuid.uuid4()}".encode()).decode(),
        start=start,
        end=start + timedelta(seconds=config.pacing.operation, hours=fault.hours if fault else 0),
        job_id=job_id,
        error=error.as_operation_error() if error else None,
        fault=fault,
    )


def status_body(config: VaultConfig, operation: Operation) -> Json:
    """The body of `operationStatus`."""
    body: Json = {
        "id": f"{vault_id(config)}/operationStatus/{operation.id}",
        "name": operation.id,
        "status": "Inprogress",  # sic
        "startTime": timestamp(operation.start),
        "endTime": NEVER,
    }
    if operation.running:
        return body
    body["endTime"] = whole_seconds(operation.end)
    if operation.error is not None:
        return {**body, "status": "Failed", "error": operation.error}
    body["status"] = "Succeeded"
    if operation.job_id is not None:
        body["properties"] = result_body(config, operation)
    return body


def result_body(config: VaultConfig, operation: Operation) -> Json:
    """The body of `operationResults` once the operation has succeeded."""
    if operation.job_id is None:
        return {"objectType": "OperationJobExtendedInfo"}
    # The service writes this id in another case than the job's own.
    job = (
        f"/subscriptions/{config.subscription}/resourcegroups/{config.resource_group}"
        f"/providers/Microsoft.DataProtection/BackupVaults/{config.vault}/backupJobs/{operation.job_id}"
    )
    written = {"as recorded": job, "capitals": job.upper(), "bare": operation.job_id, "missing": None}
    how = operation.fault.job_id if operation.fault else "as recorded"
    return {"jobId": written[how], "objectType": "OperationJobExtendedInfo"}
