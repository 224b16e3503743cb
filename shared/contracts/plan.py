"""The plan: the request resolved. What a dry run returns and what an approver reads."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from shared.contracts.base import Published
from shared.contracts.request import RestoreRequest


class BackupInstanceRef(Published):
    """A backup instance in its vault."""

    subscription: str
    resource_group: str
    vault: str
    name: str
    server: str
    """The flexible server's name."""
    datasource_id: str
    location: str


class RecoveryPointRef(Published):
    """A recovery point that can be restored as files."""

    id: str
    time: datetime


class TargetRef(Published):
    """The target server as it answered."""

    alias: str
    host: str
    version: str
    """`18.6`."""


class Finding(Published):
    """One preflight check that had something to say."""

    check: str
    severity: Literal["error", "warning"]
    message: str
    remedy: str = ""
    """The command or the change that mends it."""

    @property
    def text(self) -> str:
        """What is wrong, and what mends it."""
        return f"{self.message} Mend it with: {self.remedy}" if self.remedy else self.message


class Plan(Published):
    """The request resolved."""

    request: RestoreRequest
    target: TargetRef
    instance: BackupInstanceRef | None = None
    """None when the files have landed already."""
    recovery_point: RecoveryPointRef | None = None
    tools: dict[str, str] = Field(default_factory=dict)
    """psql and pg_restore: version and where they were found."""
    began: str = ""
    """When the restore began that this was made for; empty where none was started."""
    needs_approval: bool = False
    """Whether somebody must approve this plan before anything is touched."""
    findings: tuple[Finding, ...] = ()
    """Warnings; a plan with errors is no plan."""

    @property
    def request_id(self) -> str:
        """The restore's name."""
        return self.request.request_id
