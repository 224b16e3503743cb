"""What is kept of an orchestration whose history was purged, so that its request id starts nothing a second time."""

from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from shared.storage.ledger import Ledger

_RECORD = "instance"


def keep(status: DurableOrchestrationStatus) -> None:
    """Keep the status of a restore that has ended."""
    Ledger(status.instance_id).write(_RECORD, status.to_json())


def kept(request_id: str) -> DurableOrchestrationStatus | None:
    """The status that a restore had when its history was purged; None where none was, or its records are gone too."""
    document = Ledger(request_id).read(_RECORD)
    return None if document is None else DurableOrchestrationStatus.from_json(document)
