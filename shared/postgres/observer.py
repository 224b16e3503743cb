"""Look how far a load is, beside it: the server is asked every few seconds, on a connection of its own.

Nothing that fails here fails the load, which goes on without. Several processes may load parts of one database: one of
them looks, by an advisory lock of the database, and another one does when that one is done.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from shared.contracts.imports import ArchiveFormat
from shared.contracts.loading import LoadProgress
from shared.postgres.archive import Archive
from shared.postgres.blocks import NO_SHELF, Block, BlockIndex, Shelf, expansion, told_index
from shared.postgres.expected import LARGE_OBJECTS, Expected, Name, filled_by
from shared.postgres.load_progress import Build, Copied, Earlier, Pace, Seen, Standing, load_progress
from shared.postgres.server import APPLICATION_NAME, Connection, TargetServer, lock_number

log = logging.getLogger(__name__)

EVERY = 3.0
"""Seconds between two looks; more where a look takes long, so that it is no work for the server."""
LONGEST = 60.0
REST = 20
"""How many times longer the pause is than the look."""
PATIENCE = 5.0
"""Seconds that the end of a load waits for the last look, and that the server has for each query."""
SAMPLED_FROM = 1 << 20
"""Bytes of a table from which on it is worth a read to know how much text they become."""
LOCK = "flex-restore observer"

type Write = Callable[[LoadProgress], object]
"""Keeps how far the load is, in the place of what was kept before."""

_OURS = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
_COPIES = """
    SELECT n.nspname, c.relname, sum(p.bytes_processed)::bigint, sum(p.tuples_processed)::bigint
    FROM pg_catalog.pg_stat_progress_copy p
    JOIN pg_catalog.pg_class c ON c.oid = p.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE p.datname = current_database() AND p.command = 'COPY FROM' GROUP BY 1, 2
"""
_BUILDS = """
    SELECT n.nspname, c.relname, p.phase,
           CASE WHEN p.tuples_total > 0 THEN p.tuples_done::float / p.tuples_total
                WHEN p.blocks_total > 0 THEN p.blocks_done::float / p.blocks_total END
    FROM pg_catalog.pg_stat_progress_create_index p
    JOIN pg_catalog.pg_class c ON c.oid = p.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE p.datname = current_database() ORDER BY 1, 2
"""
# The statistics and the catalog only: whatever opens a table waits for who has it locked.
_ROWS = f"""
    SELECT n.nspname, c.relname, pg_catalog.pg_stat_get_live_tuples(c.oid)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE (c.relkind = 'r' AND {_OURS} OR c.oid = 'pg_catalog.pg_largeobject'::regclass)
      AND pg_catalog.pg_stat_get_live_tuples(c.oid) > 0
"""  # noqa: S608  constants
_INDEXES = f"""
    SELECT n.nspname, CASE WHEN k.oid IS NULL THEN i.relname ELSE c.relname || ' ' || i.relname END, c.relname
    FROM pg_catalog.pg_index x
    JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')
    WHERE {_OURS}
"""  # noqa: S608  constants


@contextmanager
def observed(  # noqa: PLR0913  what is loaded, where, and what is known
    server: TargetServer,
    name: str,
    archive: Archive,
    write: Write | None,
    *,
    rows: bool = True,
    shelf: Shelf = NO_SHELF,
) -> Iterator[None]:
    """While a database of that name is loaded from the archive, have written every few seconds how far that is.

    Args:
        server: where the database is.
        name: the database's.
        archive: where its rows come from.
        write: None: nobody wants to know.
        rows: whether any are wanted.
        shelf: where the index of a file is that had to be read for it.
    """
    if write is None:
        yield
        return
    ended = threading.Event()
    observer = _Observer(server, name, archive, write, Expected.of(archive, rows=rows), shelf)
    thread = threading.Thread(target=copy_context().run, args=[observer.run, ended], name="observer", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(PATIENCE)


def look(connection: Connection) -> Seen:
    """What the server tells of the connection's database."""
    rows = {(schema, name): count for schema, name, count in connection.execute(_ROWS)}
    pages = rows.pop(("pg_catalog", "pg_largeobject"), 0)
    return Seen(
        copies={(schema, name): Copied(size, count) for schema, name, size, count in connection.execute(_COPIES)},
        rows=rows | ({LARGE_OBJECTS: pages} if pages else {}),
        indexes={(schema, name): (schema, table) for schema, name, table in connection.execute(_INDEXES)},
        builds=tuple(
            Build((schema, table), phase, share) for schema, table, phase, share in connection.execute(_BUILDS)
        ),
    )


@dataclass
class _Observer:
    """Looks at one database until its load has ended."""

    server: TargetServer
    name: str
    archive: Archive
    write: Write
    expected: Expected
    shelf: Shelf
    earlier: Earlier = field(default_factory=Earlier)
    pace: Pace = field(default_factory=Pace)
    blocks: Mapping[Name, Block] | None = None
    """None until somebody needs to know them."""

    def run(self, ended: threading.Event) -> None:
        """Look until the load has ended, and once more then."""
        pause, last = EVERY, False
        while not last:
            try:
                with self._connect() as connection:
                    pause = EVERY
                    while not last:
                        last = ended.is_set()
                        began = time.monotonic()
                        self._look(connection)
                        ended.wait(0 if last else min(max(pause, REST * (time.monotonic() - began)), LONGEST))
            except Exception:
                log.warning("nobody sees how far the load of database %s is", self.name, exc_info=True)
                last = ended.wait(pause)
                pause = min(2 * pause, LONGEST)

    def _connect(self) -> Connection:
        connection = self.server.connect(self.name, application_name=f"{APPLICATION_NAME} observer")
        connection.execute(f"SET statement_timeout = '{PATIENCE:.0f}s'")
        return connection

    def _look(self, connection: Connection) -> None:
        [(mine,)] = connection.execute("SELECT pg_try_advisory_lock(%s)", [lock_number(LOCK)]).fetchall()
        if not mine:
            return
        seen = look(connection)
        self._remember(seen)
        progress = load_progress(
            Standing(self.expected, seen, self.earlier),
            self.pace,
            datetime.now(UTC),
            attempt=self.name,
            version=self.archive.source.version,
        )
        self.write(progress)

    def _remember(self, seen: Seen) -> None:
        """Keep what is on its way, which the server forgets when it is there, and sample the tables that are new."""
        filling = [*seen.copies, *(name for name in seen.rows if name == LARGE_OBJECTS)]
        if not filling:
            return
        if self.blocks is None:
            self._find_blocks()
        copies = dict(self.earlier.copies)
        for name, copied in seen.copies.items():
            copies[name] = max(copied, copies.get(name, copied))
        known = dict(self.earlier.expansions)
        for name in filling:
            block = (self.blocks or {}).get(name)
            if name not in known and block and block.length >= SAMPLED_FROM:
                known[name] = expansion(self.archive, block.offset)
        self.earlier = replace(self.earlier, copies=copies, expansions=known)

    def _find_blocks(self) -> None:
        """Know what each table takes of the file, where that is told or kept by now."""
        self.blocks = {}
        if self.archive.format is not ArchiveFormat.CUSTOM:
            return
        if index := told_index(self.archive) or self.shelf.read():
            self.expected = self.expected.with_blocks(self.archive, index)
            self.blocks = self._by_name(index)
        largest = max(self.blocks.values(), key=lambda block: block.length, default=None)
        factor = expansion(self.archive, largest.offset if largest else self.archive.head_size)
        self.earlier = replace(self.earlier, expansion=factor)

    def _by_name(self, index: BlockIndex) -> dict[Name, Block]:
        names = {entry.dump_id: filled_by(entry) for entry in self.archive.entries}
        return {name: block for block in index.blocks if (name := names[block.dump_id])}
