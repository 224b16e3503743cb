"""A worker process as the host sees it: started, fed with invocations, watched, ended."""

import asyncio
import itertools
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from local.host.config import ConfigError
from local.host.logs import LogLevels
from local.host.protocol import FrameReader, Value, encode

_ROOT = Path(__file__).parents[2]
_START_SECONDS = 60.0
_PING_SECONDS = 5.0
_LAST_WORDS_SECONDS = 0.5


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
class WorkerOptions:
    """What a worker runs and how: `hang_seconds` is how long it may give no sign of life while functions run in it."""

    app: Path
    environment: Mapping[str, str]
    levels: LogLevels
    hang_seconds: float


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


class Channel(asyncio.Protocol):
    """The host's end of a worker's socket: messages in to a callback, messages of one loop pass out in one write."""

    def __init__(self, receive: Callable[[dict[str, Any]], None]) -> None:
        self.closed = asyncio.get_running_loop().create_future()
        self._receive = receive
        self._frames = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[bytes] = []
        self._is_gathering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand over what is whole."""
        for message in self._frames.feed(data):
            self._receive(message)

    def connection_lost(self, _error: Exception | None) -> None:
        """The process has ended."""
        if not self.closed.done():
            self.closed.set_result(None)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; to a process that has ended it goes nowhere.

        The first of a pass of the event loop goes at once, further ones together in the next pass.
        """
        self._outgoing.append(encode(message))
        if not self._is_gathering:
            self._is_gathering = True
            self._write()
            asyncio.get_running_loop().call_soon(self._end_gathering)

    def close(self) -> None:
        """Close the socket, which ends the process."""
        if self._transport is not None:
            self._transport.close()

    def _end_gathering(self) -> None:
        self._is_gathering = False
        self._write()

    def _write(self) -> None:
        if self._outgoing and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()


class Worker:
    """One worker process and the invocations that run in it."""

    def __init__(self, options: WorkerOptions) -> None:
        self._options = options
        self._ids = itertools.count(1)
        self._running: dict[int, asyncio.Future[InvocationResult]] = {}
        self._imported: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answered = asyncio.Event()
        self._end = "ended"

    async def spawn(self) -> None:
        """Start the process; it has yet to import the app (see `import_app`)."""
        ours, theirs = socket.socketpair()
        options = self._options
        # The library is found by PYTHONPATH, the app by the working directory, which -P keeps out of the way until
        # the worker itself puts it first.
        with theirs:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "local.host.worker"),
                *("--fd", str(theirs.fileno()), "--levels", options.levels.encode()),
                cwd=options.app,
                env={**options.environment, "PYTHONPATH": os.pathsep.join(_python_path(options.environment))},
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sys.stderr,
                process_group=0,  # Ctrl-C is for the host, which then ends its workers in order
            )
        loop = asyncio.get_running_loop()
        _, self._channel = await loop.create_connection(lambda: Channel(self._receive), sock=ours)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.process.pid

    @property
    def load(self) -> int:
        """The number of invocations that run in it."""
        return len(self._running)

    async def import_app(self) -> list[dict[str, Any]]:
        """Wait until the app is imported; the metadata of its functions.

        Raises:
            AppImportError: its import failed, the process ended meanwhile, or it took too long.
        """
        await asyncio.wait(
            [self._imported, self._channel.closed], timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        if self._channel.closed.done():
            raise AppImportError("the worker process ended while it imported the app")
        if not self._imported.done():
            raise AppImportError(f"the app was not imported within {_START_SECONDS:.0f} seconds")
        message = self._imported.result()
        if message["type"] == "unusable":
            raise AppImportError(message["stack"].rstrip() or message["message"])
        functions: list[dict[str, Any]] = message["functions"]
        return functions

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run a function here.

        Raises:
            FunctionFailedError: it raised.
            WorkerLostError: the process ended.
        """
        if self._channel.closed.done():
            raise self.lost()
        identifier = next(self._ids)
        future: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        self._running[identifier] = future
        try:
            self._channel.send(
                {
                    "type": "invoke",
                    "id": identifier,
                    "function": invocation.function_id,
                    "inputs": {name: value.to_wire() for name, value in invocation.inputs.items()},
                    "metadata": {name: value.to_wire() for name, value in invocation.metadata.items()},
                }
            )
            return await future
        finally:
            self._running.pop(identifier, None)

    async def serve(self) -> None:
        """Wait for the process's end, and fail what ran in it; one that gives no sign of life for too long is ended."""
        watch, ended = asyncio.create_task(self._watch()), asyncio.create_task(self.process.wait())
        try:
            await asyncio.wait([self._channel.closed, ended], return_when=asyncio.FIRST_COMPLETED)
            # What it said last may still come. The socket itself stays open where the app has forked a process.
            await asyncio.wait([self._channel.closed], timeout=_LAST_WORDS_SECONDS)
        finally:
            watch.cancel()
            ended.cancel()
            for future in self._running.values():
                if not future.done():
                    future.set_exception(self.lost())
            self._channel.close()

    def terminate(self) -> None:
        """Ask the process to end."""
        if self.process.returncode is None:
            self.process.terminate()

    def kill(self, reason: str = "ended") -> None:
        """End the process now; `reason` is what those hear who wait for it."""
        self._end = reason
        if self.process.returncode is None:
            self.process.kill()

    async def discard(self) -> None:
        """End a process that never served."""
        self.kill()
        self._channel.close()
        await self.process.wait()

    async def _watch(self) -> None:
        """Ask for signs of life while functions run here."""
        hang_seconds = self._options.hang_seconds
        while True:
            await asyncio.sleep(min(hang_seconds, _PING_SECONDS))
            if not self._running:
                continue
            self._answered.clear()
            self._channel.send({"type": "ping"})
            try:
                async with asyncio.timeout(hang_seconds):
                    await self._answered.wait()
            except TimeoutError:
                if self._answered.is_set():
                    continue  # it was this process that stood still
                self.kill(
                    f"was ended, because it gave no sign of life for {hang_seconds:g} s (LOCAL_HOST_HANG_SECONDS)"
                )
                return

    def lost(self) -> WorkerLostError:
        """What those hear who wait for it."""
        return WorkerLostError(f"worker process {self.pid} {self._end}")

    def _receive(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "log":
            logging.getLogger(message["category"]).log(message["level"], "%s", message["text"])
        elif kind == "pong":
            self._answered.set()
        elif kind in {"ready", "unusable"}:
            self._imported.set_result(message)
        else:
            self._settle(message)

    def _settle(self, message: dict[str, Any]) -> None:
        future = self._running.get(message["id"])
        if future is None or future.done():
            return
        if message["type"] == "failed":
            future.set_exception(FunctionFailedError(message["message"], message["stack"]))
            return
        outputs = {name: Value(*wire) for name, wire in message["outputs"].items() if wire is not None}
        future.set_result(InvocationResult(Value.from_wire(message["return"]), outputs))


def _python_path(environment: Mapping[str, str]) -> list[str]:
    return [str(_ROOT), *filter(None, [environment.get("PYTHONPATH")])]
