"""The machine that the second profile emulates, and what of it is measured."""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

MB = 1_000_000


@dataclass(frozen=True)
class Machine:
    """A server, a client and their storage; all figures are in the emulation's own seconds."""

    dilation: float = 12.0
    """Seconds of the clock that one of its seconds takes: every rate is divided by it."""
    server_cores: int = 16
    client_cores: int = 4
    """Of each client: a function instance is one."""
    disk_mb: float = 600.0
    """Written by the server, a second: what Azure gives a server with sixteen cores."""
    connection_mb: float = 60.0
    """Read from storage over one connection, a second."""
    network_mb: float = 1000.0
    """Read from storage over all connections, a second."""
    latency: float = 0.010
    """Seconds until storage begins to answer."""

    @property
    def core(self) -> float:
        """The share of a real core that one of its cores is."""
        return 1 / self.dilation

    def bytes_per_second(self, megabytes: float) -> float:
        """A rate of it, by the clock."""
        return megabytes * MB / self.dilation

    @property
    def server_settings(self) -> dict[str, str]:
        """The server's own clocks, stretched, and its writes, which the kernel is told of as they are made."""
        return {
            "autovacuum_naptime": f"{round(60 * self.dilation)}s",
            "checkpoint_timeout": f"{round(300 * self.dilation)}s",
            "wal_writer_delay": f"{round(200 * self.dilation)}ms",
            "bgwriter_delay": f"{round(200 * self.dilation)}ms",
            "backend_flush_after": "256kB",
            "wal_sync_method": "fdatasync",
        }


@dataclass(frozen=True)
class Calibrated:
    """What busy loops got of what they should get, in real cores."""

    side: str
    processes: int
    asked: float
    got: float

    @property
    def off(self) -> float:
        """The share by which it is wrong."""
        return abs(self.got / self.asked - 1)


def asked(machine: Machine, cores: int, processes: int) -> float:
    """Real cores that so many busy processes of a side may use together."""
    return min(processes, cores) * machine.core


def disk_mb(folder: Path) -> int:
    """MB that the disk under a folder writes in a second, by 256 of them."""
    block = os.urandom(8 * MB)
    with tempfile.TemporaryFile(dir=folder) as file:
        before = time.monotonic()
        for _ in range(32):
            file.write(block)
        file.flush()
        os.fdatasync(file.fileno())
        return round(32 * len(block) / MB / (time.monotonic() - before))
