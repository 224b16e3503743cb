"""Free ports on the loopback interface."""

import random
import socket

LOOPBACK = "127.0.0.1"

# Below the range that Linux gives to outgoing connections (32768 and up), so that no client connection of a busy
# machine takes a port between its choice here and the server's bind.
_RANGE = range(20_000, 32_000)
_given: set[int] = set()


def free_port() -> int:
    """A port on 127.0.0.1 that nothing listens on now and that was not given before in this process.

    Raises:
        OSError: no port of the range is free.
    """
    for port in random.sample(_RANGE, len(_RANGE)):
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise OSError(f"no free port on {LOOPBACK} in {_RANGE.start}..{_RANGE.stop - 1}")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers set this too: a port whose last connections are in TIME_WAIT is free for them.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
