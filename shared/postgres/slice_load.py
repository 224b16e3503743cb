"""Load a slice of an archive: by a pg_restore that reads head and slice from a pipe.

A slice is loaded once, whoever tries: it is fenced by an advisory lock, and nothing is done to its tables before the
lock's own connection has seen the session that does it. Whoever gets the lock later therefore finds that session, and
ends it.

What an earlier attempt has brought is gone before the next one begins: a transaction around the whole slice would end
at the first error that is harmless, such as an old server's word on a new setting.
"""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from shared.errors import UnreadableFile
from shared.postgres.chunks import for_pg_restore
from shared.postgres.pg_restore import Feed, Restorer
from shared.postgres.server import Connection
from shared.postgres.sessions import end_sessions, has_begun
from shared.postgres.slices import Slice
from shared.postgres.source import read_ahead
from shared.postgres.split_load import load_split
from shared.postgres.tolerance import Findings

PIECE = 1 << 20
"""Bytes of one read of a slice."""


def load_slice(restorer: Restorer, head: Path, one: Slice, lock: Connection | None) -> Findings:
    """Load a slice, which the lock's connection holds; without a lock nobody else knows of the database.

    Raises:
        FlexRestoreError: as `Restorer.run`.
    """
    if lock is None:
        return _restore(restorer, head, one, lambda _: True)
    label = f"{restorer.destination.dbname}/{one.number}"
    end_sessions(restorer.destination, lock, f"{label}/")
    if one.repeatable:
        _start_over(restorer, one, f"{label}/over", lock)
        if one.copies > 1:
            if (found := load_split(restorer, one, label, lock)) is not None:
                return found
            end_sessions(restorer.destination, lock, f"{label}/")
            _start_over(restorer, one, f"{label}/over", lock)
    session = f"{label}/{secrets.token_hex(4)}"
    return _restore(replace(restorer, session=session), head, one, lambda ended: has_begun(lock, session, ended))


def literal(text: str) -> bytes:
    """A text of an archive in SQL, whatever its encoding is."""
    return b"'" + text.encode("utf-8", "surrogateescape").replace(b"'", b"''") + b"'"


def _start_over(restorer: Restorer, one: Slice, session: str, lock: Connection) -> None:
    """Empty the tables that an earlier attempt has put rows into; large objects are written over."""
    destination = restorer.destination
    with destination.server.connect(destination.dbname, application_name=session) as connection:
        has_begun(lock, session, threading.Event())
        for table in one.tables:
            [(size,)] = connection.execute(b"SELECT pg_catalog.pg_relation_size(%b)" % literal(table)).fetchall()
            if size:
                connection.execute(b"TRUNCATE ONLY " + table.encode("utf-8", "surrogateescape"))


def _restore(restorer: Restorer, head: Path, one: Slice, begun: Callable[[threading.Event], bool]) -> Findings:
    folder = restorer.destination.folder / f"slice-{one.number}"
    folder.mkdir(exist_ok=True)

    def chunks(ended: threading.Event) -> Iterator[bytes]:
        with head.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece
        yield b""
        if begun(ended):
            try:
                with closing(read_ahead(restorer.archive.source, one.ranges, PIECE)) as pieces:
                    yield from for_pg_restore(restorer.archive, pieces, len(one.entries))
            except UnreadableFile as error:
                text = f"{error.text}, in {one}"
                restorer.destination.write(f"-- {text}")
                raise UnreadableFile(text) from error

    here = replace(restorer, destination=replace(restorer.destination, folder=folder))
    return here.run(one.entries, Feed(f"slice {one.number}, {one.size} bytes", chunks))
