"""What comes after the data: indexes and keys of large tables one by one, then everything else by pg_restore."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shared.errors import ImportFailed
from shared.postgres.board import Held, LocalBoard
from shared.postgres.crew import Crew
from shared.postgres.load_settings import Resources, read_resources
from shared.postgres.pg_restore import Restorer
from shared.postgres.pieces import memory_for, plan_pieces
from shared.postgres.schedule import Build, make_schedule
from shared.postgres.server import Connection
from shared.postgres.sessions import end_sessions
from shared.postgres.slice_load import literal
from shared.postgres.toc import Entry
from shared.postgres.tolerance import Findings

_SIZES = (
    "SELECT n.nspname, c.relname, pg_catalog.pg_table_size(c.oid) FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm')"
)

_INDEX = (
    b"SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    b" WHERE n.nspname = %b AND c.relname = %b"
)
_CONSTRAINT = (
    b"SELECT FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid"
    b" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %b"
    b" AND c.relname || ' ' || k.conname = %b"
)
"""An archive calls a constraint by its table's name and its own."""


def restore_post_data(
    restorer: Restorer, entries: Sequence[Entry], head: Path, jobs: int, cores: int = 0
) -> list[Findings]:
    """Restore these entries from the archive's head, over as many connections as there are jobs.

    `cores` are the server's, where they are known.

    Raises:
        FlexRestoreError: as `Restorer.run`.
    """
    with restorer.destination.connect() as connection:
        resources, sizes = read_resources(connection, cores), _sizes(connection)
    schedule = make_schedule(entries, restorer.archive.entries, sizes)
    if jobs == 1 or not schedule.builds:
        return [restorer.run(entries, head, jobs=jobs)]
    first = restorer.run(schedule.first, head)
    board = LocalBoard(plan_pieces((), schedule.builds, {}), jobs, resources)
    Crew(board, restorer, Builder(head, jobs, resources)).run(jobs)
    return [first, *board.findings, restorer.run(schedule.others, head, jobs=jobs)]


def _sizes(connection: Connection) -> dict[tuple[str, str], int]:
    """Bytes of each table by schema and name."""
    return {(schema, name): size for schema, name, size in connection.execute(_SIZES)}


@dataclass(frozen=True)
class Builder:
    """Builds an index or a constraint that a board has handed out."""

    head: Path
    """The archive's table of contents, on the local disk."""
    loaders: int
    """How many builds there can be at once, over all processes."""
    resources: Resources

    def __call__(self, restorer: Restorer, held: Held) -> Findings:
        """Build it, with its share of workers and memory, unless an earlier attempt has.

        Raises:
            FlexRestoreError: as `Restorer.run`.
        """
        build = held.piece.build
        if build is None:
            raise AssertionError("the piece is an index or a constraint")
        destination = restorer.destination
        folder = destination.folder / f"build-{build.entry.dump_id}"
        folder.mkdir(exist_ok=True)
        settings = {
            **destination.settings,
            "max_parallel_maintenance_workers": str(held.workers),
            "maintenance_work_mem": f"{memory_for(build, held.workers, self.loaders, self.resources)}kB",
        }
        here = replace(restorer, destination=replace(destination, folder=folder, settings=settings))
        if held.connection is None:
            return here.run([build.entry], self.head)
        return self._build_once(here, build, f"{destination.dbname}/{held.piece.number}/", held.connection)

    def _build_once(self, restorer: Restorer, build: Build, label: str, lock: Connection) -> Findings:
        """Build what others may have built, or may be building after they have lost its lock."""
        end_sessions(restorer.destination, lock, label)
        try:
            return replace(restorer, session=label + secrets.token_hex(4)).run([build.entry], self.head)
        except ImportFailed:
            if _exists(restorer, build):
                return Findings()
            raise


def _exists(restorer: Restorer, build: Build) -> bool:
    """Whether it is there; then it is whole, for it is made by one statement."""
    entry = build.entry
    query = _INDEX if entry.desc == "INDEX" else _CONSTRAINT
    with restorer.destination.connect() as connection:
        return bool(connection.execute(query % (literal(entry.schema), literal(entry.name))).fetchall())
