"""The host as a child process, for tests and the demo: started until it is ready, stopped, or killed."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from local.host.host import WORKERS_FILE

_ROOT = Path(__file__).parents[2]
_READY = b"host ready "
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_LOG_TAIL = 4000


class HostProcessError(Exception):
    """The host did not start; the text holds the end of its log."""


class HostProcess:
    """A host in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, printed: str, data: Path) -> None:
        self._process = process
        self._printed = printed
        self._data = data
        self.url = url

    @classmethod
    def start(cls, app: Path, data: Path, env: Mapping[str, str], log: Path, port: int | None = None) -> Self:
        """Start the host and wait until it is ready.

        Args:
            app: the folder of the function app.
            data: the folder of the host's state.
            env: settings, on top of this process's environment.
            log: the file that gets its log, appended.
            port: a port, or None for a free one.

        Raises:
            HostProcessError: it ended, or was not ready in time.
        """
        command = [sys.executable, "-m", "local.host", "--app", str(app), "--data", str(data)]
        with log.open("a") as sink:
            process = subprocess.Popen(
                [*command, "--port", str(port or 0)],
                cwd=_ROOT,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=sink,
            )
        try:
            return cls(process, *_await_ready(process, log), data)
        except BaseException:
            process.kill()
            process.wait()
            _close(process)
            raise

    @property
    def pid(self) -> int:
        """The host's process id."""
        return self._process.pid

    def worker_pids(self) -> list[int]:
        """The process ids of the workers that are there now."""
        try:
            pids: list[int] = json.loads((self._data / WORKERS_FILE).read_text())
        except FileNotFoundError:
            return []
        return pids

    def printed(self) -> str:
        """What the host has told the person who started it so far: its functions and keys."""
        output = self._process.stdout
        while output is not None and not output.closed and select.select([output], [], [], 0)[0]:
            part = os.read(output.fileno(), 4096)
            if not part:
                break
            self._printed += part.decode()
        return self._printed

    def stop(self) -> int:
        """Ask the host to end, and wait; its exit code."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """End the host at once, with SIGKILL; its workers end by themselves."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        self.wait()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the host's end; its exit code.

        Raises:
            subprocess.TimeoutExpired: it has not ended in `timeout` seconds.
        """
        code = self._process.wait(timeout)
        _close(self._process)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _await_ready(process: subprocess.Popen[bytes], log: Path) -> tuple[str, str]:
    """The address, and what was read beyond its line."""
    if process.stdout is None:
        raise AssertionError("the process is started with a pipe")
    deadline = time.monotonic() + _START_SECONDS
    output = b""
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([process.stdout], [], [], left)[0]:
            break
        part = os.read(process.stdout.fileno(), 4096)
        output += part
        line, end, rest = output.partition(b"\n")
        if end and line.startswith(_READY):
            return line.removeprefix(_READY).decode(), rest.decode()
        if not part:
            process.wait(_STOP_SECONDS)
            break
    what = f"ended with code {process.returncode}" if process.poll() is not None else "was not ready in time"
    raise HostProcessError(f"the host {what}:\n{log.read_text()[-_LOG_TAIL:]}")


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdout is not None:
        process.stdout.close()
