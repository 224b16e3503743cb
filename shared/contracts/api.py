"""What else the HTTP API takes and answers: what can be restored and whereto, starting, health, problems."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from shared.contracts.base import Moment, Published
from shared.contracts.decisions import Decision
from shared.contracts.progress import Phase
from shared.contracts.request import REQUEST_ID_PATTERN
from shared.contracts.status import RestoreSummary
from shared.redaction import hidden


def _listed(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


class InstanceInfo(Published):
    """A backup instance of the vault."""

    name: str
    """As Azure Backup calls it; requests may name it so, or by an alias, the server, or the ARM id."""
    aliases: tuple[str, ...]
    server: str
    """The flexible server's name."""
    location: str
    protection: str
    """What the vault says of its protection: `ProtectionConfigured`."""


class InstanceList(Published):
    """The flexible servers that the vault protects."""

    instances: tuple[InstanceInfo, ...]


class PointInfo(Published):
    """A recovery point."""

    id: str
    time: AwareDatetime
    obstacle: str = ""
    """Why it cannot be restored as files; empty when it can."""


class PointList(Published):
    """Recovery points of one backup instance, the newest first."""

    instance: str
    """The backup instance's name."""
    points: tuple[PointInfo, ...]


class TargetInfo(Published):
    """A target server that requests may name."""

    alias: str
    host: str
    approval: Literal["on-request", "to-replace", "always"]
    """When somebody must approve the plan of a restore into it."""


class TargetList(Published):
    """The target servers that the operator configured."""

    targets: tuple[TargetInfo, ...]


class Started(Published):
    """A restore that a request has started, now or before."""

    request_id: str
    phase: Phase
    duplicate: bool
    """Whether the same request had started it before."""
    status: str
    """Where to look: the address of the restore."""


class Retry(Published):
    """Import again what a restore did not bring, from the files that it left."""

    request_id: Annotated[str, Field(pattern=REQUEST_ID_PATTERN)] | None = None
    """The new restore's name; without it the old one's and `-retry`."""
    requested_by: Annotated[str, Field(max_length=200), AfterValidator(hidden)] = ""
    reason: Annotated[str, Field(max_length=1_000), AfterValidator(hidden)] = ""


class Decided(Published):
    """The decision that stands."""

    request_id: str
    decision: Decision


class Cancelling(Published):
    """A restore that will end as Cancelled."""

    request_id: str
    by: str
    reason: str
    message: str
    """What is stopped, and what cannot be."""


class Check(Published):
    """One thing that restores need."""

    name: str
    ok: bool
    detail: str
    """What was found, or what is wrong and what to do."""


class Health(Published):
    """Whether the app can restore now."""

    status: Literal["healthy", "unhealthy"]
    checks: tuple[Check, ...]


class Problem(Published):
    """Why a request was not answered otherwise (RFC 9457, application/problem+json)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    """What happened, and what to do."""
    code: str
    """A word for programs: `RequestRejected`."""
    errors: tuple[str, ...] = ()
    """Every finding, each with its path: `source.backupInstance: is missing`."""
    checks: tuple[Check, ...] = ()
    """What the health page found."""


class PointQuery(Published):
    """Which recovery points are listed."""

    since: Annotated[Moment | None, Field(alias="from")] = None
    """None before this time."""
    until: Annotated[Moment | None, Field(alias="to")] = None
    """None after this time."""


class RestoreQuery(PointQuery):
    """Which restores are listed; `from` and `to` are about when they started."""

    phase: Annotated[tuple[Phase, ...], BeforeValidator(_listed)] = ()
    """Phases, separated by commas."""
    target: str | None = None
    requested_by: str | None = None
    size: Annotated[int, Field(ge=1, le=200)] = 50
    """How many at once."""
    after: str | None = None
    """The `next` of the page before."""

    def matches(self, restore: RestoreSummary) -> bool:
        """Whether a restore is meant."""
        started = datetime.fromisoformat(restore.started_at)
        return (
            (not self.phase or restore.phase in self.phase)
            and self.target in {None, restore.target}
            and self.requested_by in {None, restore.requested_by}
            and (self.since is None or started >= self.since)
            and (self.until is None or started <= self.until)
        )
