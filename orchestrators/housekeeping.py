"""Housekeeping: one chore after the other, each told where it has deleted something; one that fails stops no other."""

import azure.durable_functions as df

from orchestrators.steps import Steps, attempt, look
from shared.contracts.events import HousekeepingData, NotRemovedData
from shared.contracts.housekeeping import Abandoned, Told
from shared.contracts.outcome import Outcome
from shared.contracts.vaultjobs import BackupJob, RestoreOrder
from shared.errors import BackupJobFailed, cut
from shared.topology import LANDING_CONTAINERS

AGAIN = df.RetryOptions(first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=3)
"""What does not succeed now has its turn in the next round."""


def housekeeping(context: df.DurableOrchestrationContext) -> Steps[None]:
    """Report what is stuck, give back what the dead hold, then delete what nobody needs.

    What a restore has made is found by its records, so these are the last to go.
    """
    began = context.current_utc_datetime.isoformat()
    yield from _chore(context, began, "report_stuck")
    for container in LANDING_CONTAINERS:
        yield from _give_back(context, began, container)
    for chore in (
        "remove_places",
        "drop_databases",
        "delete_files",
        "delete_reports",
        "purge_histories",
        "delete_records",
    ):
        yield from _chore(context, began, chore)


def _chore(context: df.DurableOrchestrationContext, began: str, chore: str) -> Steps[None]:
    outcome = yield from attempt(context, chore, {"began": began}, AGAIN)
    yield from _tell(context, began, chore, outcome)


def _give_back(context: df.DurableOrchestrationContext, began: str, container: str) -> Steps[None]:
    """Give back a container whose restore is gone, once the vault does not write into it any more."""
    outcome = yield from attempt(context, "find_abandoned", {"container": container}, AGAIN)
    if outcome.ok and outcome.value is not None:
        abandoned = Abandoned.from_wire(outcome.value)
        outcome = yield from _job(context, abandoned.order)
        if outcome.ok and outcome.value is not None:
            subject = {"began": began, "abandoned": abandoned.to_wire(), **outcome.value}
            outcome = yield from attempt(context, "give_back_landing", subject, AGAIN)
    yield from _tell(context, began, f"give_back_landing {container}", outcome)


def _job(context: df.DurableOrchestrationContext, order: RestoreOrder | None) -> Steps[Outcome]:
    """Whether the job that was asked for has brought files; None while the vault may write."""
    if order is None:
        return Outcome(ok=True, value={"brought": False})
    found = yield from look(context, "find_job", order)
    if not found.ok or not found.value["ended"]:
        return Outcome(ok=found.ok, error=found.error)
    job_id = found.value["value"]["jobId"]
    if job_id is None:
        return Outcome(ok=True, value={"brought": False})
    seen = yield from look(context, "check_job", BackupJob(instance=order.instance, job_id=job_id))
    if seen.error is not None and seen.error.code == BackupJobFailed.__name__:
        return Outcome(ok=True, value={"brought": False})
    if not seen.ok or not seen.value["ended"]:
        return Outcome(ok=seen.ok, error=seen.error)
    return Outcome(ok=True, value={"brought": True})


def _tell(context: df.DurableOrchestrationContext, began: str, chore: str, outcome: Outcome) -> Steps[None]:
    """Publish what a chore has done, if it was anything."""
    if outcome.error is not None:
        message = cut(outcome.error.message, 1_000)
        done = HousekeepingData(failed=(NotRemovedData(kind="chore", name=chore, message=message),))
    else:
        done = HousekeepingData.from_wire(outcome.value or {})
    if done.removed or done.failed:
        yield from attempt(context, "tell_housekeeping", Told(round=began, chore=chore, done=done))
