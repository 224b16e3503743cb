"""Load a database file into a new database under a temporary name, once, however often it is asked for."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import psycopg

from shared.contracts.imports import ArchiveFormat, DatabaseLoad, LoadMethod, Note, NoteKind, Notes
from shared.errors import PermanentError, TargetRefused, TargetUnavailable
from shared.postgres import slices, temporary
from shared.postgres.archive import Archive, inspect
from shared.postgres.archive_load import ArchiveLoad, Loaded
from shared.postgres.blocks import NO_SHELF, Shelf
from shared.postgres.destination import Deadline, Destination
from shared.postgres.load_settings import load_settings, read_resources
from shared.postgres.notes import make_note, readable
from shared.postgres.options import EVERYTHING, ImportOptions
from shared.postgres.properties import NOT_ITS_OWN, renamed
from shared.postgres.script_load import ScriptLoad
from shared.postgres.server import Connection, TargetServer, message, server_errors
from shared.postgres.slice_ledger import SliceLedger
from shared.postgres.source import FileSource
from shared.postgres.staging import (
    Route,
    Slicing,
    Staging,
    WantedRoute,
    choose,
    choose_jobs,
    from_head,
    workspace,
)
from shared.postgres.temporary import Database, LoadKey, Record
from shared.postgres.tools import Toolbox

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadJob:
    """One database of a restore."""

    restore_id: str
    database: str
    """The name in the backup."""
    staging: Path | None = None
    """Folder for staged files; None streams always."""
    staging_budget: int = 0
    """Bytes that this load may stage."""
    wanted_route: WantedRoute = "auto"
    jobs: int = 0
    """Connections at once; 0 for as many as there are local processors, and within the server's limit in any case."""
    timeout_seconds: float | None = None
    still_wanted: Callable[[], None] = lambda: None
    """Raises when nobody wants the load any more; it is asked every few seconds."""
    options: ImportOptions = EVERYTHING
    shelf: Shelf = NO_SHELF
    """Where the caller keeps what the file was read for."""

    @property
    def key(self) -> LoadKey:
        """What the load is fenced by."""
        return LoadKey(self.restore_id, self.database)


def load_database(  # noqa: PLR0913  from where, whereto, with what, and what is known
    server: TargetServer,
    toolbox: Toolbox,
    source: FileSource,
    job: LoadJob,
    log_file: BinaryIO,
    *,
    finished: Callable[[], DatabaseLoad | None] = lambda: None,
) -> DatabaseLoad:
    """Load the file into a database of its own, which nobody else can connect to until it is promoted.

    A second call for the same restore and database waits for the first, and answers what it answered. What a killed
    call left behind is dropped, and so is what was loaded of a file that was written again since; only a load in slices
    is gone on with. Once the first one's database was promoted, nothing on the server tells of it: `finished` is asked
    then, under the load's lock, for the answer that the caller keeps.

    Raises:
        UnreadableFile, ToolTooOld: the file or the tool is not what it takes; nothing was touched.
        TargetRefused: extensions are not allowed, or the database cannot be created as it was; nothing was touched.
        ImportFailed: statements failed that are not known to be harmless.
        DeadlinePassed: it took longer than the job's timeout.
        PermanentError: whatever the job's `still_wanted` raised; what was loaded is dropped.
        TargetUnavailable, LoadInterrupted: try again.
    """
    archive = inspect(source, toolbox)
    with server_errors(), server.advisory_lock(job.key.lock) as connection:
        underway: Database | None = None
        for database in temporary.temporaries(connection, job.key):
            if (record := database.record) and record.load.file_version == source.version:
                log.info("database %s of restore %s is loaded already", job.database, job.restore_id)
                return record.load
            if underway is None and database.underway:
                underway = database
            else:
                temporary.drop(connection, database.name)
        if load := finished():
            log.info("database %s of restore %s was loaded before", job.database, job.restore_id)
            return load
        return _Load(server, archive, job, log_file, connection, underway).run()


@dataclass(frozen=True)
class _Load:
    """A load that holds its lock, on `connection`."""

    server: TargetServer
    archive: Archive
    job: LoadJob
    log_file: BinaryIO
    connection: Connection
    left: Database | None
    """What an attempt that was ended while it loaded slices has left."""

    def run(self) -> DatabaseLoad:
        """Create the database, fill it, and write into its comment that it is loaded."""
        began = time.monotonic()
        deadline = Deadline(self.job.timeout_seconds)
        plain = self.archive.format is ArchiveFormat.PLAIN
        plan = (ScriptLoad if plain else ArchiveLoad).prepare(self.archive, self.connection, self.job.options)
        route = self._route(plan)
        left = self._left(route)
        name = left.name if left else self.job.key.new_name()
        ledger = SliceLedger(self.connection, name, left.underway if left else None, self.job.shelf)
        earlier = max(0.0, time.time() - ledger.started)
        try:
            if left and left.underway:
                oid, notes = left.oid, list(left.underway.settings)
            else:
                oid = self._create(name, plan.properties.options)
                notes = self._set(name, plan.properties.name, plan.properties.settings)
            settings = load_settings(read_resources(self.connection), route.jobs)
            with workspace(Staging(self.job.staging, self.job.staging_budget), self.job.key.lock) as folder:
                wanted = self.job.still_wanted
                destination = Destination(self.server, name, folder, self.log_file, deadline, wanted, settings)
                destination.write(f"-- settings: {', '.join(map(' = '.join, settings.items()))}")
                if isinstance(plan, ScriptLoad):
                    loaded = plan.fill(destination, route)
                else:
                    loaded = plan.fill(destination, route, ledger, notes)
            closing, unreadable = _recordable(loaded.closing)
            notes += [*self.job.options.notes, *loaded.notes, *unreadable, *_analyze(destination)]
            result = self._result(name, oid, loaded, notes, earlier + time.monotonic() - began)
            record = Record(load=result, source_name=readable(plan.properties.name), closing=closing)
            temporary.comment(self.connection, name, record.model_dump_json())
        except BaseException as error:
            if ledger.underway is None:
                self._clean_up(name)
            elif not _passes(error):
                self._give_up(name)
            raise
        return result

    def _left(self, route: Route) -> Database | None:
        """What an ended attempt has left, where this one goes on with it; else that is dropped."""
        if self.left and route.method is not LoadMethod.SLICED:
            temporary.drop(self.connection, self.left.name)
            return None
        return self.left

    def _create(self, name: str, options: str) -> int:
        try:
            return temporary.create(self.connection, name, options)
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            asked = f" with {readable(options)}" if options else ""
            raise TargetRefused(f"the target server cannot create the database{asked}: {message(error)}") from error

    def _set(self, name: str, source_name: str, statements: Iterable[str]) -> list[Note]:
        """Apply the database's settings; what this server does not take, or is about another database, is noted."""
        subject = f"setting of database {source_name}"
        notes = []
        for statement in statements:
            own = renamed(statement, source_name, name)
            if own is None:
                notes.append(make_note(kind=NoteKind.SKIPPED, subject=subject, reason=NOT_ITS_OWN, statement=statement))
                continue
            try:
                self.connection.execute(own.encode("utf-8", "surrogateescape"))
            except psycopg.OperationalError:
                raise
            except psycopg.Error as error:
                notes.append(
                    make_note(kind=NoteKind.TOLERATED, subject=subject, reason=message(error), statement=statement)
                )
        return notes

    def _route(self, plan: ArchiveLoad | ScriptLoad) -> Route:
        if isinstance(plan, ScriptLoad):
            return Route(LoadMethod.SCRIPT, "the file is plain SQL: psql reads it front to back")
        tar = self.archive.format is ArchiveFormat.TAR
        limit = 1 if tar else min(self.server.max_jobs, plan.capabilities.max_connections // 4)
        jobs = choose_jobs(self.job.jobs, limit)
        if not self.job.options.rows:
            return from_head(self.archive.head_size, self.archive.source.size, jobs)
        if tar:
            return Route(LoadMethod.STREAMED, "pg_restore reads a tar archive with one job only, front to back")
        staging = Staging(self.job.staging, self.job.staging_budget)
        tells_places = all(entry.place for entry in self.archive.entries if entry.place is not None)
        slicing = Slicing(slices.why_not(self.archive, plan.selection), tells_places=tells_places)
        if self.left and self.job.wanted_route == "auto" and jobs > 1 and not slicing.why_not:
            return Route(LoadMethod.SLICED, "an attempt that was ended had begun with slices", jobs)
        return choose(self.archive.source.size, staging, jobs, slicing, self.job.wanted_route)

    def _result(self, name: str, oid: int, loaded: Loaded, notes: list[Note], seconds: float) -> DatabaseLoad:
        for note in notes:
            self.log_file.write(f"-- {note.model_dump_json()}\n".encode("utf-8", "backslashreplace"))
        tools = self.archive.toolbox
        return DatabaseLoad(
            temporary_name=name,
            oid=oid,
            method=loaded.route.method,
            method_reason=loaded.route.reason,
            tool=str(tools.psql if loaded.route.method is LoadMethod.SCRIPT else tools.pg_restore),
            jobs=loaded.route.jobs,
            seconds=round(seconds, 3),
            archive=self.archive.summary,
            file_version=self.archive.source.version,
            absent=loaded.absent,
            notes=Notes.bounded(notes),
        )

    def _clean_up(self, name: str) -> None:
        """Drop the database of a failed load; when the server is gone too, the next attempt does it.

        The lock's connection is there when the server takes no more of them; it may be what was lost.
        """
        try:
            temporary.drop(self.connection, name)
        except psycopg.Error as error:
            log.info("the connection that holds the lock is of no use any more: %s", error)
        else:
            return
        try:
            with self.server.connect() as connection:
                temporary.drop(connection, name)
        except (psycopg.Error, TargetUnavailable, TargetRefused) as error:
            log.warning("database %s stays until the next attempt: %s", name, error)

    def _give_up(self, name: str) -> None:
        """Drop a database that others may go on with; only who still has the lock may do that."""
        try:
            temporary.drop(self.connection, name)
        except psycopg.Error as error:
            log.warning("database %s stays until the next attempt: %s", name, error)


def _passes(error: BaseException) -> bool:
    """Whether another attempt may succeed where this one did not."""
    if isinstance(error, psycopg.Error):
        return isinstance(error, psycopg.OperationalError)
    return not isinstance(error, PermanentError)


def _recordable(closing: Iterable[str]) -> tuple[tuple[str, ...], list[Note]]:
    """The statements that a record can hold, and notes on the others, which no server would take either."""
    kept = tuple(statement for statement in closing if readable(statement) == statement)
    reason = "it is not valid UTF-8"
    return kept, [
        make_note(kind=NoteKind.SKIPPED, subject="the database", reason=reason, statement=statement)
        for statement in closing
        if statement not in kept
    ]


def _analyze(destination: Destination) -> list[Note]:
    """Give the planner its statistics; a database without them is complete, only slow."""
    left = destination.deadline.left()
    with destination.connect() as connection:
        try:
            connection.execute(f"SET statement_timeout = {0 if left is None else max(1, int(left * 1000))}")
            connection.execute("ANALYZE")
        except psycopg.Error as error:
            return [Note(kind=NoteKind.TOLERATED, subject="ANALYZE", reason=message(error), matters=False)]
    return []
