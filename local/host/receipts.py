"""What triggers must remember over a restart: which blobs were handled, and when timers ran."""

import json
from collections.abc import Iterable
from typing import Any

from local.host.database import Database

_BEGINNING = ("", "")


class BlobReceipts:
    """The blobs that one function has handled, by container, name and etag."""

    def __init__(self, database: Database, function: str) -> None:
        self._database = database
        self._execute = database.execute
        self._function = function

    def has_begun(self, container: str) -> bool:
        """Whether `begin` was called for a container."""
        return _BEGINNING in self.handled(container)

    def begin(self, container: str, blobs: Iterable[tuple[str, str]]) -> None:
        """Note names and etags of the blobs that are there at the beginning and need no call."""
        with self._database.transaction():
            for blob, etag in (*blobs, _BEGINNING):
                self.done(container, blob, etag)

    def handled(self, container: str) -> set[tuple[str, str]]:
        """Name and etag of the blobs of a container that need no further call."""
        rows = self._execute(
            "SELECT blob, etag FROM blob_receipts WHERE function = ? AND container = ? AND is_done",
            (self._function, container),
        )
        return {(row[0], row[1]) for row in rows}

    def failed(self, container: str, blob: str, etag: str) -> int:
        """Note a failed call; how many there were for this blob."""
        row = self._execute(
            "INSERT INTO blob_receipts VALUES (?, ?, ?, ?, 1, 0) "
            "ON CONFLICT DO UPDATE SET attempts = attempts + 1 RETURNING attempts",
            (self._function, container, blob, etag),
        ).fetchone()
        attempts: int = row[0]
        return attempts

    def done(self, container: str, blob: str, etag: str) -> None:
        """Note that a blob needs no further call."""
        self._execute(
            "INSERT INTO blob_receipts VALUES (?, ?, ?, ?, 0, 1) ON CONFLICT DO UPDATE SET is_done = 1",
            (self._function, container, blob, etag),
        )


class Schedules:
    """When timers ran last and are to run next."""

    def __init__(self, database: Database) -> None:
        self._execute = database.execute

    def status(self, function: str) -> dict[str, str] | None:
        """Last, Next and LastUpdated of a function's schedule, as the protocol names them; None before its first."""
        row = self._execute("SELECT status FROM schedules WHERE function = ?", (function,)).fetchone()
        status: dict[str, str] | None = row and json.loads(row[0])
        return status

    def put(self, function: str, status: dict[str, Any]) -> None:
        """Note a function's schedule status."""
        self._execute("INSERT OR REPLACE INTO schedules VALUES (?, ?)", (function, json.dumps(status)))
