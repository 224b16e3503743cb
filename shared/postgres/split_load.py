"""Load the rows of one table over several connections: unpacked once, cut between rows, and copied side by side.

The rows are not looked at: in the text of a COPY a newline ends a row, and nothing else is one, in every encoding that
an archive can have. What a server refuses, or what cannot be read, is not sorted out here: pg_restore starts the table
over, and tells it as on every way.
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from queue import Empty, Full, Queue

import psycopg

from shared.errors import FlexRestoreError, LoadInterrupted, UnreadableFile
from shared.postgres.pg_restore import Restorer
from shared.postgres.printout import print_rows
from shared.postgres.server import Connection, server_errors
from shared.postgres.sessions import has_begun
from shared.postgres.slices import Slice
from shared.postgres.source import read_ahead
from shared.postgres.toc import python_codec
from shared.postgres.tolerance import Findings
from shared.postgres.unpacking import read_rows

log = logging.getLogger(__name__)

PIECE = 1 << 20
"""Bytes of one read of the archive."""
BLOCK = 256 << 10
"""Bytes of rows that a connection gets at once."""
WAITING = 2
"""Blocks that wait for each connection."""
LOOKS_EVERY = 1.0
"""Seconds between two looks whether the load goes on."""
_END = b"\\.\n"
"""The line behind the last row."""
_TAIL = 512
"""Bytes at the end of what is known of the rows that may be that line and what pg_restore prints behind it."""
_BEFORE = 1 << 20
"""Bytes that pg_restore may print before the rows."""
_PASSING = frozenset({"08", "53", "57"})
"""Classes of what a server says of itself and not of rows: a lost connection, something used up, its end."""


@dataclass(frozen=True)
class Part:
    """Some of a table's rows."""

    data: bytes
    whole: bool = True
    """Whether a row ends at its end; else the next part goes to the same connection."""


def load_split(restorer: Restorer, one: Slice, label: str, lock: Connection) -> Findings | None:
    """Copy the slice's only table, which is empty, over as many connections as the slice says.

    Each session is called after the label, and gets its first row when the lock's own connection has seen it. None: it
    cannot be done, and the slice is to be loaded as others are; some rows and sessions may be there.

    Raises:
        FlexRestoreError: as `Restorer.run`.
    """
    restorer.destination.write(f"-- COPY over {one.copies} connections: slice {one.number}, {one.size} bytes")
    try:
        _Writers(restorer, one, label, lock).run()
    except psycopg.Error as error:
        if (error.sqlstate or "08")[:2] in _PASSING:
            raise _without_rows(error) from None
        log.warning("the server refuses rows of slice %s (%s); pg_restore is to tell which", label, error.sqlstate)
        return None
    except UnreadableFile:
        log.warning("slice %s cannot be read, and is loaded once more as others are", label, exc_info=True)
        return None
    return Findings()


def _without_rows(error: psycopg.Error) -> FlexRestoreError:
    """The app's error for one of the server's, which may quote a row and would be logged with it."""
    try:
        with server_errors():
            raise error
    except FlexRestoreError as known:
        return known


class Cutter:
    """Cuts rows, which come in pieces, into parts: between two rows where they are not larger than a block."""

    def __init__(self, statement: bytes = b"") -> None:
        """Begin with the first row, or behind a statement that is printed before it."""
        self._before = b"\n" + statement if statement else b""
        self._buffer = b""

    def feed(self, piece: bytes) -> Iterator[Part]:
        """The part that is complete with this piece, if any.

        Raises:
            UnreadableFile: the statement does not come.
        """
        self._buffer += piece
        if self._before and self._before in self._buffer:
            self._buffer = self._buffer.partition(self._before)[2]
            self._before = b""
        if self._before:
            if len(self._buffer) > _BEFORE:
                raise UnreadableFile("pg_restore prints no rows")
            return
        if len(self._buffer) >= BLOCK + _TAIL:
            end = self._buffer.rfind(b"\n", 0, -_TAIL) + 1
            yield Part(self._buffer[: end or -_TAIL], whole=end > 0)
            self._buffer = self._buffer[end or -_TAIL :]

    def close(self) -> Part:
        """What is left.

        Raises:
            UnreadableFile: the line that ends the rows is not there.
        """
        end = self._buffer.rfind(_END)
        if self._before or end < 0 or self._buffer[max(0, end - 1) : end] not in {b"", b"\n"}:
            raise UnreadableFile("the archive is truncated: the rows of a table do not come to their end")
        return Part(self._buffer[:end])


class _Writers:
    """Connections that copy into one table; the first one that fails stops the others."""

    def __init__(self, restorer: Restorer, one: Slice, label: str, lock: Connection) -> None:
        self._restorer = restorer
        self._slice = one
        [self._entry] = one.entries
        self._statement = self._entry.copy_statement.encode(python_codec(restorer.archive.encoding), "surrogateescape")
        self._label = label
        self._lock = lock
        self._queues = [Queue[Part | None](WAITING) for _ in range(one.copies)]
        self._unfinished: Queue[Part | None] | None = None
        """Where the rest of a row goes."""
        self._guard = threading.Lock()
        """Of what follows."""
        self._failures: list[BaseException] = []
        """The first one is why the others were stopped."""
        self._lines: list[socket.socket] = []
        """What the connections are made of."""
        self._stop = threading.Event()
        self._looked = time.monotonic()

    def run(self) -> None:
        """Copy all rows.

        Raises:
            UnreadableFile: they are truncated or corrupt.
            psycopg.Error: the server refuses something, or a connection was lost.
            FlexRestoreError: as `Restorer.run`.
        """
        with ThreadPoolExecutor(len(self._queues), thread_name_prefix="copy") as pool:
            futures = [pool.submit(copy_context().run, self._write, queue) for queue in self._queues]
            try:
                self._read()
                for queue in self._queues:
                    self._put(queue, None)
                while wait(futures, LOOKS_EVERY).not_done:
                    self._go_on()
            except BaseException as error:  # noqa: BLE001  raised below, unless another one came before it
                self._fail(error)
        if self._failures:
            raise self._failures[0]

    def _read(self) -> None:
        """Hand out all rows: unpacked here where that is faster, else as pg_restore prints them."""
        archive = self._restorer.archive
        if archive.is_unpacked:
            cutter = Cutter()
            with closing(read_ahead(archive.source, self._slice.ranges, PIECE)) as pieces:
                for piece in read_rows(pieces, self._entry.dump_id, archive.int_size):
                    self._hand_out(cutter.feed(piece))
        else:
            cutter = Cutter(self._statement)
            print_rows(self._restorer, self._slice, lambda piece: self._hand_out(cutter.feed(piece)), self._go_on)
        self._hand_out([cutter.close()])

    def _hand_out(self, parts: Iterable[Part]) -> None:
        """Give each part to a connection that has little to do."""
        for part in parts:
            queue = self._unfinished or min(self._queues, key=Queue.qsize)
            self._put(queue, part)
            self._unfinished = None if part.whole else queue

    def _put(self, queue: Queue[Part | None], part: Part | None) -> None:
        while True:
            self._go_on()
            try:
                return queue.put(part, timeout=LOOKS_EVERY)
            except Full:
                continue

    def _go_on(self) -> None:
        """Stop when a connection has, when there is no time left, or nobody wants the load any more."""
        if self._stop.is_set():
            raise LoadInterrupted("a part of the table could not be copied")
        if time.monotonic() - self._looked > LOOKS_EVERY:
            self._looked = time.monotonic()
            self._restorer.destination.deadline.left()
            self._restorer.destination.still_wanted()

    def _fail(self, error: BaseException) -> None:
        """Stop all of them, also one that waits for a server that says nothing."""
        with self._guard:
            self._failures.append(error)
            self._stop.set()
            for line in self._lines:
                with suppress(OSError):  # it is down already
                    line.shutdown(socket.SHUT_RDWR)

    def _write(self, queue: Queue[Part | None]) -> None:
        """Copy what is handed out, over a connection of one's own."""
        try:
            self._copy(queue)
        except BaseException as error:  # noqa: BLE001  raised by run
            self._fail(error)

    def _copy(self, queue: Queue[Part | None]) -> None:
        destination, session = self._restorer.destination, f"{self._label}/{secrets.token_hex(4)}"
        with (
            closing(destination.server.connect(destination.dbname, application_name=session)) as connection,
            self._line(connection),
        ):
            for name, value in {**self._state, **destination.settings}.items():
                connection.execute("SELECT pg_catalog.set_config(%s, %s, false)", [name, value])
            if not has_begun(self._lock, session, self._stop):
                raise LoadInterrupted("another part of the table could not be copied")
            with connection.cursor() as cursor, cursor.copy(self._statement) as copy:
                for part in self._parts(queue, session):
                    copy.write(part.data)

    @contextmanager
    def _line(self, connection: Connection) -> Iterator[None]:
        """Have a connection cut off when another one fails.

        It is reached by a descriptor of its own: psycopg's may be another file's as soon as the connection is lost.
        """
        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            with self._guard:
                self._lines.append(line)
            try:
                if self._stop.is_set():
                    raise LoadInterrupted("another part of the table could not be copied")
                yield
            finally:
                with self._guard:
                    self._lines.remove(line)

    @property
    def _state(self) -> dict[str, str]:
        """What pg_restore sets for its session, of which the text of rows or the work on them depends."""
        archive = self._restorer.archive
        old = any(entry.desc == "STDSTRINGS" and "'off'" in entry.definition for entry in archive.entries)
        return {
            "standard_conforming_strings": "off" if old else "on",
            "search_path": "",
            "xmloption": "content",
            "row_security": "off",
            "client_min_messages": "warning",
            "client_encoding": archive.encoding,
        }

    def _parts(self, queue: Queue[Part | None], session: str) -> Iterator[Part]:
        """What is handed out to a session."""
        looked = time.monotonic()
        while True:
            if self._stop.is_set():
                raise LoadInterrupted("another part of the table could not be copied")
            if time.monotonic() - looked > LOOKS_EVERY:
                looked = time.monotonic()
                self._look(session)
            with suppress(Empty):
                if (part := queue.get(timeout=LOOKS_EVERY)) is None:
                    return
                yield part

    def _look(self, session: str) -> None:
        """End a COPY that the server has ended: libpq hears of that only behind the last row."""
        query = "SELECT FROM pg_stat_activity WHERE application_name = %s AND state = 'idle'"
        if self._lock.execute(query, [session]).fetchall():
            raise LoadInterrupted("the server has ended the COPY")
