"""Run a child program that is fed from a stream, watched line by line, and never outlives its parent."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import IO

from shared.errors import DeadlinePassed

LINE_LIMIT = 65_536
"""Bytes of a stderr line that are handed on; the server echoes whole statements there, and those have no bound."""
CHUNK = 65_536
LOOKS_EVERY = 2.0
"""Seconds between two looks whether a child is still wanted."""
MOMENT = 0.3
"""Seconds that it takes to send a cancel request."""
GRACE = 10.0
"""Seconds that a child has to end when it is asked to."""
SETPRIV = Path("/usr/bin/setpriv")

type LineSink = Callable[[str], object]
type ByteSink = Callable[[bytes], object]


@dataclass(frozen=True)
class Captured:
    """What a short child answered."""

    exit_code: int
    stdout: bytes
    stderr: str


def run(  # noqa: PLR0913  a child has that many ends
    argv: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    feed: Iterable[bytes] | None = None,
    ended: threading.Event | None = None,
    on_stderr: LineSink,
    on_stdout: ByteSink | None = None,
    timeout_seconds: float | None = None,
    still_wanted: Callable[[], None] = lambda: None,
    codec: str = "utf-8",
) -> int:
    """Run a child to its end and answer its exit code; negative numbers are signals.

    `feed` is written to its stdin from a thread; a child that stops reading just ends the feeding. A feed that waits
    for something yields an empty chunk before, which hands on what was written so far, and may look at `ended`, which
    is set when there is no child any more. `on_stderr` gets each line of its stderr, decoded, without the newline and
    cut at 64 KiB; `on_stdout` gets chunks. Both are called from threads of their own.
    `still_wanted` is called every few seconds; when it raises, the child is asked to end, so that it cancels what it
    has under way on the server, and killed if it does not. Secrets belong into `environment`, never into `argv`.

    Raises:
        DeadlinePassed: the child took longer than `timeout_seconds` and was ended.
        Exception: whatever `still_wanted`, `feed` or a callback raised; the child was ended.
    """
    child = subprocess.Popen(
        [*_leash(), *map(str, argv)],
        stdin=subprocess.DEVNULL if feed is None else subprocess.PIPE,
        stdout=subprocess.DEVNULL if on_stdout is None else subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        process_group=0,
    )
    errors: list[BaseException] = []
    threads = [_helper(child, errors, _read_lines, _end(child.stderr), on_stderr, codec)]
    if on_stdout is not None:
        threads.append(_helper(child, errors, _read_chunks, _end(child.stdout), on_stdout))
    if feed is not None:
        threads.append(_helper(child, errors, _write_all, _end(child.stdin), feed))
    try:
        exit_code = _wait(child, timeout_seconds, still_wanted)
    except subprocess.TimeoutExpired:
        message = (
            f"{Path(argv[0]).name} was stopped: it took longer than the {timeout_seconds:.0f} seconds it was given"
        )
        raise DeadlinePassed(message) from None
    finally:
        _end_group(child)
        if ended is not None:
            ended.set()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    return exit_code


def capture(
    argv: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    feed: Iterable[bytes] | None = None,
    timeout_seconds: float | None = 300,
) -> Captured:
    """Run a child whose answer fits in memory."""
    stdout: list[bytes] = []
    stderr: list[str] = []
    exit_code = run(
        argv,
        environment=environment,
        feed=feed,
        on_stderr=stderr.append,
        on_stdout=stdout.append,
        timeout_seconds=timeout_seconds,
    )
    return Captured(exit_code, b"".join(stdout), "\n".join(stderr))


def _wait(child: subprocess.Popen[bytes], timeout_seconds: float | None, still_wanted: Callable[[], None]) -> int:
    """The child's exit code.

    Raises:
        subprocess.TimeoutExpired: it took too long.
        Exception: whatever `still_wanted` raised.
    """
    end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while True:
        left = LOOKS_EVERY if end is None else min(LOOKS_EVERY, end - time.monotonic())
        try:
            return child.wait(max(0.0, left))
        except subprocess.TimeoutExpired:
            if end is not None and time.monotonic() >= end:
                raise
        still_wanted()


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """End the child and everything it started, unless it ended by itself; first by asking."""
    if child.returncode is not None and child.returncode >= 0:
        return
    # psql cancels its statement on the server at SIGINT only, and may go on with the next one; pg_restore at both.
    for number, patience in ((signal.SIGINT, MOMENT), (signal.SIGTERM, GRACE)):
        if child.returncode is None:
            _signal_group(child, number)
            with suppress(subprocess.TimeoutExpired):
                child.wait(patience)
    _kill_group(child)
    child.wait()


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    _signal_group(child, signal.SIGKILL)


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


@cache
def _leash() -> tuple[str, ...]:
    """What to put in front of a command so that the kernel ends it with its parent, even after `kill -9`.

    It is asked to end and not killed: pg_restore then cancels what its connections do on the server, and ends its
    parallel workers, which no leash of their own holds (PostgreSQL source, src/bin/pg_dump/parallel.c).
    """
    return (str(SETPRIV), "--pdeathsig", "TERM", "--") if os.access(SETPRIV, os.X_OK) else ()


def _end(pipe: IO[bytes] | None) -> IO[bytes]:
    """Our end of a pipe that was asked for."""
    if pipe is None:
        raise AssertionError("the pipe was asked for in Popen")
    return pipe


def _helper[**P](
    child: subprocess.Popen[bytes],
    errors: list[BaseException],
    work: Callable[P, None],
    *args: P.args,
    **kwargs: P.kwargs,
) -> threading.Thread:
    """Start a thread that does the work; its exception ends the child and is kept for the caller of `run`."""

    def main() -> None:
        try:
            work(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001  re-raised by run, in the caller's thread
            errors.append(error)
            _kill_group(child)

    # In the caller's context, for the log's sake.
    in_context = partial(copy_context().run, main)
    thread = threading.Thread(target=in_context, name=f"{work.__name__}-{child.pid}", daemon=True)
    thread.start()
    return thread


def _read_lines(stream: IO[bytes], sink: LineSink, codec: str) -> None:
    with stream:
        while line := stream.readline(LINE_LIMIT):
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = stream.readline(LINE_LIMIT)
            sink(line.rstrip(b"\r\n").decode(codec, "backslashreplace"))


def _read_chunks(stream: IO[bytes], sink: ByteSink) -> None:
    with stream:
        while chunk := stream.read1(CHUNK):  # type: ignore[attr-defined]  # IO lacks read1, the buffered pipe has it
            sink(chunk)


def _write_all(stream: IO[bytes], feed: Iterable[bytes]) -> None:
    # A child that stops reading has its reason in its exit code and stderr; a broken pipe adds nothing to them.
    with suppress(BrokenPipeError):
        try:
            for chunk in feed:
                if chunk:
                    stream.write(chunk)
                else:
                    stream.flush()
        finally:
            stream.close()
            if isinstance(feed, Generator):
                feed.close()
