"""The pool of worker processes: started, fed with invocations, watched and started again."""

import asyncio
import itertools
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.host.config import ConfigError
from local.host.protocol import HEADER, Value, decode, encode

logger = logging.getLogger(__name__)
_app_logger = logging.getLogger("app")

_ROOT = Path(__file__).parents[2]
_START_SECONDS = 60.0
_STOP_SECONDS = 1.0
_BACKOFF_SECONDS = (0.0, 0.2, 1.0, 5.0, 15.0)
_HEALTHY_SECONDS = 10.0
_LARGE_FRAME = 1 << 16


class AppImportError(ConfigError):
    """The app could not be imported; the text holds the traceback."""


class FunctionFailedError(Exception):
    """The function raised: `message` is `Type: text`, `stack` the traceback."""

    def __init__(self, message: str, stack: str) -> None:
        super().__init__(message)
        self.message = message
        self.stack = stack


class WorkerLostError(Exception):
    """The worker process ended while it ran the function."""


class FunctionTimeoutError(Exception):
    """The function ran past functionTimeout, so its worker was killed."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """A call of a function: the trigger's and input bindings' values, and the trigger's metadata."""

    function_id: str
    inputs: Mapping[str, Value]
    metadata: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """What a function returned, and what it set in its output parameters."""

    returned: Value | None
    outputs: Mapping[str, Value]


class Worker:
    """One worker process and the invocations that run in it."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.process = process
        self.functions: list[dict[str, Any]] = []
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._running: dict[str, asyncio.Future[InvocationResult]] = {}

    @classmethod
    async def spawn(cls, app: Path, environment: Mapping[str, str], level: str) -> "Worker":
        """Start a process; it has yet to import the app (see `import_app`)."""
        ours, theirs = socket.socketpair()
        # The library is found by PYTHONPATH, the app by the working directory, which -P keeps out of the way until
        # the worker itself puts it first.
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "local.host.worker", "--fd", str(theirs.fileno()), "--level", level),
                cwd=app,
                env={**environment, "PYTHONPATH": os.pathsep.join(_python_path(environment))},
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sys.stderr,
                process_group=0,  # Ctrl-C is for the host, which then ends its workers in order
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(process, reader, writer)

    @property
    def load(self) -> int:
        """The number of invocations that run in it."""
        return len(self._running)

    async def import_app(self) -> None:
        """Wait until the app is imported.

        Raises:
            AppImportError: its import failed, the process ended meanwhile, or it took too long.
        """
        try:
            async with asyncio.timeout(_START_SECONDS):
                message = await self._receive()
                while message["type"] == "log":
                    _forward(message)
                    message = await self._receive()
        except TimeoutError:
            raise AppImportError(f"the app was not imported within {_START_SECONDS:.0f} seconds") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise AppImportError("the worker process ended while it imported the app") from None
        if message["type"] == "failed":
            raise AppImportError("\n".join(filter(None, (message["stack"], message["message"]))))
        self.functions = message["functions"]

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run a function here.

        Raises:
            FunctionFailedError: it raised.
            WorkerLostError: the process ended.
        """
        identifier = f"{self.process.pid}-{next(self._ids)}"
        future: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        frame = encode(
            {
                "id": identifier,
                "function": invocation.function_id,
                "inputs": {name: value.to_wire() for name, value in invocation.inputs.items()},
                "metadata": {name: value.to_wire() for name, value in invocation.metadata.items()},
            }
        )
        self._running[identifier] = future
        try:
            self._writer.write(frame)
            if len(frame) > _LARGE_FRAME:
                await self._writer.drain()
            return await future
        except ConnectionError:
            raise WorkerLostError(f"worker process {self.process.pid} ended") from None
        finally:
            self._running.pop(identifier, None)

    async def serve(self) -> None:
        """Hand out results until the process ends, then fail what ran in it."""
        try:
            while True:
                self._settle(await self._receive())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the process ended; what that means for its invocations follows
        finally:
            for future in self._running.values():
                if not future.done():
                    future.set_exception(WorkerLostError(f"worker process {self.process.pid} ended"))
            self._writer.close()

    def terminate(self) -> None:
        """Ask the process to end."""
        if self.process.returncode is None:
            self.process.terminate()

    def kill(self) -> None:
        """End the process now."""
        if self.process.returncode is None:
            self.process.kill()

    async def discard(self) -> None:
        """End a process that never served."""
        self.kill()
        self._writer.close()
        await self.process.wait()

    def _settle(self, message: dict[str, Any]) -> None:
        if message["type"] == "log":
            _forward(message)
            return
        future = self._running.get(message["id"])
        if future is None or future.done():
            return
        if message["type"] == "failed":
            future.set_exception(FunctionFailedError(message["message"], message["stack"]))
            return
        outputs = {name: Value(*wire) for name, wire in message["outputs"].items() if wire is not None}
        future.set_result(InvocationResult(Value.from_wire(message["return"]), outputs))

    async def _receive(self) -> dict[str, Any]:
        json_size, attachments_size = HEADER.unpack(await self._reader.readexactly(HEADER.size))
        text = await self._reader.readexactly(json_size)
        return decode(text, await self._reader.readexactly(attachments_size) if attachments_size else b"")


class WorkerPool:
    """A fixed number of workers, each replaced when it ends."""

    def __init__(self, app: Path, environment: Mapping[str, str], *, size: int, level: str, pids_file: Path) -> None:
        self._app = app
        self._environment = environment
        self._level = level
        self._size = size
        self._pids_file = pids_file
        self._spawned: list[Worker] = []
        self._workers: list[Worker] = []
        self._available = asyncio.Event()
        self._slots: list[asyncio.Task[None]] = []
        self._is_stopping = False

    async def spawn(self) -> None:
        """Start the processes; they begin to import the app while the caller does something else."""
        for _ in range(self._size):
            self._spawned.append(await Worker.spawn(self._app, self._environment, self._level))

    async def import_app(self) -> list[dict[str, Any]]:
        """Wait until all spawned workers are ready; the metadata of the app's functions.

        Raises:
            AppImportError: the app could not be imported.
        """
        await asyncio.gather(*(worker.import_app() for worker in self._spawned))
        ready, self._spawned = self._spawned, []
        self._slots = [asyncio.create_task(self._keep(worker)) for worker in ready]
        return ready[0].functions

    async def invoke(self, invocation: Invocation, time_limit: float | None) -> InvocationResult:
        """Run a function in the least busy worker, waiting for one to be there.

        Raises:
            FunctionFailedError: it raised.
            FunctionTimeoutError: it ran longer than `time_limit` seconds; its worker was killed.
            WorkerLostError: the worker ended.
        """
        while not self._workers:
            await self._available.wait()
        worker = min(self._workers, key=lambda candidate: candidate.load)
        try:
            async with asyncio.timeout(time_limit) as limit:
                return await worker.invoke(invocation)
        except TimeoutError:
            if not limit.expired():
                raise
            worker.kill()
            raise FunctionTimeoutError(f"ran longer than functionTimeout ({time_limit:.0f} s)") from None

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

    async def _launch(self) -> Worker:
        worker = await Worker.spawn(self._app, self._environment, self._level)
        try:
            await worker.import_app()
        except BaseException:
            await worker.discard()
            raise
        return worker

    async def _keep(self, worker: Worker) -> None:
        """Keep one slot of the pool filled, beginning with `worker`."""
        delays = self._delays()
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
            if time.monotonic() - since > _HEALTHY_SECONDS:
                delays = self._delays()
            logger.warning("Worker process %s ended (%s)", worker.process.pid, worker.process.returncode)
            worker = await self._replacement(delays)

    async def _replacement(self, delays: Iterator[float]) -> Worker:
        while True:
            await asyncio.sleep(next(delays))
            try:
                return await self._launch()
            except AppImportError as error:
                logger.error("A worker process could not be started again: %s", error)  # noqa: TRY400 - text has it

    @staticmethod
    def _delays() -> Iterator[float]:
        return itertools.chain(_BACKOFF_SECONDS, itertools.repeat(_BACKOFF_SECONDS[-1]))

    def _admit(self, worker: Worker) -> None:
        self._workers.append(worker)
        self._available.set()
        self._write_pids()

    def _dismiss(self, worker: Worker) -> None:
        if worker in self._workers:
            self._workers.remove(worker)
            self._write_pids()
        if not self._workers:
            self._available.clear()

    def _write_pids(self) -> None:
        """Tell tests and curious people which processes are ours; replaced in one step, so never half written."""
        draft = self._pids_file.with_suffix(".tmp")
        draft.write_text(json.dumps([worker.process.pid for worker in self._workers]))
        draft.replace(self._pids_file)


def _python_path(environment: Mapping[str, str]) -> list[str]:
    return [str(_ROOT), *filter(None, [environment.get("PYTHONPATH")])]


def _forward(message: dict[str, Any]) -> None:
    _app_logger.log(message["level"], "[%s] %s", message["logger"], message["text"])
