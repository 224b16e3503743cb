"""The host's SQLite file: one connection, explicit transactions, durable against the death of the process."""

import sqlite3
from collections.abc import Iterator
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
);
CREATE INDEX IF NOT EXISTS instances_created ON instances (created);
CREATE TABLE IF NOT EXISTS history (
    instance_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (instance_id, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_id TEXT NOT NULL,
    execution TEXT,
    due REAL NOT NULL,
    timer_id INTEGER,
    event TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS inbox_instance ON inbox (instance_id, due);
CREATE INDEX IF NOT EXISTS inbox_timers ON inbox (due) WHERE timer_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS activities (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
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


class Database:
    """The open file. Used from the event loop's thread only; statements are short."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _SCHEMA)
        self.execute = self._connection.execute
        self.executemany = self._connection.executemany

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is executed inside."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
