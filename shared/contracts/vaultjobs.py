"""What is asked of the backup vault, and what it answers, across durable boundaries."""

from shared.contracts.base import Contract
from shared.contracts.plan import BackupInstanceRef


class Operation(Contract):
    """A long-running operation that the vault accepted."""

    url: str
    """The Azure-AsyncOperation address, to be used as it was given."""
    retry_after: float = 0
    request_id: str = ""
    """The restore that it is for; the log and the spans tell it."""


class BackupJob(Contract):
    """A backup job of the vault."""

    instance: BackupInstanceRef
    job_id: str
    """The last segment of the ARM id."""
    request_id: str = ""
    """The restore that it is for; the log and the spans tell it."""


class RestoreOrder(Contract):
    """One restore as files: which point into which container."""

    request_id: str
    instance: BackupInstanceRef
    recovery_point: str
    container: str
