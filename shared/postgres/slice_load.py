"""Load the data of an archive in slices, side by side: each by a pg_restore that reads head and slice from a pipe.

A slice is loaded once, whoever tries: it is fenced by an advisory lock, and nothing is done to its tables before the
lock's own connection has seen the session that does it. Whoever gets the lock later therefore finds that session, and
ends it. An attempt in whose place another one goes on finds that in the ledger, and does not begin a slice.

What an earlier attempt has brought is gone before the next one begins: a transaction around the whole slice would end
at the first error that is harmless, such as an old server's word on a new setting.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, replace
from pathlib import Path

from shared.contracts.imports import Note
from shared.errors import LoadInterrupted, PermanentError
from shared.postgres.blocks import read_index
from shared.postgres.pg_restore import Feed, Restorer
from shared.postgres.post_data import restore_post_data
from shared.postgres.schemas import Opened
from shared.postgres.server import Connection, server_errors
from shared.postgres.slice_ledger import SliceLedger
from shared.postgres.slices import Slice, digest, divide, plan_slices
from shared.postgres.source import read_ahead
from shared.postgres.temporary import Underway
from shared.postgres.toc import Entry
from shared.postgres.tolerance import Findings, merged

log = logging.getLogger(__name__)

PIECE = 2 << 20
"""Bytes of one read of a slice."""
PAUSES = (2.0, 5.0)
"""Seconds after which a slice whose connection broke is tried again; after that the whole load is."""
LOOKS_EVERY = 0.05
"""Seconds between two looks for a session."""


@dataclass(frozen=True)
class SliceLoader:
    """Loads slices into one database."""

    restorer: Restorer
    head: Path
    """The archive's table of contents, on the local disk."""
    ledger: SliceLedger | None = None

    def load(self, one: Slice) -> Findings:
        """Load a slice, alone; waits for whoever loads it already.

        Raises:
            LoadInterrupted: another attempt goes on with the load.
            FlexRestoreError: as `Restorer.run`.
        """
        destination = self.restorer.destination
        label = f"{destination.dbname}/{one.number}"
        with server_errors(), destination.server.advisory_lock(f"flex-restore slice {label}") as connection:
            if self.ledger:
                self.ledger.require(connection)
            self._end_sessions(connection, f"{label}/")
            if one.repeatable:
                self._start_over(one, f"{label}/over", connection)
            session = f"{label}/{secrets.token_hex(4)}"
            return self._restore(one, session, lambda ended: _has_begun(connection, session, ended))

    def _end_sessions(self, connection: Connection, prefix: str) -> None:
        """End the sessions of earlier attempts, and wait until they are gone."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE starts_with(application_name, %s)"
        while connection.execute(query, [prefix]).fetchall():
            _go_on(self.restorer)
            time.sleep(LOOKS_EVERY)

    def _start_over(self, one: Slice, session: str, lock: Connection) -> None:
        """Empty the tables that an earlier attempt has put rows into; large objects are written over."""
        destination = self.restorer.destination
        with destination.server.connect(destination.dbname, application_name=session) as connection:
            _has_begun(lock, session, threading.Event())
            for table in one.tables:
                name = table.encode("utf-8", "surrogateescape")
                literal = b"'" + name.replace(b"'", b"''") + b"'"
                [(size,)] = connection.execute(b"SELECT pg_catalog.pg_relation_size(" + literal + b")").fetchall()
                if size:
                    connection.execute(b"TRUNCATE ONLY " + name)

    def _restore(self, one: Slice, session: str, has_begun: Callable[[threading.Event], bool]) -> Findings:
        destination = self.restorer.destination
        folder = destination.folder / f"slice-{one.number}"
        folder.mkdir(exist_ok=True)

        def chunks(ended: threading.Event) -> Iterator[bytes]:
            with self.head.open("rb") as head:
                while piece := head.read(PIECE):
                    yield piece
            yield b""
            if has_begun(ended):
                yield from read_ahead(self.restorer.archive.source, one.ranges, PIECE)

        restorer = replace(self.restorer, destination=replace(destination, folder=folder))
        return restorer.run(one.entries, Feed(f"slice {one.number}, {one.size} bytes", chunks, session))


@dataclass(frozen=True)
class Start:
    """What was done before the main pass."""

    findings: Findings
    opened: Opened
    granted: tuple[str, ...]
    settings: tuple[Note, ...]

    def underway(self, started: float, plan: str, jobs: int, findings: Findings) -> Underway:
        """What another attempt needs to go on with the slices of this plan."""
        return Underway(
            started=started,
            plan=plan,
            jobs=jobs,
            opened=tuple(self.opened),
            granted=self.granted,
            settings=self.settings,
            notes=findings.notes,
            absent=findings.absent,
        )


def restore_sliced(
    loader: SliceLoader, entries: Iterable[Entry], jobs: int, ledger: SliceLedger, start: Start
) -> list[Findings]:
    """Restore the entries of the main pass: what comes before the data, the data in slices, and what comes after.

    An attempt that was ended while slices were loaded is gone on with: only those that it has not loaded are.

    Raises:
        LoadInterrupted: what the other attempt did does not fit; the next one starts anew.
        FlexRestoreError: as `Restorer.run`.
    """
    parts, restorer, head = divide(tuple(entries)), loader.restorer, loader.head
    before = restorer.run(parts.before, head) if ledger.underway is None else Findings()
    index = read_index(restorer.archive, lambda: _go_on(restorer), ledger.shelf)
    planned = plan_slices(restorer.archive, parts.data, index, ledger.underway.jobs if ledger.underway else jobs)
    plan = digest(planned, head.read_bytes() + restorer.archive.source.version.encode())
    if ledger.underway is None:
        once = load_slices(loader, [one for one in planned if not one.repeatable], jobs)
        ledger.begin(start.underway(ledger.started, plan, jobs, merged([start.findings, before, once])))
    elif ledger.underway.plan != plan:
        ledger.end()
        raise LoadInterrupted("an attempt that was ended has cut the archive in another way; the load starts anew")
    else:
        ledger.take_over()
    left = [one for one in planned if one.repeatable and one.number not in ledger.done]
    restorer.destination.write(f"-- {len(left)} of {len(planned)} slices, {jobs} side by side")
    loaded = load_slices(loader, left, jobs, ledger)
    found = [ledger.end(), loaded]
    return [*found, *restore_post_data(restorer, parts.after, head, jobs, merged(found))]


def load_slices(loader: SliceLoader, slices: Iterable[Slice], jobs: int, ledger: SliceLedger | None = None) -> Findings:
    """Load slices side by side, and mark those that are; the first one that fails stops the others.

    Raises:
        FlexRestoreError: as `Restorer.run`.
    """
    crew = _Crew(loader, ledger)
    with ThreadPoolExecutor(jobs, thread_name_prefix="slice") as pool:
        futures = [pool.submit(copy_context().run, crew.load, one) for one in slices]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            crew.stop.set()
    if crew.failures:
        raise crew.failures[0]
    return merged(future.result() for future in futures)


class _Crew:
    """Loads slices until one of them has failed."""

    def __init__(self, loader: SliceLoader, ledger: SliceLedger | None) -> None:
        destination = loader.restorer.destination
        restorer = replace(loader.restorer, destination=replace(destination, still_wanted=self._go_on))
        self.stop = threading.Event()
        self.failures: list[BaseException] = []
        """The first one is why the others were stopped."""
        self._loader = replace(loader, restorer=restorer, ledger=ledger)
        self._ledger = ledger
        self._still_wanted = destination.still_wanted

    def load(self, one: Slice) -> Findings:
        """Load a slice; one that can start over is tried several times."""
        try:
            findings = self._load(one)
            if self._ledger and one.lasting:
                self._ledger.mark(one.number, findings)
        except BaseException as error:
            self.failures.append(error)
            self.stop.set()
            raise
        return findings

    def _load(self, one: Slice) -> Findings:
        for pause in PAUSES if one.repeatable else ():
            self._go_on()
            try:
                return self._loader.load(one)
            except PermanentError:
                raise
            except Exception:
                if self.stop.wait(pause):
                    raise
                log.warning("slice %s is loaded once more", one.number, exc_info=True)
        self._go_on()
        return self._loader.load(one)

    def _go_on(self) -> None:
        if self.stop.is_set():
            raise LoadInterrupted("another part of the database could not be loaded")
        self._still_wanted()


def _go_on(restorer: Restorer) -> None:
    """Stop when there is no time left, or nobody wants the load any more."""
    restorer.destination.deadline.left()
    restorer.destination.still_wanted()


def _has_begun(connection: Connection, session: str, ended: threading.Event) -> bool:
    """Wait until the session is there, which also tells that the lock still is; false when there will be none."""
    query = "SELECT FROM pg_stat_activity WHERE application_name = %s"
    while not connection.execute(query, [session]).fetchall():
        if ended.wait(LOOKS_EVERY):
            return False
    return True
