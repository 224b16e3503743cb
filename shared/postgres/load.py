"""Load a database file into a new database under a temporary name, once, however often it is asked for."""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import psycopg

from shared.contracts.imports import ArchiveFormat, DatabaseLoad, LoadMethod, Note, NoteKind, Notes
from shared.errors import LoadInterrupted, PermanentError, TargetRefused, TargetUnavailable
from shared.postgres import slices, temporary
from shared.postgres.archive import Archive, inspect
from shared.postgres.archive_load import ArchiveLoad, Loaded, Sharing
from shared.postgres.blocks import NO_SHELF, Shelf
from shared.postgres.destination import Deadline, Destination
from shared.postgres.load_settings import load_settings, read_resources
from shared.postgres.memory import jobs_that_fit
from shared.postgres.notes import make_note, readable
from shared.postgres.observer import Write, observed
from shared.postgres.options import EVERYTHING, ImportOptions
from shared.postgres.piece_load import route_of
from shared.postgres.properties import NOT_ITS_OWN, renamed
from shared.postgres.script_load import ScriptLoad
from shared.postgres.server import Capabilities, Connection, TargetServer, message, server_errors
from shared.postgres.source import FileSource
from shared.postgres.split import UNKNOWN, Strength
from shared.postgres.staging import (
    Route,
    Slicing,
    Staging,
    WantedRoute,
    choose,
    choose_width,
    from_head,
    workspace,
)
from shared.postgres.statistics import analyze
from shared.postgres.temporary import Database, LoadKey, Record, Underway
from shared.postgres.tools import Toolbox

log = logging.getLogger(__name__)

ENOUGH_CONNECTIONS = 16
"""Of the server or of the user, from which on one more is no loss to a load."""


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
    lanes: int = 1
    """Processes that may load it side by side, each with its connections; 0 for as many as its size is worth."""
    timeout_seconds: float | None = None
    still_wanted: Callable[[], None] = lambda: None
    """Raises when nobody wants the load any more; it is asked every few seconds."""
    options: ImportOptions = EVERYTHING
    shelf: Shelf = NO_SHELF
    """Where the caller keeps what the file was read for."""
    strength: Strength = UNKNOWN
    """What the operator tells of the target server."""
    write_progress: Write | None = None
    """Where the caller keeps how far the load is."""

    @property
    def key(self) -> LoadKey:
        """What the load is fenced by."""
        return LoadKey(self.restore_id, self.database)

    def observed(
        self, server: TargetServer, name: str, archive: Archive, capabilities: Capabilities
    ) -> AbstractContextManager[None]:
        """A context in which the caller is told how far the load into the database of that name is.

        Where connections are few, the load needs them all.
        """
        told = self.write_progress if capabilities.max_connections >= ENOUGH_CONNECTIONS else None
        return observed(server, name, archive, told, rows=self.options.rows, shelf=self.shelf)

    def deadline(self, started: float) -> Deadline:
        """The end of a load that was begun then, in seconds since 1970."""
        limit = self.timeout_seconds
        return Deadline(None if limit is None else limit - max(0.0, time.time() - started))


@dataclass(frozen=True)
class Shared:
    """A load whose pieces several processes may do side by side."""

    lanes: int
    """How many processes, at most."""


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
    call left behind is dropped, and so is what was loaded of a file that was written again since; only a load in pieces
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
    result = load_or_share(server, toolbox, source, replace(job, lanes=1), log_file, finished=finished)
    if isinstance(result, Shared):
        raise LoadInterrupted("pieces of the database are left")
    return result


def load_or_share(  # noqa: PLR0913  as `load_database`
    server: TargetServer,
    toolbox: Toolbox,
    source: FileSource,
    job: LoadJob,
    log_file: BinaryIO,
    *,
    finished: Callable[[], DatabaseLoad | None] = lambda: None,
) -> DatabaseLoad | Shared:
    """Load the file as `load_database` does, up to where several processes can go on, if the job wants several.

    When they have, with `load_pieces`, this is called again.

    Raises:
        FlexRestoreError: as `load_database`.
    """
    archive = inspect(source, toolbox)
    with server_errors(), server.advisory_lock(job.key.lock, job.still_wanted) as connection:
        left: Database | None = None
        for database in temporary.temporaries(connection, job.key):
            if (record := database.record) and record.load.file_version == source.version:
                log.info("database %s of restore %s is loaded already", job.database, job.restore_id)
                return record.load
            if left is None and database.underway and not database.underway.failed:
                left = database
            else:
                temporary.drop(connection, database.name)
        if load := finished():
            log.info("database %s of restore %s was loaded before", job.database, job.restore_id)
            return load
        return _Load(server, archive, job, log_file, connection, left).run()


def load_pieces(  # noqa: PLR0913, PLR0917  as `load_database`, and until when
    server: TargetServer, toolbox: Toolbox, source: FileSource, job: LoadJob, log_file: BinaryIO, until: float
) -> int:
    """Do pieces of a load that `load_database` has begun, beside other processes that do; how many are left to do.

    Nothing is begun after `until`, as of time.monotonic(). None are left when all are done, and when this load is not
    gone on with: then `load_database` tells what is to be done.

    Raises:
        FlexRestoreError: as `load_database`.
    """
    archive = inspect(source, toolbox)
    with server_errors():
        with server.connect() as connection:
            databases = temporary.temporaries(connection, job.key)
            plan = ArchiveLoad.prepare(archive, connection, job.options)
            resources = read_resources(connection)
        for database in databases:
            underway = database.underway
            if underway and not underway.finishing:
                watched = job.observed(server, database.name, archive, plan.capabilities)
                with workspace(Staging(None, 0), "") as folder, watched:
                    settings = load_settings(resources, underway.jobs * underway.lanes)
                    deadline = job.deadline(underway.started)
                    destination = Destination(
                        server, database.name, folder, log_file, deadline, job.still_wanted, settings
                    )
                    return plan.load_pieces(destination, underway, job.shelf, job.strength, until)
    return 0


@dataclass(frozen=True)
class _Load:
    """A load that holds its lock, on `connection`."""

    server: TargetServer
    archive: Archive
    job: LoadJob
    log_file: BinaryIO
    connection: Connection
    left: Database | None
    """What an attempt that was ended while it loaded pieces has left, or what others have loaded pieces of."""

    def run(self) -> DatabaseLoad | Shared:
        """Create the database, fill it, and write into its comment that it is loaded."""
        plain = self.archive.format is ArchiveFormat.PLAIN
        plan = (ScriptLoad if plain else ArchiveLoad).prepare(self.archive, self.connection, self.job.options)
        route = self._route(plan)
        left = self._left(route)
        underway = left.underway if left else None
        started = underway.started if underway else time.time()
        name = left.name if left else self.job.key.new_name()
        try:
            if left and underway:
                oid, notes = left.oid, list(underway.settings)
                name = self._own(left, underway)
            else:
                oid = self._create(name, plan.properties.options)
                notes = self._set(name, plan.properties.name, plan.properties.settings)
            settings = load_settings(read_resources(self.connection), route.jobs * route.lanes)
            staging = Staging(self.job.staging, self.job.staging_budget)
            watched = self.job.observed(self.server, name, self.archive, plan.capabilities)
            with workspace(staging, self.job.key.lock) as folder, watched:
                wanted, deadline = self.job.still_wanted, self.job.deadline(started)
                destination = Destination(self.server, name, folder, self.log_file, deadline, wanted, settings)
                destination.write(f"-- settings: {', '.join(map(' = '.join, settings.items()))}")
                if isinstance(plan, ScriptLoad):
                    loaded: Loaded | None = plan.fill(destination, route)
                else:
                    alone = self.job.lanes == 1 or route.lanes == 1
                    sharing = Sharing(self.connection, alone, underway, tuple(notes), self.job.shelf, self.job.strength)
                    loaded = plan.fill(destination, route, sharing)
                analyzed = analyze(destination, route.jobs) if loaded else []
            if loaded is None:
                return Shared(route.lanes)
            closing, unreadable = _recordable(loaded.closing)
            notes += [*self.job.options.notes, *loaded.notes, *unreadable, *analyzed]
            result = self._result(name, oid, loaded, notes, time.time() - started)
            record = Record(load=result, source_name=readable(plan.properties.name), closing=closing)
            temporary.comment(self.connection, name, record.model_dump_json())
        except BaseException as error:
            self._clean_up(name, for_good=not _passes(error))
            raise
        return result

    def _left(self, route: Route) -> Database | None:
        """What an ended attempt has left, where this one goes on with it; else that is dropped."""
        if self.left and route.method is not LoadMethod.SLICED:
            temporary.drop(self.connection, self.left.name)
            return None
        return self.left

    def _own(self, left: Database, underway: Underway) -> str:
        """The database's name: another one where an attempt that may not know that it has ended was at its finish."""
        if not underway.finishing:
            return left.name
        name = self.job.key.new_name()
        temporary.rename(self.connection, left.name, name)
        return name

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
        size = self.archive.source.size
        most = 1 if tar else min(self.server.max_jobs, jobs_that_fit(self.archive))
        jobs, lanes = choose_width(self.job.jobs, self.job.lanes, size, most, plan.capabilities.max_connections)
        if not self.job.options.rows:
            return from_head(self.archive.head_size, size, jobs)
        if tar:
            return Route(LoadMethod.STREAMED, "pg_restore reads a tar archive with one job only, front to back")
        staging = Staging(self.job.staging, self.job.staging_budget)
        tells_places = all(entry.place for entry in self.archive.entries if entry.place is not None)
        slicing = Slicing(slices.why_not(self.archive, plan.selection), tells_places, self.archive.rows_are_chunks)
        underway = self.left.underway if self.left else None
        if underway and self.job.wanted_route in {"auto", "sliced"} and not slicing.why_not:
            return route_of(underway)
        return choose(size, staging, jobs, slicing, self.job.wanted_route, lanes)

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
            jobs=loaded.route.jobs * loaded.route.lanes,
            seconds=round(seconds, 3),
            archive=self.archive.summary,
            file_version=self.archive.source.version,
            absent=loaded.absent,
            notes=Notes.bounded(notes),
        )

    def _clean_up(self, name: str, *, for_good: bool) -> None:
        """Drop the database of a failed load, unless others can go on with it.

        The lock's connection is there when the server takes no more of them; it may be what was lost. Then another
        attempt may have the lock, and what that one goes on with is its own.
        """
        try:
            _drop(self.connection, name, also_underway=for_good)
        except psycopg.Error as error:
            log.info("the connection that holds the lock is of no use any more: %s", error)
        else:
            return
        try:
            with self.server.connect() as connection:
                _drop(connection, name)
        except (psycopg.Error, TargetUnavailable, TargetRefused) as error:
            log.warning("database %s stays until the next attempt: %s", name, error)


def _drop(connection: Connection, name: str, *, also_underway: bool = False) -> None:
    """Drop a database that is not loaded; one that others can go on with only where that is said."""
    database = temporary.by_name(connection, name)
    if database and not database.record and (also_underway or not database.underway):
        temporary.drop(connection, name)


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
