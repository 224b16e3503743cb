"""Server processes that never outlive the process that started them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_LEASH = Path(__file__).with_name("leash.py")
_LOG_TAIL = 2000


class ServerError(Exception):
    """A server did not start; the text holds the end of its log."""


@dataclass(frozen=True)
class Account:
    """The operating system's user that a server runs as, when not the caller's."""

    user: int
    group: int


@dataclass(frozen=True)
class Leash:
    """How a server is stopped, and what goes with it when its owner dies.

    Attributes:
        stop_signal: the signal that asks the server to stop.
        grace: seconds until SIGKILL follows.
        remove: folders deleted when the owner dies without stopping the server.
        account: the user that the server runs as.
    """

    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    remove: tuple[Path, ...] = ()
    account: Account | None = None

    def arguments(self) -> list[str]:
        """The command line of the leash script, up to the server's own command."""
        arguments = ["--signal", str(int(self.stop_signal)), "--grace", str(self.grace)]
        for folder in self.remove:
            arguments += ["--remove", str(folder)]
        if self.account is not None:
            arguments += ["--user", str(self.account.user), "--group", str(self.account.group)]
        return arguments


class Service(ABC):
    """A server as its users see it: a `with` block stops it at its end."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it; nothing when it has ended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class ServerProcess:
    """A running server on its leash: it ends with `stop`, with `kill`, or with the death of this process.

    A child that this process forks without exec holds the rope as well; the servers then live until that child ends.
    """

    def __init__(self, leash: subprocess.Popen[bytes], pid: int, log: Path) -> None:
        self._leash = leash
        self.pid = pid
        self.log = log

    @classmethod
    def start(
        cls,
        command: Sequence[str | Path],
        *,
        log: Path,
        leash: Leash | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Self:
        """Start a command with its output appended to a log file.

        Raises:
            ServerError: the command could not be executed.
        """
        leash = leash or Leash()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            holder = subprocess.Popen(
                [sys.executable, "-I", "-S", _LEASH, *leash.arguments(), "--", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                cwd=cwd,
                env=env,
                start_new_session=True,  # Ctrl-C reaches the owner only: it decides in which order servers stop
            )
        assert holder.stdout is not None  # noqa: S101 - given by stdout=PIPE, for the type checker
        with holder.stdout as output_pipe:
            line = output_pipe.readline()
        if not line.strip():
            cls(holder, 0, log).stop()
            raise ServerError(f"{command[0]} could not be started:\n{tail(log)}")
        return cls(holder, int(line), log)

    @property
    def running(self) -> bool:
        """Whether the server still runs."""
        return self._leash.poll() is None

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until the server answers.

        Raises:
            ServerError: it ended, or did not answer in time. It is stopped then.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running:
                self.stop()
                raise ServerError(f"the server ended before it was ready:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                self.stop()
                raise ServerError(f"the server was not ready within {seconds} s:\n{tail(self.log)}")
            time.sleep(0.03)

    def stop(self) -> None:
        """Stop the server and wait for its end; nothing when it has ended."""
        rope = self._leash.stdin
        assert rope is not None  # noqa: S101 - given by stdin=PIPE, for the type checker
        with contextlib.suppress(BrokenPipeError):
            if not rope.closed:
                rope.write(b"stop\n")
            rope.close()
        self._leash.wait()

    def kill(self) -> None:
        """`kill -9` the server, as a crash would, and wait for its end."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._leash.wait()  # before the rope is cut: the leash must see a crash, not an orderly stop
        self.stop()


def tail(log: Path) -> str:
    """The end of a log file, for error texts."""
    return log.read_text(errors="replace")[-_LOG_TAIL:] if log.exists() else "(no log)"
