"""Give the planner its statistics, over as many connections as a load has."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import psycopg
from psycopg import sql

from shared.contracts.imports import Note, NoteKind
from shared.postgres.destination import Destination
from shared.postgres.server import message

# A partitioned table is analyzed with its partitions.
_TABLES = (
    "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'm', 'p') AND NOT c.relispartition AND pg_catalog.pg_has_role(c.relowner, 'USAGE')"
    " ORDER BY c.relkind = 'p' DESC, c.relpages DESC, pg_catalog.pg_relation_size(c.oid) DESC, c.oid"
)


def analyze(destination: Destination, jobs: int) -> list[Note]:
    """Analyze every table, the largest first; a database without statistics is complete, only slow.

    Raises:
        DeadlinePassed: no time is left before it begins.
    """
    left = destination.deadline.left()
    limit = 0 if left is None else max(1, int(left * 1000))
    with destination.connect() as connection:
        tables = iter(connection.execute(_TABLES).fetchall())
    with ThreadPoolExecutor(jobs, thread_name_prefix="analyze") as pool:
        futures = [pool.submit(copy_context().run, _analyze, destination, tables, limit) for _ in range(jobs)]
    return [note for future in futures for note in future.result()]


def _analyze(destination: Destination, tables: Iterator[tuple[str, str]], limit: int) -> list[Note]:
    """Analyze tables as long as there are some; `limit` is in milliseconds, for each."""
    notes: list[Note] = []
    with destination.connect() as connection:
        connection.execute(f"SET statement_timeout = {limit}")
        for table in tables:
            statement = sql.SQL("ANALYZE {}").format(sql.Identifier(*table))
            try:
                connection.execute(statement)
            except psycopg.Error as error:
                subject = f"ANALYZE {'.'.join(table)}"
                notes.append(Note(kind=NoteKind.TOLERATED, subject=subject, reason=message(error), matters=False))
    return notes
