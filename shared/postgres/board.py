"""Which pieces of a load are done, which are under way, and which comes next."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import psycopg

from shared.errors import LoadInterrupted
from shared.postgres import temporary
from shared.postgres.load_settings import Resources
from shared.postgres.pieces import Piece, next_piece
from shared.postgres.server import APPLICATION_NAME, Connection, TargetServer, lock_number
from shared.postgres.temporary import Underway
from shared.postgres.tolerance import Findings, merged

LOOKS_EVERY = (0.1, 1.0)
"""Seconds between two looks for a piece that is free: the first, and the longest; a mark of one's own ends the wait."""


_HOLD = (
    "SELECT pg_advisory_lock(%s), set_config('application_name', %s, false),"
    " set_config('synchronous_commit', 'off', false)"
)
_LET_GO = "SELECT pg_advisory_unlock_all(), set_config('application_name', %s, false)"
_NAME = f"{APPLICATION_NAME} board"


@dataclass(frozen=True)
class Held:
    """A piece that is this one's to do."""

    piece: Piece
    workers: int
    """Parallel workers that it may use."""
    connection: Connection | None = None
    """What holds its lock, where others could take it."""


class Board(Protocol):
    """Hands out the pieces of a load."""

    def hold(self, go_on: Callable[[], bool]) -> AbstractContextManager[Held | None]:
        """A context in which one piece is this one's; waits for one that can begin, None when none will or need be.

        `go_on` is asked at each look; false: nothing more is begun.
        """
        ...

    def mark(self, held: Held, findings: Findings) -> None:
        """The piece is done."""
        ...


@dataclass
class LocalBoard:
    """The pieces of a load that nobody else works on."""

    pieces: Sequence[Piece]
    loaders: int
    resources: Resources
    findings: list[Findings] = field(default_factory=list)
    _done: set[int] = field(default_factory=set)
    _running: dict[int, int] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def hold(self, go_on: Callable[[], bool]) -> Iterator[Held | None]:
        """As `Board.hold`."""
        held = self._next(go_on)
        try:
            yield held
        finally:
            with self._changed:
                if held:
                    del self._running[held.piece.number]
                self._changed.notify_all()

    def mark(self, held: Held, findings: Findings) -> None:
        """The piece is done."""
        with self._changed:
            self._done.add(held.piece.number)
            self.findings.append(findings)

    def _next(self, go_on: Callable[[], bool]) -> Held | None:
        with self._changed:
            while go_on() and len(self._done) < len(self.pieces):
                if found := next_piece(self.pieces, self._done, self._running, self.loaders, self.resources):
                    self._running[found[0].number] = found[1]
                    return Held(*found)
                self._changed.wait(LOOKS_EVERY[1])
        return None


class SharedBoard:
    """The pieces of a load that several processes share.

    What is done stands in the comment of the temporary database. A piece is held by an advisory lock and shown to the
    others by the name of the session that has it: who dies lets go of it. Whoever looks or marks has a lock of the
    board's own for that moment. No mark waits for the disk: a server that crashes loses the end of its log of writes,
    and so a mark before what the piece has committed, and never that without the mark.
    """

    def __init__(self, server: TargetServer, name: str, pieces: Sequence[Piece], resources: Resources) -> None:
        self.pieces = pieces
        self._server = server
        self._name = name
        self._resources = resources
        self._marked = threading.Condition()
        self._idle: list[Connection] = []

    @contextmanager
    def hold(self, go_on: Callable[[], bool]) -> Iterator[Held | None]:
        """As `Board.hold`; also none where another process has failed, or what it loads into is gone."""
        with self._connection() as connection:
            pause, longest = LOOKS_EVERY
            while go_on():
                with _turn(connection, self._name):
                    underway = _read(connection, self._name)
                    if underway is None or underway.failed or not self._left(underway):
                        break
                    held = self._take(connection, underway)
                if held:
                    yield held
                    return
                with self._marked:
                    self._marked.wait(pause)
                pause = min(2 * pause, longest)
            yield None

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """A connection that holds nothing; it is kept for the next one who needs it, unless something failed."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._server.connect(application_name=_NAME)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        try:
            connection.execute(_LET_GO, [_NAME])
        except psycopg.Error:
            connection.close()  # it was lost, and what it held with it
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Give up the connections that are kept."""
        while self._idle:
            self._idle.pop().close()

    def left(self) -> int:
        """How many pieces are not done; none where nobody goes on with them."""
        with self._server.connect() as connection:
            underway = _read(connection, self._name)
        return len(self._left(underway)) if underway and not underway.failed else 0

    def finish(self, lock: Connection) -> Underway:
        """Have nobody take or mark a piece any more; what all of them have found.

        Raises:
            LoadInterrupted: pieces are left.
        """
        with _turn(lock, self._name):
            database = temporary.by_name(lock, self._name)
            underway = database.underway if database else None
            if underway is None or underway.failed or self._left(underway):
                raise LoadInterrupted(f"not all pieces of database {self._name} are loaded")
            write(lock, self._name, underway.model_copy(update={"finishing": True}))
        return underway

    def _left(self, underway: Underway) -> set[int]:
        return {piece.number for piece in self.pieces}.difference(underway.done)

    def mark(self, held: Held, findings: Findings) -> None:
        """The piece is done; said on the connection that holds it, so that whoever has lost it says nothing.

        Raises:
            LoadInterrupted: what it was loaded into is not there any more.
        """
        connection = held.connection
        if connection is None:
            raise AssertionError("a piece of this board is held by a connection")
        with _turn(connection, self._name):
            underway = _read(connection, self._name)
            if underway is None:
                raise LoadInterrupted(f"nobody goes on with database {self._name}")
            total = merged([underway.findings, findings])
            done = (*underway.done, held.piece.number)
            changes = {"done": done, "notes": total.notes, "absent": total.absent}
            write(connection, self._name, underway.model_copy(update=changes))
        with self._marked:
            self._marked.notify_all()

    def fail(self) -> None:
        """Have the others stop: a piece has failed, and would fail them too."""
        with self._server.connect() as connection, _turn(connection, self._name):
            if underway := _read(connection, self._name):
                write(connection, self._name, underway.model_copy(update={"failed": True}))

    def _take(self, connection: Connection, underway: Underway) -> Held | None:
        done = set(underway.done)  # its session may be there for a moment longer
        running = {number: workers for number, workers in self._running(connection).items() if number not in done}
        found = next_piece(self.pieces, done, running, underway.jobs * underway.lanes, self._resources)
        if found is None:
            return None
        piece, workers = found
        session = f"{self._prefix}{piece.number} {workers}"
        lock = lock_number(f"flex-restore piece {self._name} {piece.number}")
        connection.execute(_HOLD, [lock, session])
        return Held(piece, workers, connection)

    @property
    def _prefix(self) -> str:
        return f"{self._name} piece "

    def _running(self, connection: Connection) -> dict[int, int]:
        """The pieces that are under way, with their workers."""
        query = "SELECT application_name FROM pg_stat_activity WHERE starts_with(application_name, %s)"
        names = (name.removeprefix(self._prefix) for (name,) in connection.execute(query, [self._prefix]))
        return {int(number): int(workers) for number, workers in map(str.split, names)}


def write(connection: Connection, name: str, underway: Underway) -> None:
    """Keep how far the load has come."""
    temporary.comment(connection, name, underway.model_dump_json())


def _read(connection: Connection, name: str) -> Underway | None:
    """How far the load has come, while its pieces are loaded."""
    database = temporary.by_name(connection, name)
    underway = database.underway if database else None
    return underway if underway and not underway.finishing else None


@contextmanager
def _turn(connection: Connection, name: str) -> Iterator[None]:
    """Be the only one that looks at the board, or writes on it."""
    lock = lock_number(f"flex-restore board {name}")
    connection.execute("SELECT pg_advisory_lock(%s)", [lock])
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute("SELECT pg_advisory_unlock(%s)", [lock])
