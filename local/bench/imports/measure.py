"""Run a way and measure it: seconds, the client's CPU and memory, and what lies on the disk."""

import json
import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from local.bench.imports.ways import Task, commands, environment

_PAUSE = 0.05
_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Run:
    """One import."""

    way: str
    contents: str
    seconds: float
    cpu_seconds: float
    """Of the client's processes."""
    peak_rss_mb: float
    staged_bytes: int
    foreign_cpu_seconds: float
    """That processes of others have used meanwhile, the server among them."""
    method: str = ""
    """How ours was done."""


class WayFailed(Exception):
    """A way did not come to its end; the text is what its last process said."""


def run(way: str, contents: str, task: Task) -> tuple[Run, str]:
    """Run a way to its end; the database that it has made.

    Raises:
        WayFailed: it failed.
    """
    before, busy = time.monotonic(), _busy()
    processes: list[subprocess.Popen[bytes]] = []
    for command in commands(way, task):
        processes.append(
            subprocess.Popen(
                command,
                stdin=processes[-1].stdout if processes else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=_ROOT,
                env={**os.environ, **environment(task)},
            )
        )
    with _Watch(processes, task.folder) as seen:
        said, error = processes[-1].communicate()
        codes = [process.wait() for process in processes]
    seconds = time.monotonic() - before
    if any(codes):
        raise WayFailed(f"{way} ended with {codes}: {error.decode(errors='replace')[-1000:]}")
    answer = json.loads(said) if said else {"database": task.target}
    foreign = _busy() - busy - seen.cpu_seconds
    measured = Run(
        way,
        contents,
        round(seconds, 2),
        round(seen.cpu_seconds, 2),
        round(seen.memory, 1),
        seen.staged,
        round(max(0.0, foreign), 1),
        f"{answer['method']}, {answer['jobs']} jobs" if "method" in answer else "",
    )
    return measured, answer["database"]


def _busy() -> float:
    """CPU seconds that this machine has worked."""
    times = psutil.cpu_times()
    return float(times.user + times.system)


class _Watch(threading.Thread):
    """Looks at the processes and the folder again and again until the `with` block is left."""

    def __init__(self, processes: list[subprocess.Popen[bytes]], folder: Path) -> None:
        super().__init__(name="watch")
        self._processes = [psutil.Process(process.pid) for process in processes]
        self._folder = folder
        self._over = threading.Event()
        self._cpu: dict[int, float] = {}
        self.memory = 0.0
        self.staged = 0

    @property
    def cpu_seconds(self) -> float:
        """Of all processes that were seen."""
        return sum(self._cpu.values())

    def run(self) -> None:
        """Look."""
        while not self._over.wait(_PAUSE):
            memory = 0.0
            for process in self._every():
                try:
                    times = process.cpu_times()
                    self._cpu[process.pid] = times.user + times.system
                    memory += process.memory_info().rss / 1e6
                except psutil.NoSuchProcess:
                    continue
            self.memory = max(self.memory, memory)
            self.staged = max(self.staged, sum(_size(path) for path in self._folder.rglob("*")))

    def _every(self) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        for process in self._processes:
            try:
                command = process.cmdline()
                found += [process, *(one for one in process.children(recursive=True) if _runs_another(one, command))]
            except psutil.NoSuchProcess:
                continue
        return found

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def _runs_another(child: psutil.Process, command: list[str]) -> bool:
    """Whether it is more than the process that started it: until it runs its program, all memory is that one's."""
    try:
        return child.cmdline() != command
    except psutil.NoSuchProcess:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_blocks * 512 if path.is_file() else 0
    except FileNotFoundError:
        return 0
