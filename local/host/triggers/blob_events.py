"""Blob events that are lost, late, doubled or out of order, as Event Grid delivers them: at least once, in any order.

A file in the host's data folder says what becomes of events while it is there; without it each comes at once, and once.
"""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BlobEvents:
    """What becomes of the events of new blobs."""

    lost: bool = False
    """They never come."""
    held: bool = False
    """They come when the file says so no more, or is gone; also for blobs that are gone by then."""
    copies: int = 1
    """How often each comes."""
    backwards: bool = False
    """The last one comes first."""

    @staticmethod
    def file(data: Path) -> Path:
        """Where the host of that data folder looks."""
        return data / "blob-events.json"

    @classmethod
    def read(cls, file: Path | None) -> "BlobEvents":
        """What the file says."""
        try:
            return cls(**json.loads(file.read_text())) if file else cls()
        except FileNotFoundError:
            return cls()

    def write(self, file: Path) -> None:
        """Say so, in one step."""
        unfinished = file.with_suffix(".new")
        unfinished.write_text(json.dumps(vars(self)))
        unfinished.replace(file)
