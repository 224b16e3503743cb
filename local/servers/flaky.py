"""A bad network: a proxy on the loopback interface that loses connections, stalls and answers errors when told to.

It stands in front of any TCP server, Azurite and PostgreSQL among them. What it is told happens once, at a byte or a
request that is counted over all connections, so that a test repeats exactly.
"""

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self

from local.servers.ports import LOOPBACK

_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing sends a reset, as the death of a machine or a firewall does."""
_METHODS = (b"GET ", b"PUT ", b"POST ", b"HEAD ", b"DELETE ")


class Direction(StrEnum):
    """Which way bytes go."""

    TO_SERVER = "to the server"
    TO_CLIENT = "to the client"


@dataclass
class _Cut:
    """Lose the connection that would carry more than these bytes."""

    direction: Direction
    left: int


@dataclass(frozen=True)
class _Answer:
    """An HTTP answer in place of the server's, for a request whose head holds `about`."""

    status: int
    code: str
    about: bytes


class FlakyProxy:
    """Passes everything on to a port of this machine, until it is told otherwise."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self.passed = dict.fromkeys(Direction, 0)
        """Bytes that went each way."""
        self._faults: list[_Cut | _Answer] = []
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._door = threading.Thread(target=self._accept, daemon=True)
        self._door.start()

    @property
    def pending(self) -> int:
        """Faults that have not happened yet."""
        return len(self._faults)

    def cut_after(self, size: int, direction: Direction = Direction.TO_CLIENT) -> None:
        """Reset the connection that would carry the byte after so many, counted from now or from the cut before."""
        with self._lock:
            self._faults.append(_Cut(direction, size))

    def answer(self, status: int, code: str, about: str = "") -> None:
        """Answer one HTTP request with this error of Azure Storage; the next one whose head holds `about`."""
        with self._lock:
            self._faults.append(_Answer(status, code, about.encode()))

    def pause(self) -> None:
        """Pass nothing on; connections stay."""
        self._flowing.clear()

    def resume(self) -> None:
        """Pass on what was held, and what comes."""
        self._flowing.set()

    def cut_now(self) -> None:
        """Reset every connection."""
        for pair in list(self._pairs):
            self._reset(pair)

    def close(self) -> None:
        """Reset every connection and take no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._door.join()
        self.resume()
        self.cut_now()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            try:
                server = socket.create_connection((LOOPBACK, self._server_port))
            except OSError:  # the server is down: so is its port
                client.close()
                continue
            pair = (client, server)
            self._pairs.add(pair)
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
                kept = self._kept(len(data), way)
                self.passed[way] += kept
                sink.sendall(data[:kept])
                if kept < len(data):
                    self._reset(pair)
                    return
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

    def _kept(self, size: int, way: Direction) -> int:
        """How many of these bytes are passed on before the connection is lost; all of them when it is not."""
        with self._lock:
            cut = next((one for one in self._faults if isinstance(one, _Cut)), None)
            if cut is None or cut.direction is not way:
                return size
            kept = min(size, cut.left)
            cut.left -= kept
            if kept < size:
                self._faults.remove(cut)
            return kept

    def _reset(self, pair: tuple[socket.socket, socket.socket]) -> None:
        self._pairs.discard(pair)
        for one in pair:
            with suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                one.shutdown(socket.SHUT_RDWR)
            one.close()
