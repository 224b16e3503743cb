"""More cores than the machine has, by stretched time: each thread gets a share of a core, by control groups."""

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from local.bench.imports.machine import Calibrated, Machine, asked

_CPU, _ACCOUNT, _DISK = (Path("/sys/fs/cgroup") / controller for controller in ("cpu", "cpuacct", "blkio"))
_PERIOD = 20_000
"""Microseconds: a thread that has used its share waits for the next one."""
_FIRST = 262_144
"""Weight of the groups, so that others who use the machine do not take what processes should get."""
_LOOKS_EVERY = 0.005
_BUSY = "while True: pass"
_SECONDS = 4.0
_WARM = 0.5


def why_not() -> str:
    """Why nothing can be emulated here; empty when it can."""
    probe = _CPU / f"flex-restore-probe-{os.getpid()}"
    try:
        probe.mkdir()
    except OSError as error:
        return f"control groups (version 1) of this machine cannot be made: {error}"
    try:
        (probe / "cpu.cfs_quota_us").write_text("10000")
    except OSError as error:
        return f"control groups of this machine take no quota: {error}"
    finally:
        probe.rmdir()
    missing = [str(one) for one in (_ACCOUNT, _DISK) if not os.access(one, os.W_OK)]
    return f"no access to {', '.join(missing)}" if missing else ""


class Side:
    """The server, or a client: each of its threads has a core at most, and all together so many cores."""

    def __init__(self, name: str, cores: int, machine: Machine) -> None:
        self.name = name
        self.cores = cores
        self._machine = machine
        self._slow = False
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        group = f"flex-restore-bench-{os.getpid()}-{name}"
        self._cpu, self._account, self._disk = (root / group for root in (_CPU, _ACCOUNT, _DISK))
        for folder in (self._cpu, self._account, self._disk):
            folder.mkdir()
        (self._cpu / "cpu.shares").write_text(str(_FIRST))
        self._groups = [self._new_group()]

    def command(self, command: Sequence[str]) -> list[str]:
        """The command, run on this side."""
        groups = " ".join(str(folder) for folder in (self._groups[0], self._account, self._disk))
        enter = f'for group in {groups}; do echo $$ > "$group/cgroup.procs"; done; exec "$@"'
        return ["/bin/sh", "-c", enter, "sh", *command]

    def take(self, pids: Sequence[int]) -> None:
        """Put processes that run already on this side."""
        for folder in (self._groups[0], self._account, self._disk):
            for pid in pids:
                with suppress(ProcessLookupError):  # it has ended
                    (folder / "cgroup.procs").write_text(str(pid))

    @property
    def cpu_seconds(self) -> float:
        """That its processes have used."""
        return int((self._account / "cpuacct.usage").read_text()) / 1e9

    def slow(self, on: bool) -> None:
        """Begin or end to hold its processes to their shares."""
        with self._lock:
            self._slow = on
            self._limit(self._cpu, self.cores)
            for group in self._groups:
                self._limit(group, 1)

    def write_slowly(self, folder: Path, rate: float) -> None:
        """Hold what its processes write to the disk of this folder to so many bytes a second; 0 for no limit.

        It holds for what they wait for, and for what they tell the kernel to write now.
        """
        (self._disk / "blkio.throttle.write_bps_device").write_text(f"{_disk_of(folder)} {round(rate)}")

    def sort(self) -> None:
        """Give each thread a group of its own; a new one shares its parent's until then, so nobody gets more."""
        with self._lock:
            for group in list(self._groups):
                threads = (group / "tasks").read_text().split()
                for thread in threads[1:]:
                    self._groups.append(self._new_group())
                    with suppress(ProcessLookupError):
                        (self._groups[-1] / "tasks").write_text(thread)
                if not threads and group != self._groups[0]:
                    with suppress(OSError):  # somebody is in it again, or still
                        group.rmdir()
                        self._groups.remove(group)

    def close(self) -> None:
        """Give up all groups; processes that are left are as free as before."""
        for folder, root in ((self._account, _ACCOUNT), (self._disk, _DISK), *((one, _CPU) for one in self._groups)):
            for pid in (folder / "cgroup.procs").read_text().split():
                with suppress(ProcessLookupError):
                    (root / "cgroup.procs").write_text(pid)
            folder.rmdir()
        self._cpu.rmdir()

    def _new_group(self) -> Path:
        group = self._cpu / str(next(self._numbers))
        group.mkdir()
        self._limit(group, 1)
        return group

    def _limit(self, group: Path, cores: int) -> None:
        (group / "cpu.cfs_period_us").write_text(str(_PERIOD))
        quota = round(_PERIOD * cores * self._machine.core) if self._slow else -1
        (group / "cpu.cfs_quota_us").write_text(str(quota))


def _disk_of(folder: Path) -> str:
    """The number of the whole disk that a folder is on."""
    device = folder.stat().st_dev
    where = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve()
    return ((where.parent if (where / "partition").exists() else where) / "dev").read_text().strip()


class Emulation:
    """The sides of a machine, and a thread that sorts their threads, until the `with` block is left."""

    def __init__(self, machine: Machine, clients: int = 1) -> None:
        self.machine = machine
        self.server = Side("server", machine.server_cores, machine)
        self.clients = [Side(f"client-{number}", machine.client_cores, machine) for number in range(1, clients + 1)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sort, name="sort")

    @property
    def sides(self) -> list[Side]:
        """All of them."""
        return [self.server, *self.clients]

    def slow(self, on: bool, disk: Path | None = None) -> None:
        """Begin or end the emulation; `disk` is a folder on what the server writes to."""
        for side in self.sides:
            side.slow(on)
        if disk:
            self.server.write_slowly(disk, self.machine.bytes_per_second(self.machine.disk_mb) if on else 0)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for side in self.sides:
            side.close()

    def _sort(self) -> None:
        while not self._over.wait(_LOOKS_EVERY):
            for side in self.sides:
                side.sort()


def calibrate(emulation: Emulation, seconds: float = _SECONDS) -> list[Calibrated]:
    """Let busy loops run, one on each side, then more than the cores of both; what they get."""
    found = []
    emulation.slow(True)
    for crowded in (False, True):
        counts = {side: side.cores + 1 if crowded else 1 for side in (emulation.server, emulation.clients[0])}
        loops = [
            subprocess.Popen(side.command([sys.executable, "-S", "-c", _BUSY]))
            for side, count in counts.items()
            for _ in range(count)
        ]
        try:
            time.sleep(_WARM)
            before = {side: (time.monotonic(), side.cpu_seconds) for side in counts}
            time.sleep(seconds)
            for side, (began, used) in before.items():
                got = (side.cpu_seconds - used) / (time.monotonic() - began)
                count = counts[side]
                found.append(Calibrated(side.name, count, asked(emulation.machine, side.cores, count), round(got, 4)))
        finally:
            for loop in loops:
                loop.kill()
                loop.wait()
    emulation.slow(False)
    return found
