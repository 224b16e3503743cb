"""Server processes end with their owner, whatever its death, and leave nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local.servers.process import Leash, ServerError, ServerProcess

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
]
OWNER = """
import json, sys, threading, time
from pathlib import Path
from local.servers.process import Leash, ServerProcess

folder = Path(sys.argv[1])
started = []
def start():
    process = ServerProcess.start(json.loads(sys.argv[2]), log=folder / "log", leash=Leash(remove=(folder / "data",)))
    started.append(process)
thread = threading.Thread(target=start)
thread.start()
thread.join()
print(started[0].pid, flush=True)
time.sleep(float(sys.argv[3]))
"""


def test_a_server_is_stopped_by_its_stop_signal(tmp_path: Path) -> None:
    process = ServerProcess.start(SLEEPER, log=tmp_path / "log")

    process.stop()

    assert not process.running
    assert not alive(process.pid)


def test_a_server_that_ignores_the_signal_is_killed_after_the_grace(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = ServerProcess.start(STUBBORN, log=log, leash=Leash(grace=0.2))
    process.wait_until(lambda: "deaf" in log.read_text(), 10)

    process.stop()

    assert not alive(process.pid)


def test_stopping_twice_and_stopping_the_dead_is_no_error(tmp_path: Path) -> None:
    process = ServerProcess.start(SLEEPER, log=tmp_path / "log")

    process.kill()
    process.stop()
    process.stop()

    assert not process.running


def test_children_that_a_killed_server_left_end_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    parent = f"import subprocess, time; print(subprocess.Popen({SLEEPER!r}).pid, flush=True); time.sleep(600)"
    process = ServerProcess.start([sys.executable, "-c", parent], log=log)
    process.wait_until(lambda: log.read_text().strip().isdecimal(), 10)

    process.kill()

    assert gone(int(log.read_text()))


def test_waiting_for_a_server_that_ends_shows_its_last_words(tmp_path: Path) -> None:
    process = ServerProcess.start([sys.executable, "-c", "print('no such thing')"], log=tmp_path / "log")

    with pytest.raises(ServerError, match="ended before it was ready:\nno such thing"):
        process.wait_until(lambda: False, 10)


def test_a_server_that_never_answers_is_stopped_at_the_deadline(tmp_path: Path) -> None:
    process = ServerProcess.start(SLEEPER, log=tmp_path / "log")

    with pytest.raises(ServerError, match=r"not ready within 0\.1 s"):
        process.wait_until(lambda: False, 0.1)

    assert not process.running


def test_a_command_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="/no/such/command could not be started"):
        ServerProcess.start(["/no/such/command"], log=tmp_path / "log")


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda death: death.name)
def test_a_server_and_its_data_go_with_its_owner(tmp_path: Path, death: signal.Signals) -> None:
    """It was started in a thread that has ended long since, which must not matter."""
    (tmp_path / "data").mkdir()
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, tmp_path, json.dumps(SLEEPER), "600"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[4],
    )
    with owner:
        assert owner.stdout is not None
        server = int(owner.stdout.readline())
        assert alive(server)

        owner.send_signal(death)

    assert gone(server)
    assert eventually(lambda: not (tmp_path / "data").exists())


def test_a_server_ends_when_its_leash_is_killed(tmp_path: Path) -> None:
    process = ServerProcess.start(SLEEPER, log=tmp_path / "log")

    process._leash.kill()

    assert gone(process.pid)
    process.stop()


def gone(pid: int) -> bool:
    return eventually(lambda: not alive(pid))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # A zombie has ended: it only waits for an init process that collects it, which not every container has.
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
