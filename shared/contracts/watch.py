"""Watching something until it ends: an operation or a job of the vault, a reservation, an import."""

from typing import Any

from shared.contracts.base import Contract, Json


class Watch(Contract):
    """What `watch_job` looks at, how often, and for how long. Survives continue_as_new."""

    check: str
    """The activity that looks; it answers an outcome whose value is a `Sighting`."""
    subject: Json
    """The activity's input."""
    what: str
    """For people: `backup job 571e2403…`."""
    interval: float
    """Seconds until the next look; it grows."""
    longest_interval: float
    deadline: str
    """ISO time after which the watch gives up."""

    def slower(self) -> "Watch":
        """The watch with the next, longer interval."""
        return self.model_copy(update={"interval": min(self.interval * 1.5, self.longest_interval)})


class Sighting(Contract):
    """What one look saw."""

    ended: bool
    status: str = ""
    """For people, and for the live status: `InProgress`."""
    retry_after: float = 0
    """Seconds that the service asks to wait before the next look; 0 when it says nothing."""
    value: Any = None
    """What the watched thing ended with."""
