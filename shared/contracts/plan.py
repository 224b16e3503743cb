"""The plan: the request resolved. What a dry run returns and what an approver reads."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from shared.contracts.base import Published
from shared.contracts.imports import LoadMethod
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


class DatabaseOutlook(Published):
    """The way that one database will be loaded, as far as the size of its file tells."""

    database: str
    """The name in the backup."""
    size: int
    """Bytes of the file."""
    methods: tuple[LoadMethod, ...]
    """The ways that it may be, the likeliest first; tar archives and plain SQL have ways of their own."""
    how: str
    """In words: which way, why, and on what it depends."""


class LoadOutlook(Published):
    """How databases will be loaded, as far as that can be known before their files are read."""

    rule: str
    """In words: which ways files take, and on what that depends here."""
    databases: tuple[DatabaseOutlook, ...] = ()
    """Each database whose file has landed already, the largest first, at most 50."""
    left_out: int = 0
    """How many more there are."""


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
    loading: LoadOutlook | None = None
    """How databases will be loaded; null where none will be."""
    findings: tuple[Finding, ...] = ()
    """Warnings; a plan with errors is no plan."""

    @property
    def request_id(self) -> str:
        """The restore's name."""
        return self.request.request_id
