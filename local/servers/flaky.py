"""A bad network: a proxy on the loopback interface that loses connections, stalls and answers errors when told to.

It stands in front of any TCP server, Azurite and PostgreSQL among them. What it is told happens once, at a byte or a
request that is counted over all connections, so that a test repeats exactly.
"""

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from types import TracebackType
from typing import Self

from local.servers.doorway import Doorway

_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing sends a reset, as the death of a machine or a firewall does."""
_METHODS = (b"GET ", b"PUT ", b"POST ", b"HEAD ", b"DELETE ")


class Direction(StrEnum):
    """Which way bytes go."""

    TO_SERVER = "to the server"
    TO_CLIENT = "to the client"


class _Harm(Enum):
    """What happens to the connection that carries the byte."""

    CUT = auto()
    LOST = auto()  #: all connections are cut, and no new one comes through
    HELD = auto()  #: all connections stand still


@dataclass
class _Mark:
    """Where something happens: before the byte after so many more."""

    direction: Direction
    left: int
    harm: _Harm


@dataclass(frozen=True)
class _Answer:
    """An HTTP answer in place of the server's, for a request whose head holds `about`."""

    status: int
    code: str
    about: bytes


class FlakyProxy:
    """Passes everything on to a port of this machine, until it is told otherwise."""

    def __init__(self, server_port: int) -> None:
        self.passed = dict.fromkeys(Direction, 0)
        """Bytes that went each way."""
        self._faults: list[_Mark | _Answer] = []
        self._lost = False
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._door = Doorway(server_port, self._meet)
        self.port = self._door.port

    @property
    def pending(self) -> int:
        """Faults that have not happened yet."""
        return len(self._faults)

    def cut_after(self, size: int, direction: Direction = Direction.TO_CLIENT) -> None:
        """Reset the connection that would carry the byte after so many, counted from now or from the mark before."""
        self._mark(size, direction, _Harm.CUT)

    def lose_after(self, size: int, direction: Direction = Direction.TO_CLIENT) -> None:
        """Reset all connections at that byte, and let no new one through."""
        self._mark(size, direction, _Harm.LOST)

    def hold_after(self, size: int, direction: Direction = Direction.TO_CLIENT) -> None:
        """Pass nothing on from that byte, until `resume`; connections stay."""
        self._mark(size, direction, _Harm.HELD)

    def _mark(self, size: int, direction: Direction, harm: _Harm) -> None:
        with self._lock:
            self._faults.append(_Mark(direction, size, harm))

    def answer(self, status: int, code: str, about: str = "") -> None:
        """Answer one HTTP request with this error of Azure Storage; the next one whose head holds `about`."""
        with self._lock:
            self._faults.append(_Answer(status, code, about.encode()))

    def resume(self) -> None:
        """Pass on what is held, and what comes."""
        self._flowing.set()

    def cut_now(self) -> None:
        """Reset every connection."""
        for pair in list(self._pairs):
            self._reset(pair)

    def close(self) -> None:
        """Reset every connection and take no more."""
        self._door.close()
        self.resume()
        self.cut_now()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _meet(self, client: socket.socket, server: socket.socket) -> None:
        pair = (client, server)
        self._pairs.add(pair)
        if self._lost:
            self._reset(pair)
            return
        for source, sink, direction in ((*pair, Direction.TO_SERVER), (server, client, Direction.TO_CLIENT)):
            threading.Thread(target=self._pump, args=(pair, source, sink, direction), daemon=True).start()

    def _pump(
        self, pair: tuple[socket.socket, socket.socket], source: socket.socket, sink: socket.socket, way: Direction
    ) -> None:
        """Pass on what one end says until it has said everything, or a fault comes."""
        try:
            while data := source.recv(_CHUNK):
                self._flowing.wait()
                if way is Direction.TO_SERVER and (answer := self._answer_to(data)):
                    source.sendall(answer)
                    break
                kept, harm = self._harm(len(data), way)
                sink.sendall(data[:kept])
                self.passed[way] += kept
                if harm is _Harm.HELD:
                    self._flowing.wait()
                    sink.sendall(data[kept:])
                elif harm is not None:
                    self._reset(pair)
                    if harm is _Harm.LOST:
                        self.cut_now()
                    return
            if pair in self._pairs:
                sink.shutdown(socket.SHUT_WR)
        except OSError:  # one end is gone: so is the other
            self._reset(pair)

    def _answer_to(self, data: bytes) -> bytes:
        """The HTTP answer that is to be given in place of the server's, if one is."""
        if not data.startswith(_METHODS):
            return b""
        head = data.partition(b"\r\n\r\n")[0]
        with self._lock:
            fault = next((one for one in self._faults if isinstance(one, _Answer) and one.about in head), None)
            if fault is None:
                return b""
            self._faults.remove(fault)
        body = f"<?xml version='1.0'?><Error><Code>{fault.code}</Code><Message>as told</Message></Error>"
        return (
            f"HTTP/1.1 {fault.status} {fault.code}\r\nx-ms-error-code: {fault.code}\r\n"
            f"Content-Type: application/xml\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
        ).encode()

    def _harm(self, size: int, way: Direction) -> tuple[int, _Harm | None]:
        """How many of these bytes are passed on before something happens, and what."""
        with self._lock:
            mark = next((one for one in self._faults if isinstance(one, _Mark)), None)
            if mark is None or mark.direction is not way or mark.left >= size:
                if mark and mark.direction is way:
                    mark.left -= size
                return size, None
            self._faults.remove(mark)
            if mark.harm is _Harm.HELD:
                self._flowing.clear()
            self._lost = mark.harm is _Harm.LOST
            return mark.left, mark.harm

    def _reset(self, pair: tuple[socket.socket, socket.socket]) -> None:
        self._pairs.discard(pair)
        for one in pair:
            with suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                one.shutdown(socket.SHUT_RD)  # wakes who reads it, and says nothing to the other end
            one.close()
