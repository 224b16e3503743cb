"""The host's SQLite file: one connection, explicit transactions, durable against the death of the process."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS instances (
    instance_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    execution TEXT NOT NULL,
    status TEXT NOT NULL,
    input TEXT,
    output TEXT,
    custom_status TEXT,
    parent TEXT,
    parent_execution TEXT,
    parent_task INTEGER,
    created REAL NOT NULL,
    updated REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS instances_created ON instances (created);
CREATE TABLE IF NOT EXISTS history (
    instance_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (instance_id, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inbox (
    id INTEGER PRIMARY KEY,
    instance_id TEXT NOT NULL,
    execution TEXT,
    due REAL NOT NULL,
    timer_id INTEGER,
    event TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS inbox_instance ON inbox (instance_id, due);
CREATE INDEX IF NOT EXISTS inbox_timers ON inbox (due) WHERE timer_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS activities (
    id INTEGER PRIMARY KEY,
    instance_id TEXT NOT NULL,
    execution TEXT NOT NULL,
    task_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    input TEXT
);
CREATE TABLE IF NOT EXISTS blob_receipts (
    function TEXT NOT NULL,
    container TEXT NOT NULL,
    blob TEXT NOT NULL,
    etag TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    is_done INTEGER NOT NULL,
    PRIMARY KEY (function, container, blob, etag)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS schedules (
    function TEXT PRIMARY KEY,
    status TEXT NOT NULL
);
"""


# A checkpoint waits for the disk; at four times SQLite's own interval it is rare.
_PRAGMAS = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000;"

_TAKEN_BACK = sqlite3.OperationalError("SQLite took the open transactions back: is the disk full?")

Defer = Callable[[Callable[[], None]], object]
"""Calls something soon, such as at the end of this pass of an event loop."""


class Database:
    """The open file. Used from one thread only; statements are short.

    A commit costs as much as what it commits, so with `defer` the transactions of one pass of the event loop are
    committed together. Each is all or nothing all the same; what must not happen before it is on disk, such as an
    answer to a client, awaits `committed`. Without `defer` each transaction is on disk when it ends.
    """

    def __init__(self, path: Path, defer: Defer | None = None) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.executescript(_PRAGMAS + _SCHEMA)
        self._defer = defer
        self._is_closed = False
        self._waiting: list[asyncio.Future[None]] = []
        self.execute = self._connection.execute
        self.executemany = self._connection.executemany

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is executed inside."""
        if not self._connection.in_transaction:
            self._settle(_TAKEN_BACK)  # nobody, unless a single statement met a full disk in this pass
            self.execute("BEGIN IMMEDIATE")
            if self._defer is not None:
                self._defer(self._commit)
        self.execute("SAVEPOINT part")
        try:
            yield
        except BaseException as error:
            if self._connection.in_transaction:
                self.execute("ROLLBACK TO part")
                self._release()
            else:
                # On a full disk, among others, SQLite itself takes back all transactions of the pass.
                self._settle(error if isinstance(error, sqlite3.Error) else _TAKEN_BACK)
            raise
        self._release()

    async def committed(self) -> None:
        """Wait until all transactions that have ended in this pass of the event loop are on disk.

        Raises:
            sqlite3.Error: they could not be written.
        """
        if self._connection.in_transaction:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future

    def close(self) -> None:
        """Close the file."""
        try:
            self._commit()
        finally:
            self._is_closed = True
            self._connection.close()

    def _release(self) -> None:
        self.execute("RELEASE part")
        if self._defer is None:
            self._commit()

    def _commit(self) -> None:
        if self._is_closed:
            return
        if not self._connection.in_transaction:
            self._settle(_TAKEN_BACK)
            return
        try:
            self.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self.execute("ROLLBACK")
            self._settle(error)
            raise
        self._settle(None)

    def _settle(self, error: sqlite3.Error | None) -> None:
        """Tell those who wait for the open transactions how they ended."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)
