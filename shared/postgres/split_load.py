"""Load the rows of one table over several connections: unpacked once, cut between rows, and copied side by side.

The rows are not looked at: in the text of a COPY a newline ends a row, and nothing else is one, in every encoding that
an archive can have. What a server refuses is not sorted out here: pg_restore starts the table over, and names it.
"""

import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from queue import Empty, Full, Queue

from isal import isal_zlib

from shared.errors import LoadInterrupted, UnreadableFile
from shared.postgres.pg_restore import Restorer
from shared.postgres.server import Connection
from shared.postgres.sessions import has_begun
from shared.postgres.slices import Slice
from shared.postgres.source import read_ahead
from shared.postgres.toc import Bytes, Entry, python_codec
from shared.postgres.tolerance import Findings

PIECE = 1 << 20
"""Bytes of one read of the archive."""
BLOCK = 256 << 10
"""Bytes of rows that a connection gets at once."""
WAITING = 2
"""Blocks that wait for each connection."""
LOOKS_EVERY = 1.0
"""Seconds between two looks whether the load goes on."""
_LARGEST = 1 << 20
"""Bytes of a chunk; pg_dump packs into buffers of 4 KiB, and of 128 KiB since version 16."""
_END = b"\\."
"""The line behind the last row."""
_TAIL = 8
"""Bytes at the end of what is known of the rows that may be of that line, and of the empty ones behind it."""


@dataclass(frozen=True)
class Part:
    """Some of a table's rows."""

    data: bytes
    whole: bool = True
    """Whether a row ends at its end; else the next part goes to the same connection."""


def load_split(restorer: Restorer, one: Slice, label: str, lock: Connection) -> Findings:
    """Copy the slice's only table, which is empty, over as many connections as the slice says.

    Each session is called after the label, and gets its first row when the lock's own connection has seen it.

    Raises:
        UnreadableFile: the data are truncated or corrupt.
        psycopg.Error: the server refuses something, or a connection was lost; some rows may be there.
        FlexRestoreError: as `Restorer.run`.
    """
    archive, destination = restorer.archive, restorer.destination
    destination.write(f"-- COPY over {one.copies} connections: slice {one.number}, {one.size} bytes")
    chunks = read_chunks(read_ahead(archive.source, one.ranges, PIECE), archive.int_size)
    writers = _Writers(restorer, one, label, lock)
    with ThreadPoolExecutor(one.copies, thread_name_prefix="copy") as pool:
        futures = [pool.submit(copy_context().run, writers.write, queue) for queue in writers.queues]
        try:
            writers.hand_out(cut(unpack(chunks)))
        except BaseException as error:  # noqa: BLE001  raised below, unless another one came before it
            writers.fail(error)
    if writers.failures:
        raise writers.failures[0]
    for future in futures:
        future.result()
    return Findings()


def read_chunks(pieces: Iterator[bytes], int_size: int) -> Iterator[bytes]:
    """The chunks of one block of rows, whose layout is told in `blocks`.

    Raises:
        UnreadableFile: it is truncated or corrupt.
    """
    data = Bytes(pieces, "a table's rows", int_size)
    data.byte()  # the kind of block
    data.integer()  # the entry's dump id
    while length := data.integer():
        if not 0 < length <= _LARGEST:
            raise UnreadableFile(f"the archive is corrupt: it announces a chunk of {length} bytes")
        yield data.take(length)


def unpack(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The rows in chunks that are packed with gzip, in pieces of a bounded size.

    Raises:
        UnreadableFile: they are truncated or corrupt.
    """
    unpacker = isal_zlib.decompressobj()
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                yield unpacker.decompress(rest, BLOCK)
                rest = unpacker.unconsumed_tail
        yield unpacker.flush()
    except isal_zlib.IsalError as error:  # type: ignore[misc]  # the stub has an instance in the place of the class
        raise UnreadableFile(f"the archive is corrupt: {error}") from error
    if not unpacker.eof:
        raise UnreadableFile("the archive is truncated: it ends in the middle of a table")


def cut(pieces: Iterable[bytes]) -> Iterator[Part]:
    """The rows in parts, cut between two of them where they are not larger than a block.

    Raises:
        UnreadableFile: the line that ends them is not there.
    """
    buffer = b""
    for piece in pieces:
        buffer += piece
        if len(buffer) < BLOCK + _TAIL:
            continue
        end = buffer.rfind(b"\n", 0, -_TAIL) + 1
        yield Part(buffer[: end or -_TAIL], whole=end > 0)
        buffer = buffer[end or -_TAIL :]
    rows = buffer.rstrip(b"\n")
    if not rows.endswith(_END):
        raise UnreadableFile("the archive is truncated: the rows of a table do not come to their end")
    yield Part(rows.removesuffix(_END))


class _Writers:
    """Connections that copy into one table; the first one that fails stops the others."""

    def __init__(self, restorer: Restorer, one: Slice, label: str, lock: Connection) -> None:
        self.queues = [Queue[Part | None](WAITING) for _ in range(one.copies)]
        self.failures: list[BaseException] = []
        """The first one is why the others were stopped."""
        self._restorer = restorer
        self._entry: Entry = one.entries[0]
        self._label = label
        self._lock = lock
        self._stop = threading.Event()
        self._looked = time.monotonic()

    def fail(self, error: BaseException) -> None:
        """Stop all of them."""
        self.failures.append(error)
        self._stop.set()

    def hand_out(self, parts: Iterable[Part]) -> None:
        """Give each part to a connection that has little to do."""
        queue: Queue[Part | None] | None = None
        for part in parts:
            queue = queue or min(self.queues, key=Queue.qsize)
            self._put(queue, part)
            queue = None if part.whole else queue
        for queue in self.queues:
            self._put(queue, None)

    def write(self, queue: Queue[Part | None]) -> None:
        """Copy what is handed out, over a connection of one's own."""
        try:
            self._write(queue)
        except BaseException as error:
            self.fail(error)
            raise

    def _write(self, queue: Queue[Part | None]) -> None:
        destination, codec = self._restorer.destination, python_codec(self._restorer.archive.encoding)
        session = f"{self._label}/{secrets.token_hex(4)}"
        with destination.server.connect(destination.dbname, application_name=session) as connection:
            for name, value in {**self._state, **destination.settings}.items():
                connection.execute("SELECT pg_catalog.set_config(%s, %s, false)", [name, value])
            if not has_begun(self._lock, session, self._stop):
                return
            statement = self._entry.copy_statement.encode(codec, "surrogateescape")
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                while (part := self._get(queue)) is not None:
                    copy.write(part.data)

    @property
    def _state(self) -> dict[str, str]:
        """What pg_restore sets for its session, of which the text of rows or the work on them depends."""
        return {
            "search_path": "",
            "xmloption": "content",
            "row_security": "off",
            "client_min_messages": "warning",
            "client_encoding": self._restorer.archive.encoding,
        }

    def _put(self, queue: Queue[Part | None], part: Part | None) -> None:
        while True:
            self._go_on()
            try:
                return queue.put(part, timeout=LOOKS_EVERY)
            except Full:
                continue

    def _get(self, queue: Queue[Part | None]) -> Part | None:
        while True:
            if self._stop.is_set():
                raise LoadInterrupted("another part of the table could not be copied")
            try:
                return queue.get(timeout=LOOKS_EVERY)
            except Empty:
                continue

    def _go_on(self) -> None:
        """Stop when another connection has, when there is no time left, or nobody wants the load any more."""
        if self._stop.is_set():
            raise LoadInterrupted("a part of the table could not be copied")
        if time.monotonic() - self._looked > LOOKS_EVERY:
            self._looked = time.monotonic()
            self._restorer.destination.deadline.left()
            self._restorer.destination.still_wanted()
