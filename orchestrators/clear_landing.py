"""Clear the landing container of a cancelled restore, once the vault has stopped writing into it."""

import azure.durable_functions as df

from orchestrators.steps import Steps, give_back, watched
from shared.contracts.base import Json
from shared.contracts.clearing import Clearing
from shared.contracts.progress import Phase
from shared.contracts.vaultjobs import BackupJob
from shared.errors import BackupJobFailed


def clear_landing(context: df.DurableOrchestrationContext) -> Steps[Json]:
    """Wait for the backup job; delete the files that it brought, if it did, and give the container back."""
    clearing = Clearing.from_wire(context.get_input())
    brought = ""
    found = yield from watched(context, "job", clearing.watch("find_job", clearing.order, "the backup job to show up"))
    if found.ok and found.value["jobId"]:
        order = clearing.order
        job = BackupJob(instance=order.instance, job_id=found.value["jobId"], request_id=order.request_id)
        found = yield from watched(context, "end", clearing.watch("check_job", job, f"backup job {job.job_id}"))
        brought = clearing.order.container if found.ok else ""
    if found.error is not None and found.error.code != BackupJobFailed.__name__:
        return found.to_wire()
    subject = {"requestId": clearing.order.request_id, "phase": Phase.CANCELLED.value, "brought": brought}
    return (yield from give_back(context, "release_landing", subject)).to_wire()
