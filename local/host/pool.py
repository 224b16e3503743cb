"""The pool of worker processes: a fixed number of them, fed with invocations, each replaced when it ends."""

import asyncio
import contextlib
import json
import logging
import math
import signal
import time
from pathlib import Path
from typing import Any

from local.host.workers import AppImportError, FunctionTimeoutError, Invocation, InvocationResult, Worker, WorkerOptions

logger = logging.getLogger(__name__)

_STOP_SECONDS = 1.0
_BACKOFF_SECONDS = (0.0, 0.2, 1.0, 5.0, 15.0)
_HEALTHY_SECONDS = 10.0


class Backoff:
    """How long to pause before a worker is started again: longer each time, until one has lived for a while."""

    def __init__(self) -> None:
        self._ends = 0

    def after(self, life: float) -> float:
        """Seconds to pause after a worker that lived so many seconds; 0 is one that did not get through its import."""
        if life > _HEALTHY_SECONDS:
            self._ends = 0
        self._ends += 1
        return _BACKOFF_SECONDS[min(self._ends, len(_BACKOFF_SECONDS)) - 1]


class WorkerPool:
    """A fixed number of workers, each replaced when it ends."""

    def __init__(self, options: WorkerOptions, *, size: int, pids_file: Path) -> None:
        self._options = options
        self._size = size
        self._pids_file = pids_file
        self._spawned: list[Worker] = []
        self._workers: list[Worker] = []
        self._paused: set[Worker] = set()
        self._sacrificed: set[Worker] = set()
        self._available = asyncio.Event()
        self._slots: list[asyncio.Task[None]] = []
        self._is_stopping = False

    async def spawn(self) -> None:
        """Start the processes; they begin to import the app while the caller does something else."""
        for _ in range(self._size):
            self._spawned.append(await self._spawn())

    async def import_app(self) -> list[dict[str, Any]]:
        """Wait until all spawned workers are ready; the metadata of the app's functions.

        Raises:
            AppImportError: the app could not be imported.
        """
        functions, *_ = await asyncio.gather(*(worker.import_app() for worker in self._spawned))
        ready, self._spawned = self._spawned, []
        self._slots = [asyncio.create_task(self._keep(worker)) for worker in ready]
        return functions

    async def invoke(
        self, invocation: Invocation, time_limit: float | None, worker: Worker | None = None
    ) -> InvocationResult:
        """Run a function in that worker, or in the least busy one, waiting for one to be there.

        Raises:
            FunctionFailedError: it raised.
            FunctionTimeoutError: it ran longer than `time_limit` seconds; its worker was killed.
            WorkerLostError: the worker ended.
        """
        if worker is None:
            worker = await self.least_busy()
        try:
            async with asyncio.timeout(time_limit) as limit:
                return await worker.invoke(invocation)
        except TimeoutError:
            if not limit.expired():
                raise
            worker.kill("was ended with a function that ran past functionTimeout")
            raise FunctionTimeoutError(f"ran longer than functionTimeout ({time_limit:.0f} s)") from None

    async def least_busy(self) -> Worker:
        """The worker that gets the next invocation, waiting for one to be there."""
        while not (ready := [worker for worker in self._workers if worker not in self._paused]):
            self._available.clear()
            await self._available.wait()
        return min(ready, key=lambda worker: worker.load)

    def pause(self, worker: Worker) -> None:
        """Let a process stand still; it gets no further invocation until it is resumed."""
        if worker.process.returncode is None:
            self._paused.add(worker)
            worker.process.send_signal(signal.SIGSTOP)

    def resume(self, worker: Worker) -> None:
        """Let a process that stands still go on."""
        if worker in self._paused:
            self._paused.discard(worker)
            with contextlib.suppress(ProcessLookupError):
                worker.process.send_signal(signal.SIGCONT)
            self._available.set()

    def sacrifice(self, worker: Worker) -> None:
        """Kill a process that has done nothing wrong: another one takes its place without a pause."""
        self._sacrificed.add(worker)
        worker.kill("was killed by a fault")

    async def stop(self) -> None:
        """End all workers: first asked, then killed."""
        self._is_stopping = True
        await asyncio.gather(*(worker.discard() for worker in self._spawned))
        for end in (Worker.terminate, Worker.kill):
            for worker in self._workers:
                end(worker)
            if self._slots:
                await asyncio.wait(self._slots, timeout=_STOP_SECONDS)
        for slot in self._slots:
            slot.cancel()  # one that is starting a worker kills it
        await asyncio.gather(*self._slots, return_exceptions=True)
        self._pids_file.unlink(missing_ok=True)

    async def _spawn(self) -> Worker:
        worker = Worker(self._options)
        await worker.spawn()
        return worker

    async def _launch(self) -> Worker:
        worker = await self._spawn()
        try:
            await worker.import_app()
        except BaseException:
            await worker.discard()
            raise
        return worker

    async def _keep(self, worker: Worker) -> None:
        """Keep one slot of the pool filled, beginning with `worker`."""
        backoff = Backoff()
        while True:
            since = time.monotonic()
            self._admit(worker)
            try:
                await worker.serve()
            finally:
                self._dismiss(worker)
            await worker.process.wait()
            if self._is_stopping:
                return
            logger.warning("Worker process %s ended (%s)", worker.pid, worker.process.returncode)
            life = math.inf if worker in self._sacrificed else time.monotonic() - since
            self._sacrificed.discard(worker)
            worker = await self._replacement(backoff, life)

    async def _replacement(self, backoff: Backoff, life: float) -> Worker:
        while True:
            await asyncio.sleep(backoff.after(life))
            try:
                return await self._launch()
            except (AppImportError, OSError) as error:
                logger.error("A worker process could not be started again: %s", error)  # noqa: TRY400 - text has it
                life = 0

    def _admit(self, worker: Worker) -> None:
        self._workers.append(worker)
        self._available.set()
        self._write_pids()

    def _dismiss(self, worker: Worker) -> None:
        if worker in self._workers:
            self._workers.remove(worker)
            self._paused.discard(worker)
            self._write_pids()

    def _write_pids(self) -> None:
        """Tell tests and curious people which processes are ours; replaced in one step, so never half written."""
        draft = self._pids_file.with_suffix(".tmp")
        draft.write_text(json.dumps([worker.pid for worker in self._workers]))
        draft.replace(self._pids_file)
