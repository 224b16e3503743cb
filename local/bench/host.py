"""`make bench-host`: how fast the functions host is, and what instances that wait cost.

Each figure comes from a host or worker of its own, with one worker process; host.json allows 100 turns and activities
at once, where the default is ten a core. Figures are those of this machine while they were taken; no test asserts them.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from local.host.logs import LogLevels
from local.host.pool import WorkerPool
from local.host.process import HostProcess
from local.host.protocol import Value
from local.host.workers import Invocation, WorkerOptions

_APP = Path(__file__).parent / "host_app"
_DURABLE = "/runtime/webhooks/durabletask"
_CONNECTIONS = 8
_STARTS = 5
_WARM_UP = 100
_ROUNDS = 5
_CALLS = 500
_ORCHESTRATIONS = 3_000
_WAITING = 10_000
_IDLE_SECONDS = 10.0
_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured, by the names in the JSON file."""

    orchestrations_per_s: float
    invocation_overhead_ms: float
    http_call_ms: float
    idle_cpu_percent_10k: float
    idle_rss_mb_10k: float
    startup_s: float


_ROWS = {
    "orchestrations_per_s": ("orchestrations of one activity each, a second", "at least 300"),
    "invocation_overhead_ms": (
        "a call of a function in its worker, beyond the function itself, ms (median)",
        "under 1",
    ),
    "http_call_ms": ("the same over HTTP, from request to answer, ms (median)", ""),
    "idle_cpu_percent_10k": (f"CPU of host and worker while {_WAITING:,} instances wait, % of one core", "0"),
    "idle_rss_mb_10k": (f"memory of host and worker while {_WAITING:,} instances wait, MB", "under 200"),
    "startup_s": ("from the command to the first answer of a function, s (median)", "under 2"),
}


class Bench:
    """A running host that is measured."""

    def __init__(self, process: HostProcess) -> None:
        self._address = urlsplit(process.url)
        self._processes = [psutil.Process(pid) for pid in (process.pid, *process.worker_pids())]
        self._connection = HTTPConnection(self._address.netloc, timeout=_PATIENCE_SECONDS)

    def get(self, path: str) -> bytes:
        """The body of an answer, which must be a good one."""
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{path} was answered with {answer.status}: {body[:200]!r}")
        return body

    def start(self, orchestrator: str, prefix: str, count: int) -> None:
        """Start instances over some connections side by side."""
        asyncio.run(self._start(f"{_DURABLE}/orchestrators/{orchestrator}/{prefix}", count))

    def wait_until_none_is(self, statuses: set[str], prefix: str, count: int) -> None:
        """Wait until none of the instances that were started is in one of the statuses."""
        last = f"{_DURABLE}/instances/{prefix}{count - 1}"
        self._wait_until(lambda: json.loads(self.get(last))["runtimeStatus"] not in statuses)
        # Asked for last, because a list costs the host that is measured more than the status of one instance.
        query = f"{_DURABLE}/instances?runtimeStatus={','.join(statuses)}&instanceIdPrefix={prefix}&top=1"
        self._wait_until(lambda: not json.loads(self.get(query)))

    def cpu_seconds(self) -> float:
        """CPU time that the host and its worker have used."""
        return float(sum(sum(process.cpu_times()[:2]) for process in self._processes))

    def memory(self) -> float:
        """Resident memory of the host and its worker in MB."""
        return float(sum(process.memory_info().rss for process in self._processes)) / 1e6

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the instances did not get on within {_PATIENCE_SECONDS:.0f} s")
            time.sleep(0.02)

    async def _start(self, path: str, count: int) -> None:
        await asyncio.gather(
            *(self._start_each(path, range(first, count, _CONNECTIONS)) for first in range(_CONNECTIONS))
        )

    async def _start_each(self, path: str, numbers: range) -> None:
        # By hand, because every library's client needs more of the two cores than the host that is measured.
        reader, writer = await asyncio.open_connection(self._address.hostname, self._address.port)
        for number in numbers:
            body = json.dumps(json.dumps(number))
            head = f"POST {path}{number} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write((head + body).encode())
            answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            if " 202 " not in answer:
                raise RuntimeError(f"{path}{number} was not started: {answer}")
            await reader.readexactly(int(answer.split("content-length: ")[1].split("\r\n")[0]))
        writer.close()


@contextmanager
def _host() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        # The app uses no storage, but Azure asks for the setting.
        settings = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}
        with HostProcess.start(_APP, data, settings, data / "log") as process:
            yield Bench(process)


def startup() -> float:
    """Seconds from the host's command to the first answer of a function."""

    def once() -> float:
        began = time.perf_counter()
        with _host() as bench:
            bench.get("/api/nothing")
            return time.perf_counter() - began

    return statistics.median(once() for _ in range(_STARTS))


def http_call() -> float:
    """Milliseconds of an HTTP function's call, one after the other on one connection."""
    with _host() as bench:
        return _median(lambda: bench.get("/api/nothing"))


def invocation_overhead() -> float:
    """Milliseconds that a call in a worker takes longer than a call of the same function here."""
    with tempfile.TemporaryDirectory() as folder:
        in_worker = asyncio.run(_call_in_worker(Path(folder)))
    return in_worker - _median(lambda: 2 * 21)


async def _call_in_worker(folder: Path) -> float:
    options = WorkerOptions(_APP, os.environ.copy(), LogLevels({}), hang_seconds=60)
    pool = WorkerPool(options, size=1, pids_file=folder / "workers.json")
    try:
        await pool.spawn()
        identifier = next(item["id"] for item in await pool.import_app() if item["name"] == "double")
        invocation = Invocation(identifier, {"value": Value("string", "21")}, {})
        return await _median_awaited(lambda: pool.invoke(invocation, None))
    finally:
        await pool.stop()


def orchestrations() -> float:
    """Orchestrations a second, from the first request to start one to the end of the last."""
    with _host() as bench:
        bench.start("one_activity", "warm-up-", _WARM_UP)
        bench.wait_until_none_is({"Pending", "Running"}, "warm-up-", _WARM_UP)
        began = time.perf_counter()
        bench.start("one_activity", "measured-", _ORCHESTRATIONS)
        bench.wait_until_none_is({"Pending", "Running"}, "measured-", _ORCHESTRATIONS)
        return _ORCHESTRATIONS / (time.perf_counter() - began)


def idle() -> tuple[float, float]:
    """CPU in percent of one core, and memory in MB, of a host whose instances all wait."""
    with _host() as bench:
        bench.start("waiting", "waiting-", _WAITING)
        bench.wait_until_none_is({"Pending"}, "waiting-", _WAITING)
        before = bench.cpu_seconds()
        time.sleep(_IDLE_SECONDS)
        return (bench.cpu_seconds() - before) / _IDLE_SECONDS * 100, bench.memory()


def _median(call: Callable[[], object]) -> float:
    """Median milliseconds of a call."""

    async def awaited() -> None:
        call()

    return asyncio.run(_median_awaited(awaited))


async def _median_awaited(call: Callable[[], Awaitable[object]]) -> float:
    """Median milliseconds of a call: the lowest of some rounds, for what disturbs a round can only add."""

    async def median(count: int) -> float:
        times = []
        for _ in range(count):
            began = time.perf_counter()
            await call()
            times.append(time.perf_counter() - began)
        return statistics.median(times) * 1000

    await median(_WARM_UP)
    return min([await median(_CALLS) for _ in range(_ROUNDS)])


def measure() -> Figures:
    """Take all figures, one after the other."""
    cpu, memory = idle()
    return Figures(
        orchestrations_per_s=round(orchestrations(), 1),
        invocation_overhead_ms=round(invocation_overhead(), 3),
        http_call_ms=round(http_call(), 3),
        idle_cpu_percent_10k=round(cpu, 2),
        idle_rss_mb_10k=round(memory, 1),
        startup_s=round(startup(), 2),
    )


def _table(figures: dict[str, Any]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for heading in ("figure", "measured", "goal"):
        table.add_column(heading, justify="right" if heading == "measured" else "left")
    for name, (text, goal) in _ROWS.items():
        table.add_row(text, f"{figures[name]:g}", goal)
    return table


def main() -> None:
    """Measure, print a table, and with `--json` write the figures into a file."""
    parser = argparse.ArgumentParser(prog="make bench-host", description="How fast the functions host is.")
    parser.add_argument("--json", type=Path, help="a file that gets the figures")
    arguments = parser.parse_args()
    figures = asdict(measure())
    Console().print(_table(figures))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
