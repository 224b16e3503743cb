"""Housekeeping: what is to go, what has gone, and landing containers whose restore is gone."""

from enum import StrEnum

from shared.contracts.base import Contract, Json
from shared.contracts.events import HousekeepingData
from shared.contracts.progress import Phase
from shared.contracts.vaultjobs import RestoreOrder


class Kind(StrEnum):
    """What housekeeping deletes."""

    FILES = "files"
    REPORT = "report"
    RECORDS = "records"
    HISTORY = "history"
    DATABASE = "database"
    RESERVATION = "reservation"
    PLACE = "place"


class Item(Contract):
    """Something of ours that is to go."""

    kind: Kind
    name: str
    """For people: `backup b in landing-1`."""
    restores: tuple[str, ...] = ()
    """Whose it is, the one that made it first; it stays while one of them is at work."""
    why: str
    count: int = 1
    """Of how many parts it is made."""
    facts: Json = {}  # noqa: RUF012 -- frozen model; pydantic copies defaults
    """What it takes to delete it and nothing else."""
    lines: tuple[str, ...] = ()
    """The lines whose first may be served when it has gone."""
    problem: str = ""
    """Why it cannot be looked at; then nothing is deleted."""


class Told(Contract):
    """What a chore has done, on its way to its event."""

    round: str
    """When this housekeeping began, ISO."""
    chore: str
    done: HousekeepingData


class Abandoned(Contract):
    """A landing container whose reservation nobody works for any more."""

    container: str
    request_id: str
    phase: Phase
    """How the restore has ended."""
    order: RestoreOrder | None = None
    """What the vault may have been asked for; None when no record tells."""
