"""A bad network does what it is told, at the byte, and nothing else."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
import requests

from local.servers.azurite import Azurite
from local.servers.flaky import Direction, FlakyProxy
from local.servers.ports import LOOPBACK


@pytest.fixture
def network() -> Iterator[FlakyProxy]:
    """In front of a server that says everything back."""
    with socket.create_server((LOOPBACK, 0)) as echo:

        def serve() -> None:
            while True:
                try:
                    client, _ = echo.accept()
                except OSError:
                    return
                threading.Thread(target=say_back, args=(client,), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with FlakyProxy(echo.getsockname()[1]) as proxy:
            yield proxy
        echo.shutdown(socket.SHUT_RDWR)
        thread.join()


def say_back(client: socket.socket) -> None:
    with client:
        try:
            while data := client.recv(65_536):
                client.sendall(data)
        except ConnectionError:
            return


def connect(network: FlakyProxy) -> closing[socket.socket]:
    return closing(socket.create_connection((LOOPBACK, network.port), timeout=10))


def received(client: socket.socket) -> bytes:
    """Everything until the connection is lost."""
    data = b""
    try:
        while chunk := client.recv(65_536):
            data += chunk
    except ConnectionError:
        return data
    raise AssertionError(f"the connection ended in good order, after {len(data)} bytes")


def exactly(client: socket.socket, size: int) -> bytes:
    """So many bytes."""
    with client.makefile("rb") as stream:
        return stream.read(size)


def test_untold_it_passes_everything_on(network: FlakyProxy) -> None:
    with connect(network) as client:
        client.sendall(b"x" * 1_000)
        client.shutdown(socket.SHUT_WR)
        assert b"".join(iter(lambda: client.recv(100), b"")) == b"x" * 1_000


def test_a_connection_is_cut_at_the_byte_and_another_one_is_not(network: FlakyProxy) -> None:
    network.cut_after(1_500)
    with connect(network) as client:
        client.sendall(b"x" * 1_000)
        assert exactly(client, 1_000) == b"x" * 1_000
        with connect(network) as other:
            other.sendall(b"y" * 1_000)
            assert received(other) == b"y" * 500
        assert network.pending == 0
        client.sendall(b"z")
        assert client.recv(1) == b"z"


def test_a_server_that_is_lost_is_lost_for_everyone(network: FlakyProxy) -> None:
    network.lose_after(10, Direction.TO_SERVER)
    with connect(network) as bystander, connect(network) as client:
        client.sendall(b"x" * 11)
        assert received(bystander) == b""
        assert is_lost(network)


def is_lost(network: FlakyProxy) -> bool:
    """Whether a new connection ends without a byte, or is reset before it is there."""
    try:
        with connect(network) as late:
            return received(late) == b""
    except ConnectionResetError:
        return True


def test_what_is_held_comes_when_it_is_let_go(network: FlakyProxy) -> None:
    network.hold_after(3, Direction.TO_SERVER)
    with connect(network) as client:
        client.sendall(b"abcdef")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(100)
        network.resume()
        client.settimeout(10)
        assert exactly(client, 6) == b"abcdef"


def test_one_request_that_fits_is_answered_in_the_servers_place(azurite: Azurite) -> None:
    with FlakyProxy(int(azurite.blob_endpoint.split(":")[2].partition("/")[0])) as network:
        network.answer(503, "ServerBusy", about="/wanted")
        codes = [
            requests.get(f"http://{LOOPBACK}:{network.port}/{path}", timeout=10).status_code
            for path in ("other", "wanted", "wanted")
        ]
    assert codes[1] == 503
    assert 503 not in {codes[0], codes[2]}
