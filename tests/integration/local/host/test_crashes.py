"""What dies comes back: workers, the host, and the app's mistakes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from local.host.process import HostProcess, HostProcessError

FAN_OUT = {"items": 30, "seconds": 0.1}


def _is_running(pid: int) -> bool:
    """Whether a process is there; one that has ended and waits for its parent to notice is not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _started(site: Any, wait_for: Any, count: int) -> None:
    wait_for(lambda: len(site.notes("work")) >= count, f"{count} activities to start")


def test_a_worker_killed_in_a_fan_out_costs_retries_and_nothing_else(own_site: Any, wait_for: Any) -> None:
    own_site.settings["FUNCTIONS_WORKER_PROCESS_COUNT"] = "2"
    process = own_site.start().process
    own_site.begin("fan_out", "fan", FAN_OUT)
    _started(own_site, wait_for, 5)
    victim, survivor = process.worker_pids()
    os.kill(victim, signal.SIGKILL)
    assert own_site.ended("fan")["output"] == sum(range(30))
    assert survivor in process.worker_pids()
    assert victim not in process.worker_pids()
    wait_for(lambda: len(process.worker_pids()) == 2, "the replacement")
    assert len(own_site.notes("work")) > 30


def test_a_host_killed_twice_in_a_fan_out_goes_on_where_it_was(own_site: Any, wait_for: Any) -> None:
    own_site.start()
    for i in range(3):
        own_site.begin("fan_out", f"fan-{i}", FAN_OUT)
        own_site.begin("chain", f"chain-{i}", i)
    own_site.begin("approval", "timer", {"seconds": 1})
    own_site.begin("approval", "event")
    own_site.begin("parent", "parent")
    for started in (10, 40):
        _started(own_site, wait_for, started)
        workers = own_site.process.worker_pids()
        own_site.process.kill()
        wait_for(lambda pids=workers: not any(map(_is_running, pids)), "the workers to end with their host")
        own_site.start()
    requests.post(f"{own_site.durable}/instances/event/raiseEvent/Approval", json="yes", timeout=10)
    for i in range(3):
        assert own_site.ended(f"fan-{i}")["output"] == sum(range(30))
        assert own_site.ended(f"chain-{i}")["output"] == i + 3
        events = own_site.status(f"fan-{i}", showHistory="true")["historyEvents"]
        completed = [json.loads(event["Input"])["item"] for event in events if event["EventType"] == "TaskCompleted"]
        assert sorted(completed) == list(range(30)), "each result is in the history once"
    assert own_site.ended("timer")["output"] == "late"
    assert own_site.ended("event")["output"] == "yes"
    assert own_site.ended("parent")["output"][:3] == [13, "attempt 3", 3]


def test_a_queue_message_in_flight_when_the_host_is_killed_is_seen_again(own_site: Any, wait_for: Any) -> None:
    own_site.settings["SAMPLE_QUEUE"] = "killed"
    queue = own_site.queue("killed")
    own_site.start()
    queue.send_message("sleep2")
    wait_for(lambda: own_site.notes("message") == ["sleep2 1"], "the first try")
    own_site.process.kill()
    own_site.start()
    wait_for(lambda: "SLEEP2" in own_site.messages("answers"), "the answer")
    assert "sleep2 2" in own_site.notes("message")


def test_a_stopped_host_gives_its_message_back_ends_fast_and_leaves_no_process(own_site: Any, wait_for: Any) -> None:
    own_site.settings["SAMPLE_QUEUE"] = "stopped"
    queue = own_site.queue("stopped")
    process = own_site.start().process
    workers = process.worker_pids()
    queue.send_message("sleep30")
    wait_for(lambda: own_site.notes("message") == ["sleep30 1"], "the call")
    began = time.monotonic()
    assert process.stop() == 0
    assert time.monotonic() - began < 3
    assert not any(map(_is_running, workers))
    assert own_site.messages("stopped") == ["sleep30"]


def _refusal(folder: Path, source: str) -> str:
    """What `python -m local.host` prints for an app that it refuses, after it has ended with code 1."""
    app = folder / "refused"
    app.mkdir()
    (app / "function_app.py").write_text(source)
    (app / "host.json").write_text('{"version": "2.0"}')
    command = [sys.executable, "-m", "local.host", "--app", str(app), "--port", "0"]
    root = Path(__file__).parents[4]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr


APP = "import azure.functions as func\nimport azure.durable_functions as df\napp = df.DFApp()\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import nothing_of_this_name\n", ["ModuleNotFoundError: No module named 'nothing_of_this_name'", "Traceback"]),
        # What lies beside the host's own package is none of the app's.
        ("import shared\n", ["ModuleNotFoundError: No module named 'shared'"]),
        (
            APP + '@app.entity_trigger(context_name="context")\ndef counter(context): ...\n',
            ["function counter uses durable entities (entityTrigger), which this host does not support"],
        ),
    ],
    ids=["import", "import-of-ours", "entity"],
)
def test_what_cannot_run_is_refused_at_start(tmp_path: Path, source: str, expected: list[str]) -> None:
    text = _refusal(tmp_path, source)
    for part in expected:
        assert part in text


def test_a_second_host_on_the_same_data_is_refused(site: Any, tmp_path: Path) -> None:
    with pytest.raises(HostProcessError, match="another host runs with the data folder"):
        HostProcess.start(site.folder / "app", site.folder / "data", site.settings, tmp_path / "log")


def test_a_port_in_use_is_named_with_another_to_try(site: Any, tmp_path: Path) -> None:
    port = int(site.url.rsplit(":", 1)[1])
    with pytest.raises(HostProcessError, match=rf"port {port} cannot be used.*--port \d+") as caught:
        HostProcess.start(site.folder / "app", tmp_path, site.settings, tmp_path / "log", port=port)

    offered = int(re.findall(r"--port (\d+)", str(caught.value))[0])
    assert port < offered < port + 100  # the next one may be somebody else's
