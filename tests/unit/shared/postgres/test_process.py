"""Children are fed, heard, and ended."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from shared.errors import DeadlinePassed, RestoreCancelled
from shared.postgres import process

ENVIRONMENT = {"PATH": os.defpath}


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_what_is_fed_comes_out_and_the_exit_code_is_told() -> None:
    code = "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.stderr.write('a\\nb'); sys.exit(3)"
    answer = process.capture(python(code), environment=ENVIRONMENT, feed=[b"hel", b"lo"])
    assert answer == process.Captured(3, b"HELLO", "a\nb")


def test_more_than_a_pipe_holds_flows_both_ways() -> None:
    size = 0

    def count(chunk: bytes) -> None:
        nonlocal size
        size += len(chunk)

    code = process.run(
        ["cat"], environment=ENVIRONMENT, feed=(b"x" * 100_000 for _ in range(100)), on_stderr=print, on_stdout=count
    )
    assert (code, size) == (0, 10_000_000)


def test_an_empty_chunk_hands_on_what_was_written_before_the_feed_waits() -> None:
    heard, ended = threading.Event(), threading.Event()

    def waiting() -> Iterator[bytes]:
        yield b"go on\n"
        yield b""
        assert heard.wait(20)

    code = "import sys; print(sys.stdin.readline(), flush=True); sys.stdin.read()"
    exit_code = process.run(
        python(code),
        environment=ENVIRONMENT,
        feed=waiting(),
        ended=ended,
        on_stderr=print,
        on_stdout=lambda _: heard.set(),
    )
    assert exit_code == 0
    assert ended.is_set()


def test_a_feed_that_waits_is_told_that_there_is_no_child_any_more() -> None:
    ended = threading.Event()

    def waiting() -> Iterator[bytes]:
        yield b"x"
        assert ended.wait(20)

    exit_code = process.run(
        python("raise SystemExit(7)"), environment=ENVIRONMENT, feed=waiting(), ended=ended, on_stderr=print
    )
    assert exit_code == 7


def test_a_child_that_stops_reading_ends_the_feeding_without_an_error() -> None:
    fed = 0

    def endless() -> Iterator[bytes]:
        nonlocal fed
        while True:
            fed += 1
            yield b"x" * 65_536

    assert (
        process.run(python("import sys; sys.stdin.read(10)"), environment=ENVIRONMENT, feed=endless(), on_stderr=print)
        == 0
    )
    assert fed < 1000


def test_a_source_that_fails_ends_the_child_and_is_the_error() -> None:
    def breaking() -> Iterator[bytes]:
        yield b"x"
        raise ConnectionResetError("the blob went away")

    with pytest.raises(ConnectionResetError, match="the blob went away"):
        process.run(["cat"], environment=ENVIRONMENT, feed=breaking(), on_stderr=print)


def test_a_child_that_takes_too_long_is_ended_with_its_children() -> None:
    began = time.monotonic()
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with pytest.raises(DeadlinePassed, match="longer than the 1 seconds"):
        process.run(["sh", "-c", "sleep 60 & sleep 60"], environment=ENVIRONMENT, on_stderr=print, timeout_seconds=1)
    assert time.monotonic() - began < 10
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


def test_a_child_that_is_no_longer_wanted_is_asked_to_end_and_may_clean_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """pg_restore and psql cancel their statements on the server when they are interrupted; killed, they could not."""
    monkeypatch.setattr(process, "LOOKS_EVERY", 0.05)
    ready, cleaned = tmp_path / "ready", tmp_path / "cleaned"
    code = (
        "import pathlib, signal, sys, time\n"
        f"signal.signal(signal.SIGINT, lambda *_: (pathlib.Path({str(cleaned)!r}).touch(), sys.exit(1)))\n"
        f"pathlib.Path({str(ready)!r}).touch()\n"
        "time.sleep(60)"
    )

    def still_wanted() -> None:
        if ready.exists():
            raise RestoreCancelled("nobody wants it")

    with pytest.raises(RestoreCancelled, match="nobody wants it"):
        process.run(python(code), environment=ENVIRONMENT, on_stderr=print, still_wanted=still_wanted)

    assert cleaned.exists()


def test_a_child_that_does_not_end_when_it_is_asked_to_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 0.2)
    ignore = "[signal.signal(one, signal.SIG_IGN) for one in (signal.SIGINT, signal.SIGTERM)]"
    code = f"import signal, time; {ignore}; time.sleep(60)"
    before = {child.pid for child in psutil.Process().children(recursive=True)}

    with pytest.raises(DeadlinePassed):
        process.run(python(code), environment=ENVIRONMENT, on_stderr=print, timeout_seconds=1)

    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


def test_a_signal_is_a_negative_exit_code() -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert process.run(python(code), environment=ENVIRONMENT, on_stderr=print) == -signal.SIGTERM


def test_long_lines_are_cut_and_odd_bytes_survive() -> None:
    lines: list[str] = []
    code = "import sys; e = sys.stderr.buffer; e.write(b'x' * 1_000_000 + b'\\nnext \\xff\\r\\nlast')"
    process.run(python(code), environment=ENVIRONMENT, on_stderr=lines.append)
    assert [len(line) for line in lines] == [process.LINE_LIMIT, len("next \\xff"), 4]
    assert lines[1:] == ["next \\xff", "last"]


def test_only_the_given_variables_are_seen() -> None:
    answer = process.capture(python("import os; print(sorted(os.environ))"), environment={"ONLY": "this"})
    assert b"ONLY" in answer.stdout
    assert b"HOME" not in answer.stdout


@pytest.mark.skipif(not process.SETPRIV.exists(), reason="only setpriv ties a child's life to its parent's")
def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    child = f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid()) + '.'); time.sleep(60)"
    parent_code = (
        "import sys; from shared.postgres import process\n"
        f"process.run([sys.executable, '-c', {child!r}], environment={{}}, on_stderr=print)"
    )
    parent = subprocess.Popen(python(parent_code), cwd=Path(__file__).parents[4])
    deadline = time.monotonic() + 20
    while not (told.exists() and told.read_text().endswith(".")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child_process = psutil.Process(int(told.read_text().rstrip(".")))
    parent.kill()
    parent.wait()
    psutil.wait_procs([child_process], timeout=10)
    assert not child_process.is_running() or child_process.status() == psutil.STATUS_ZOMBIE
