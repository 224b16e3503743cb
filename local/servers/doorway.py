"""A port in front of another port of this machine: what proxies have in common."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from local.servers.ports import LOOPBACK


class Doorway:
    """Takes connections, and hands each on with one to the server."""

    def __init__(self, server_port: int, meet: Callable[[socket.socket, socket.socket], None]) -> None:
        """Listen on a free port; `meet` gets the client's and the server's socket, and does not wait."""
        self._server_port = server_port
        self._meet = meet
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="doorway", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

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
            self._meet(client, server)
