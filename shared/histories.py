"""What is known of a restore whose history was purged, so that its request id starts nothing a second time."""

from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from shared import decisions
from shared.contracts.plan import Plan
from shared.contracts.progress import Phase, RestoreProgress
from shared.storage import register
from shared.storage.ledger import Ledger

_RECORD = "instance"


def keep(status: DurableOrchestrationStatus) -> None:
    """Keep the status of a restore that has ended."""
    Ledger(status.instance_id).write(_RECORD, status.to_json())


def kept(request_id: str) -> DurableOrchestrationStatus | None:
    """The status of a restore that the engine does not know any more; None where the records do not know it either."""
    ledger = Ledger(request_id)
    document = ledger.read(_RECORD)
    if document is not None:
        return DurableOrchestrationStatus.from_json(document)
    return None if decisions.end(ledger) is None else _from_records(ledger)


def _from_records(ledger: Ledger) -> DurableOrchestrationStatus | None:
    """The status of a restore that has ended and whose history somebody else has purged."""
    row = next((one for one in register.restores() if one.request_id == ledger.request_id), None)
    if row is None:
        return None
    plan = ledger.read("plan", Plan)
    request = plan.request.to_wire() if plan is not None else {"requestId": ledger.request_id}
    progress = RestoreProgress(phase=row.phase if row.phase.is_terminal else Phase.FAILED)
    return DurableOrchestrationStatus(
        name="restore",
        instanceId=ledger.request_id,
        createdTime=row.started_at,
        lastUpdatedTime=row.updated_at,
        input={"request": request},
        runtimeStatus="Completed",
        customStatus=progress.to_wire(),
    )
