"""A slow network: a proxy on the loopback interface with a rate for each connection, and one for all together."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from local.servers.doorway import Doorway

_CHUNK = 65_536
_BURST = 0.05
"""Seconds of a rate that may pass at once, after nothing did."""


class Bucket:
    """Bytes that may pass: so many a second."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._paid_until = clock()

    def delay(self, size: int) -> float:
        """Seconds to wait before that many bytes pass, which are counted as passed."""
        with self._lock:
            now = self._clock()
            self._paid_until = max(self._paid_until, now - _BURST) + size / self._rate
            return max(0.0, self._paid_until - now)


class SlowProxy:
    """Passes everything on to a port of this machine; answers come late, and at the rates given in bytes a second."""

    def __init__(self, server_port: int, *, connection: float, total: float, latency: float) -> None:
        self._connection = connection
        self._latency = latency
        self._total = Bucket(total)
        self._door = Doorway(server_port, self._meet)
        self.port = self._door.port

    def close(self) -> None:
        """Take no more connections; those that are there end with their clients."""
        self._door.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _meet(self, client: socket.socket, server: socket.socket) -> None:
        asked = threading.Event()
        for pump in (self._ask, self._answer):
            threading.Thread(target=pump, args=(client, server, asked), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, asked: threading.Event) -> None:
        """Pass on what the client says, at once."""
        with suppress(OSError):
            while data := client.recv(_CHUNK):
                asked.set()
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answer(self, client: socket.socket, server: socket.socket, asked: threading.Event) -> None:
        """Pass on what the server says, slowly."""
        bucket = Bucket(self._connection)
        with client, server, suppress(OSError):
            while data := server.recv(_CHUNK):
                if asked.is_set():
                    asked.clear()
                    time.sleep(self._latency)
                time.sleep(max(bucket.delay(len(data)), self._total.delay(len(data))))
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
