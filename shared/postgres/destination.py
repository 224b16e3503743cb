"""Where a load goes, and what it needs on the way."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from shared.errors import DeadlinePassed
from shared.postgres.server import Connection, TargetServer


class Deadline:
    """The time that one load has."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Seconds; None without a limit.

        Raises:
            DeadlinePassed: none are left.
        """
        if self._end is None:
            return None
        if (left := self._end - time.monotonic()) <= 0:
            raise DeadlinePassed("the import of the database took longer than the time it was given")
        return left


@dataclass(frozen=True)
class Destination:
    """An empty database to load into."""

    server: TargetServer
    dbname: str
    folder: Path
    """On the local disk, of the load's own."""
    log: BinaryIO
    """Everything that the tools say."""
    deadline: Deadline
    still_wanted: Callable[[], None] = lambda: None
    """Raises when nobody wants the load any more."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of each session of pg_restore and psql."""

    def connect(self) -> Connection:
        """A connection to the database."""
        return self.server.connect(self.dbname)

    def write(self, line: str) -> None:
        """Add a line to the log."""
        self.log.write(line.encode("utf-8", "backslashreplace") + b"\n")
