"""Free ports are free, and given once."""

import socket

import pytest

from local.servers.ports import LOOPBACK, free_port


def test_a_port_is_never_given_twice() -> None:
    ports = [free_port() for _ in range(50)]

    assert len(set(ports)) == 50


def test_a_port_that_somebody_listens_on_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, free_port()))
        listener.listen()
        taken = listener.getsockname()[1]
        monkeypatch.setattr("local.servers.ports._RANGE", range(taken, taken + 1))

        with pytest.raises(OSError, match="no free port"):
            free_port()
