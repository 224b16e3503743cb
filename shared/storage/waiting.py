"""Lines of restores that wait, by priority and then by time: before the landing containers, and before each datasource.

A place is a document in the control container whose name sorts as the line does. Who waits comes back at each look; a
place that nobody came back to for a while belongs to a restore that is gone.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from shared.contracts.request import Priority
from shared.storage import documents
from shared.storage.accounts import control_container

CONTAINERS = ""
"""The line before the landing containers."""
GONE_AFTER = timedelta(minutes=30)
"""Twice the longest pause that the settings allow between two looks."""
_RANKS = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}


@dataclass(frozen=True, order=True)
class _Place:
    rank: int
    since: int
    """Milliseconds."""
    request_id: str

    def document(self, line: str) -> str:
        return f"{_folder(line)}{self.rank}-{self.since:014}-{self.request_id}.json"

    @classmethod
    def parse(cls, document: str) -> "_Place":
        rank, since, request_id = document.rpartition("/")[2].removesuffix(".json").split("-", 2)
        return cls(int(rank), int(since), request_id)


def before(datasource_id: str) -> str:
    """The line before a datasource."""
    return sha256(datasource_id.lower().encode()).hexdigest()[:32]


def _folder(line: str) -> str:
    return f"waiting-for/{line}/" if line else "waiting/"


def ahead(request_id: str, priority: Priority, line: str = CONTAINERS) -> list[str]:
    """The restores that are served before this one."""
    places = list(_places(line, within=GONE_AFTER))
    mine = _mine(places, request_id, priority)
    return [place.request_id for place in sorted(places) if place < mine and place.request_id != request_id]


def stay(request_id: str, priority: Priority, line: str = CONTAINERS) -> None:
    """Take a place in the line, or keep the one that was taken before."""
    mine = _mine(list(_places(line)), request_id, priority)
    documents.write(control_container(), mine.document(line), {"requestId": request_id})


def leave(request_id: str) -> None:
    """Give up the place in the line before the containers, if there is one."""
    _leave(request_id, _folder(CONTAINERS))


def leave_all(request_id: str) -> None:
    """Give up every place."""
    _leave(request_id, "waiting")


def _leave(request_id: str, folder: str) -> None:
    for name in control_container().list_blob_names(name_starts_with=folder):
        if _Place.parse(name).request_id == request_id:
            documents.delete(control_container(), name)


def _mine(places: list[_Place], request_id: str, priority: Priority) -> _Place:
    standing = (place for place in places if place.request_id == request_id)
    return next(standing, _Place(_RANKS[priority], int(time.time() * 1000), request_id))


def _places(line: str, within: timedelta | None = None) -> Iterator[_Place]:
    """The places; with `within` only those that somebody came back to lately."""
    oldest = None if within is None else datetime.now(UTC) - within
    for blob in control_container().list_blobs(name_starts_with=_folder(line)):
        if oldest is None or blob.last_modified >= oldest:
            yield _Place.parse(blob.name)
