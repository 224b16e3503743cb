"""Run a way and measure it: seconds, the client's CPU and memory, and what lies on the disk."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

import psutil

from local.bench.imports.ways import Task, Way, environment, pipeline

_PAUSE = 0.05
_ROOT = Path(__file__).parents[3]

type Command = Callable[[Sequence[str]], list[str]]
"""A command as it is to be run."""


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


@dataclass(frozen=True)
class Track:
    """Where ways are run, and with which clock."""

    clients: Sequence[Command] = (list,)
    """How the processes of each client are started."""
    seconds: float = 1.0
    """Of the clock, for each second of the track."""
    racing: Callable[[], AbstractContextManager[object]] = field(default=nullcontext)
    """Around the run itself."""


class WayFailed(Exception):
    """A way did not come to its end; the text is what its last process said."""


def run(way: Way, contents: str, task: Task, track: Track) -> tuple[Run, str]:
    """Run a way to its end; the database that it has made.

    Workers of ours, and what downloads or copies in their place, run already and have loaded what they need; `az` is
    started, as people start it.

    Raises:
        WayFailed: it failed.
    """
    with ExitStack() as stack:
        said = stack.enter_context(tempfile.TemporaryFile())
        workers = (
            [] if way.does == "pipe" else [stack.enter_context(Worker(one, task, said)) for one in _of(way, track)]
        )
        stack.enter_context(track.racing())
        before, busy = time.monotonic(), _busy()
        processes = [worker.process for worker in workers] or _pipe(pipeline(task), task, track, said)
        with _Watch(processes, task.folder) as seen:
            answer = _ask(way, workers, task) if workers else _wait(processes, task, said)
        seconds = time.monotonic() - before
        foreign = _busy() - busy - seen.cpu_seconds
    measured = Run(
        way.name,
        contents,
        round(seconds / track.seconds, 2),
        round(seen.cpu_seconds, 2),
        round(seen.memory, 1),
        seen.staged,
        round(max(0.0, foreign), 1),
        answer.get("method", ""),
    )
    return measured, answer["database"]


def _of(way: Way, track: Track) -> list[Command]:
    """The clients of a way's workers."""
    return [track.clients[number % len(track.clients)] for number in range(way.workers)]


def _ask(way: Way, workers: Sequence["Worker"], task: Task) -> Any:
    """Have the workers do it: one begins and ends what all of them share."""
    answer = workers[0].ask(task.as_json(way, way.does))
    while "lanes" in answer:
        for worker in workers:
            worker.send(task.as_json(way, "pieces"))
        for worker in workers:
            worker.answer()
        answer = workers[0].ask(task.as_json(way, way.does))
    return answer


def _pipe(commands: Sequence[list[str]], task: Task, track: Track, said: IO[bytes]) -> list[subprocess.Popen[bytes]]:
    processes: list[subprocess.Popen[bytes]] = []
    for command in commands:
        processes.append(
            subprocess.Popen(
                track.clients[0](command),
                stdin=processes[-1].stdout if processes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if command is not commands[-1] else subprocess.DEVNULL,
                stderr=said,
                cwd=_ROOT,
                env={**os.environ, **environment(task)},
            )
        )
    return processes


def _wait(processes: Sequence[subprocess.Popen[bytes]], task: Task, said: IO[bytes]) -> Any:
    codes = [process.wait() for process in reversed(processes)]
    if any(codes):
        raise WayFailed(f"the pipeline ended with {codes}: {_tail(said)}")
    return {"database": task.target}


def _tail(said: IO[bytes]) -> str:
    said.seek(0)
    return said.read()[-1000:].decode(errors="replace")


class Worker:
    """A process of `local.bench.imports.child`, which is ready."""

    def __init__(self, command: Command, task: Task, said: IO[bytes]) -> None:
        self._said = said
        self.process = subprocess.Popen(
            command([sys.executable, "-m", "local.bench.imports.child"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            cwd=_ROOT,
            env={**os.environ, **environment(task)},
        )

    def ask(self, line: str) -> Any:
        """Have it do something; its answer."""
        self.send(line)
        return self.answer()

    def send(self, line: str) -> None:
        """Have it do something."""
        if self.process.stdin is None:
            raise AssertionError("its input was asked for")
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """What it answers.

        Raises:
            WayFailed: it has ended.
        """
        return json.loads(self._line())

    def _line(self) -> bytes:
        line = self.process.stdout.readline() if self.process.stdout else b""
        if not line:
            raise WayFailed(f"a worker ended with {self.process.wait()}: {_tail(self._said)}")
        return line

    def __enter__(self) -> Self:
        self._line()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


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
        self._before = {process.pid: _used(process) for process in self._processes}
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
                    self._cpu[process.pid] = _used(process) - self._before.get(process.pid, 0.0)
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


def _used(process: psutil.Process) -> float:
    """CPU seconds of a process."""
    times = process.cpu_times()
    return float(times.user + times.system)


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
