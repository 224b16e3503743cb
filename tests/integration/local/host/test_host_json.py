"""host.json and local.settings.json: each key that is honoured, on one host with unusual values."""

import base64
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient

from local.host.process import HostProcess

ROOT = Path(__file__).parents[4]
LIMITS = {"message": 3, "blob": 2, "activity": 4, "turn": 3}
HOST_JSON = {
    "version": "2.0",
    "extensions": {
        "queues": {
            "batchSize": 2,
            "newBatchThreshold": 1,
            "maxDequeueCount": 2,
            "messageEncoding": "base64",
            "maxPollingInterval": "00:00:00.2",
        },
        "blobs": {"maxDegreeOfParallelism": 7},
        "durableTask": {
            "hubName": "%HUB%",
            "maxConcurrentActivityFunctions": 4,
            "maxConcurrentOrchestratorFunctions": 3,
            "overridableExistingInstanceStates": "AnyState",
            "storageProvider": {"type": "mssql"},
        },
        "http": {"routePrefix": "v1/x"},
    },
    "logging": {
        "logLevel": {
            "default": "Warning",
            "Function": "Information",
            "Function.loud.User": "Debug",
            "Function.quiet": "Error",
            "Function.quiet.User": "Warning",
        }
    },
}
LOCAL_SETTINGS = {"Values": {"HUB": "FromSettings", "QUEUE": "limits", "PYTHON_THREADPOOL_THREAD_COUNT": 16}}


class Site:
    """The running host, with a key that it showed at its start."""

    def __init__(self, process: HostProcess, log: Path, storage: str, keys: dict[str, str]) -> None:
        self.process = process
        self.log = log
        self.storage = storage
        self.keys = keys

    def get(self, path: str) -> requests.Response:
        headers = {"x-functions-key": self.keys["default"]}
        return requests.get(f"{self.process.url}/v1/x/{path}", headers=headers, timeout=10)

    def gauge(self) -> tuple[dict[str, int], dict[str, int]]:
        """How many of a kind ran at once at most, and how many have ended."""
        document = self.get("gauge").json()
        return document["most"], document["ended"]

    def begin(self, name: str, instance_id: str) -> requests.Response:
        url = f"{self.process.url}/runtime/webhooks/durabletask/orchestrators/{name}/{instance_id}"
        return requests.post(url, timeout=10)


def queue(storage: str, name: str) -> QueueClient:
    return QueueClient.from_connection_string(storage, name)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory, storage: str, wait_for: Any) -> Iterator[Site]:
    """The host, with messages and blobs that were there before it."""
    messages = queue(storage, "limits")
    messages.create_queue()
    queue(storage, "limits-poison").create_queue()
    for text in ("long", *(f"short {number}" for number in range(8))):
        messages.send_message(encoded(text))
    blobs = BlobServiceClient.from_connection_string(storage).create_container("limits")
    for number in range(6):
        blobs.upload_blob(str(number), b"x")
    folder = tmp_path_factory.mktemp("limited")
    shutil.copyfile(Path(__file__).parent / "limits_app.py", folder / "function_app.py")
    (folder / "host.json").write_text(json.dumps(HOST_JSON))
    (folder / "local.settings.json").write_text(json.dumps(LOCAL_SETTINGS), "utf-8-sig")
    settings = {
        "AzureWebJobsStorage": storage,
        "LIMITS": json.dumps(LIMITS),
        "AzureFunctionsJobHost__extensions__blobs__maxDegreeOfParallelism": "2",
    }
    log = folder / "log"
    with HostProcess.start(folder, folder / "data", settings, log) as process:
        wait_for(lambda: "master" in process.printed(), "the keys")
        keys = dict(re.findall(r"^  (default|master) +(\S+)", process.printed(), re.MULTILINE))
        yield Site(process, log, storage, keys)


def test_functions_and_keys_are_shown_to_who_starts_the_host_and_not_to_the_log(limited: Site) -> None:
    assert f"ANY {limited.process.url}/v1/x/gauge -> read_gauge (function)" in limited.process.printed()
    assert "\nblobTrigger -> " in limited.process.printed()
    assert requests.get(f"{limited.process.url}/v1/x/gauge", timeout=10).status_code == 401
    assert limited.get("gauge").status_code == 200
    assert not any(key in limited.log.read_text() for key in limited.keys.values())


def test_an_app_finds_in_its_environment_what_core_tools_put_there(limited: Site) -> None:
    environment = limited.get("environment").json()
    assert environment["QUEUE"] == "limits"
    assert environment["PYTHON_THREADPOOL_THREAD_COUNT"] == "16"
    assert environment["AZURE_FUNCTIONS_ENVIRONMENT"] == "Development"
    assert environment["AzureWebJobsScriptRoot"] == str(limited.log.parent)
    assert environment["WEBSITE_HOSTNAME"].split(":") == ["localhost", limited.process.url.rpartition(":")[2]]


def test_a_route_is_found_under_the_prefix_only(limited: Site) -> None:
    assert requests.get(f"{limited.process.url}/api/gauge", timeout=10).status_code == 404


def test_as_many_messages_run_as_a_batch_and_the_threshold_allow(limited: Site, wait_for: Any) -> None:
    wait_for(lambda: limited.gauge()[1].get("message") == 9, "the end of all messages")
    assert limited.gauge()[0]["message"] == LIMITS["message"]


def test_as_many_blobs_run_as_the_setting_over_host_json_allows(limited: Site, wait_for: Any) -> None:
    wait_for(lambda: limited.gauge()[1].get("blob") == 6, "the end of all blobs")
    assert limited.gauge()[0]["blob"] == LIMITS["blob"]


def test_a_message_is_tried_as_often_as_host_json_says_and_kept_as_it_was_encoded(limited: Site, wait_for: Any) -> None:
    queue(limited.storage, "limits").send_message(encoded("bad"))
    wait_for(lambda: queue(limited.storage, "limits-poison").peek_messages(), "the poison message")
    (message,) = queue(limited.storage, "limits-poison").peek_messages()
    assert message.content == encoded("bad")
    assert limited.gauge()[1]["bad"] == 2


def test_as_many_orchestrators_and_activities_run_as_may(limited: Site, wait_for: Any) -> None:
    for number in range(9):
        limited.begin("turn", f"turn-{number}")
    wait_for(lambda: limited.gauge()[1].get("turn") == 9, "the end of all orchestrators")
    limited.begin("fan_out", "fan")
    wait_for(lambda: limited.gauge()[1].get("activity") == 12, "the end of all activities")
    most, _ = limited.gauge()
    assert (most["turn"], most["activity"]) == (LIMITS["turn"], LIMITS["activity"])


def test_an_instance_that_runs_may_be_replaced_and_the_hub_has_its_name_from_a_setting(limited: Site) -> None:
    assert limited.begin("waiting", "again").status_code == 202
    answer = limited.begin("waiting", "again")
    assert answer.status_code == 202
    assert "taskHub=FromSettings" in answer.json()["statusQueryGetUri"]


def test_the_log_shows_of_each_category_what_its_level_allows(limited: Site, wait_for: Any) -> None:
    limited.get("quiet")
    limited.get("loud")
    wait_for(lambda: "Executed 'loud' (Succeeded" in limited.log.read_text(), "the call in the log")
    log = limited.log.read_text()
    assert "DEBUG Function.loud.User [sample] debug of a loud function" in log
    assert "WARNING Function.quiet.User [sample] warning of a quiet function" in log
    assert "info of a quiet function" not in log
    assert "Executed 'quiet'" not in log
    assert "imported" not in log
    assert "Host.Startup host.json: not honoured here: extensions.durableTask.storageProvider" in log


def test_a_port_in_use_ends_the_host_with_a_port_that_is_free(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "host.json").write_text('{"version": "2.0"}')
        (tmp_path / "local.settings.json").write_text(json.dumps({"Host": {"LocalHttpPort": port}}))
        command = [sys.executable, "-m", "local.host", "--app", str(tmp_path)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    sentence = re.fullmatch(rf"port {port} cannot be used \(.*\): try --port (\d+)\n", ended.stderr)
    assert sentence is not None, ended.stderr
    socket.create_server(("127.0.0.1", int(sentence[1]))).close()
