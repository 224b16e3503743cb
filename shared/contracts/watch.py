"""Watching something until it ends: an operation or a job of the vault, a reservation, an import."""

from typing import Any, Self

from pydantic import AwareDatetime

from shared.contracts.base import Contract, Json


class Patience(Contract):
    """How often is looked at something, and for how long."""

    interval: float
    """Seconds until the next look; it grows."""
    longest_interval: float
    deadline: AwareDatetime
    """When nothing more is waited for."""

    def slower(self) -> Self:
        """The same with the next, longer interval."""
        return self.model_copy(update={"interval": min(self.interval * 1.5, self.longest_interval)})


class Watch(Patience):
    """What `watch_job` looks at. Survives continue_as_new."""

    check: str
    """The activity that looks; it answers an outcome whose value is a `Sighting`."""
    subject: Json
    """The activity's input."""
    restore: str = ""
    """The restore that this is watched for, as long as that goes on; empty: whatever becomes of it."""
    what: str
    """For people: `backup job 571e2403…`."""


class Sighting(Contract):
    """What one look saw."""

    ended: bool
    status: str = ""
    """For people, and for the live status: `InProgress`."""
    retry_after: float = 0
    """Seconds that the service asks to wait before the next look; 0 when it says nothing."""
    value: Any = None
    """What the watched thing ended with."""
