"""Lines: who waits for a landing container or for a target server, by priority and then by time.

A place is a document in the control container whose name sorts as the line does. Who waits comes back at each look; a
place that nobody came back to for a while belongs to a restore that is gone.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.contracts.request import Priority
from shared.storage import documents
from shared.storage.accounts import control_container

LANDING = "landing"
"""The line before the landing containers."""

_FOLDER = "waiting/"
GONE_AFTER = timedelta(minutes=30)
"""Twice the longest pause that the settings allow between two looks."""
CALLED = 2
"""How many of a line are woken when something is given back: more than one, for the first may be gone."""
_FAR = 300.0
_RANKS = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}


@dataclass(frozen=True, order=True)
class _Place:
    rank: int
    since: int
    """Milliseconds."""
    request_id: str

    def document(self, line: str) -> str:
        return f"{_FOLDER}{line}/{self.rank}-{self.since:014}-{self.request_id}.json"

    @classmethod
    def parse(cls, document: str) -> "_Place":
        rank, since, request_id = document.rpartition("/")[2].removesuffix(".json").split("-", 2)
        return cls(int(rank), int(since), request_id)


@dataclass(frozen=True)
class Wait:
    """That it is not yet somebody's turn, and why."""

    reasons: tuple[str, ...]
    ahead: int
    """How many are served before."""

    @property
    def retry_after(self) -> float:
        """Seconds until the next look; who is called when it is their turn need not look often; 0 means soon."""
        return 0 if self.ahead < CALLED else _FAR


def first(line: str) -> list[str]:
    """The restores that wait, in the order in which they are served."""
    return [place.request_id for place in sorted(place for place, seen in _places(line) if _is_lately(seen))]


def join(line: str, request_id: str, priority: Priority) -> list[str]:
    """Take a place in the line, or come back to the one that was taken before; who is served before it."""
    places = list(_places(line))
    standing = (place for place, _ in places if place.request_id == request_id)
    mine = next(standing, _Place(_RANKS[priority], int(time.time() * 1000), request_id))
    documents.write(control_container(), mine.document(line), {"requestId": request_id})
    lately = sorted(place for place, seen in places if _is_lately(seen))
    return [place.request_id for place in lately if place < mine and place.request_id != request_id]


def leave(line: str, request_id: str) -> None:
    """Give up the place in the line, if there is one."""
    for place, _ in _places(line):
        if place.request_id == request_id:
            documents.delete(control_container(), place.document(line))


def abandoned() -> list[tuple[str, str]]:
    """The lines, and in them the restores whose place nobody came back to for a while."""
    blobs = list(control_container().list_blobs(name_starts_with=_FOLDER))
    places = [(blob.name.removeprefix(_FOLDER).partition("/")[0], _Place.parse(blob.name), blob) for blob in blobs]
    lately = {(line, place.request_id) for line, place, blob in places if _is_lately(blob.last_modified)}
    return sorted({(line, place.request_id) for line, place, _ in places} - lately)


def _places(line: str) -> Iterator[tuple[_Place, datetime]]:
    """The places, and when somebody came back to each last."""
    for blob in control_container().list_blobs(name_starts_with=f"{_FOLDER}{line}/"):
        yield _Place.parse(blob.name), blob.last_modified


def _is_lately(seen: datetime) -> bool:
    return seen >= datetime.now(UTC) - GONE_AFTER
