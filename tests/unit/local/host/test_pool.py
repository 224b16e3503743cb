"""The pool's patience with workers that end again and again, and with the machine."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local.host import pool
from local.host.logs import LogLevels
from local.host.pool import Backoff, WorkerPool
from local.host.protocol import Value
from local.host.workers import Invocation, InvocationResult, Worker, WorkerOptions

INVOCATION = Invocation("f", {}, {})
ANSWER = InvocationResult(Value("string", "done"), {})


@pytest.mark.parametrize(
    ("lives", "pauses"),
    [
        ([1, 1, 1, 1, 1, 1], [0, 0.2, 1, 5, 15, 15]),
        ([3600, 1, 1], [0, 0.2, 1]),
        ([1, 1, 1, 3600, 1], [0, 0.2, 1, 0, 0.2]),
        ([3600, 0, 0, 0, 0, 0], [0, 0.2, 1, 5, 15, 15]),
    ],
    ids=["crashing", "healthy before", "healthy in between", "not importing any more"],
)
def test_pauses_grow_until_a_worker_has_lived_for_a_while(lives: list[float], pauses: list[float]) -> None:
    backoff = Backoff()
    assert [backoff.after(life) for life in lives] == pauses


class Spawned:
    """A worker without a process; the first one ends at once, the second one cannot be started."""

    pid = load = 0
    process: Any = SimpleNamespace(wait=lambda: asyncio.sleep(0), returncode=-9)
    count = 0

    def __init__(self, _options: WorkerOptions) -> None:
        Spawned.count += 1
        self.number = Spawned.count
        self.ended = asyncio.Event()

    async def spawn(self) -> None:
        if self.number == 2:
            raise BlockingIOError("Resource temporarily unavailable")

    async def import_app(self) -> list[dict[str, Any]]:
        return []

    async def serve(self) -> None:
        if self.number > 1:
            await self.ended.wait()

    async def invoke(self, _invocation: Invocation) -> InvocationResult:
        return ANSWER

    def terminate(self) -> None:
        self.ended.set()

    kill = terminate


def options(app: Path) -> WorkerOptions:
    return WorkerOptions(app, {}, LogLevels({}), hang_seconds=0.05)


def test_a_worker_that_the_machine_refuses_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "Worker", Spawned)

    async def run() -> InvocationResult:
        workers = WorkerPool(options(tmp_path), size=1, pids_file=tmp_path / "workers.json")
        await workers.spawn()
        await workers.import_app()
        try:
            async with asyncio.timeout(10):
                while Spawned.count < 2:  # noqa: ASYNC110 - the pool tells nobody outside
                    await asyncio.sleep(0)
                return await workers.invoke(INVOCATION, None)
        finally:
            await workers.stop()

    assert asyncio.run(run()) is ANSWER


def test_a_worker_is_not_ended_for_an_answer_that_came_while_the_host_stood_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> bool:
        loop = asyncio.get_running_loop()
        worker = Worker(options(tmp_path))
        pinged_again, killed = asyncio.Event(), asyncio.Event()

        def stand_still() -> None:
            time.sleep(0.1)  # longer than hang_seconds: now both the answer and the deadline are there
            loop.call_soon(worker._receive, {"type": "pong"})

        def send(_ping: Mapping[str, Any]) -> None:
            if sent:
                pinged_again.set()
            sent.append(True)
            loop.call_soon(stand_still)

        sent: list[bool] = []
        monkeypatch.setattr(worker, "_channel", SimpleNamespace(send=send), raising=False)
        monkeypatch.setattr(worker, "kill", lambda _reason: killed.set())
        worker._running[1] = loop.create_future()
        watch = asyncio.create_task(worker._watch())
        waits = [asyncio.create_task(event.wait()) for event in (pinged_again, killed)]
        await asyncio.wait(waits, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        for task in (watch, *waits):
            task.cancel()
        return pinged_again.is_set() and not killed.is_set()

    assert asyncio.run(run())
