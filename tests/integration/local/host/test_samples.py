"""The patterns of Durable Functions, used as a person with an HTTP client does: by the links of the first answer."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient

from local.host.process import HostProcess

SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Started:
    """An orchestration, by the links of the answer to its start."""

    links: dict[str, str]
    wait_for: Callable[..., Any]

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = requests.get(self.links["statusQueryGetUri"], timeout=10).json()
        return status

    def output(self) -> Any:
        self.wait_for(lambda: self.status()["runtimeStatus"] == "Completed", f"the end of {self.links['id']}")
        return self.status()["output"]

    def says(self, custom_status: object) -> None:
        """Wait until the custom status is this."""
        self.wait_for(lambda: self.status()["customStatus"] == custom_status, f"{custom_status}")

    def send(self, event: str, data: object) -> None:
        url = self.links["sendEventPostUri"].replace("{eventName}", event)
        assert requests.post(url, json=data, timeout=10).status_code == 202


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, storage: str, wait_for: Any) -> Iterator[Callable[..., Started]]:
    folder = tmp_path_factory.mktemp("samples")
    with HostProcess.start(SAMPLES, folder / "data", {"AzureWebJobsStorage": storage}, folder / "log") as host:

        def post(name: str, document: object) -> Started:
            answer = requests.post(f"{host.url}/api/orchestrators/{name}", json=document, timeout=10)
            assert answer.status_code == 202, answer.text
            return Started(answer.json(), wait_for)

        yield post


def test_chaining(start: Callable[..., Started]) -> None:
    assert start("order", ["tea", "milk"]).output() == "7 for milk and tea"


def test_fan_out_over_files_into_blobs(start: Callable[..., Started], storage: str, tmp_path: Path) -> None:
    for i in range(8):
        (tmp_path / f"{i}.txt").write_text("x" * i)
    assert start("archive", str(tmp_path)).output() == {"files": 8, "bytes": 28}
    blobs = BlobServiceClient.from_connection_string(storage).get_container_client("archive")
    assert {blob.name: blob.size for blob in blobs.list_blobs()} == {f"{i}.txt": i for i in range(8)}


def _code(storage: str, phone: str, wait_for: Any) -> str:
    """The code that was sent to a phone."""
    queue = QueueClient.from_connection_string(storage, "sms")

    def look() -> str | None:
        messages = [json.loads(message.content) for message in queue.peek_messages(32)]
        return next((message["code"] for message in messages if message["to"] == phone), None)

    code: str = wait_for(look, f"the message to {phone}")
    return code


def test_human_interaction_with_a_code_that_is_right_at_the_third_try(
    start: Callable[..., Started], storage: str, wait_for: Any
) -> None:
    verification = start("verify_phone", {"phone": "+49 30 1", "seconds": 3600})
    verification.says({"triesLeft": 3})
    verification.send("Code", "wrong")
    verification.says({"triesLeft": 2})
    verification.send("Code", "wrong again")
    verification.says({"triesLeft": 1})
    verification.send("Code", _code(storage, "+49 30 1", wait_for))
    assert verification.output() == "verified"


def test_human_interaction_that_nobody_answers(start: Callable[..., Started]) -> None:
    assert start("verify_phone", {"phone": "+49 30 2", "seconds": 0.1}).output() == "too late"


def test_a_monitor_looks_until_it_finds(start: Callable[..., Started], storage: str) -> None:
    monitor = start("await_blob", {"blob": "results/report.txt", "seconds": 3600, "pause": 0.05})
    monitor.says({"looks": 2})
    container = BlobServiceClient.from_connection_string(storage).create_container("results")
    container.upload_blob("report.txt", b"done")
    assert monitor.output() == "there"


def test_a_monitor_gives_up_at_its_deadline(start: Callable[..., Started]) -> None:
    monitor = start("await_blob", {"blob": "nowhere/at-all.txt", "seconds": 0.3, "pause": 0.05})
    assert monitor.output() == "given up"
    assert monitor.status()["customStatus"]["looks"] >= 1


def test_orchestrations_have_the_version_that_was_given_or_that_of_host_json(start: Callable[..., Started]) -> None:
    assert start("versioned", {}).output() == ["1.0", "0.9", "1.0"]
    assert start("versioned?version=0.5", {}).output() == ["0.5", "0.9", "1.0"]


def test_an_orchestration_of_a_newer_version_waits_for_an_app_that_knows_it(start: Callable[..., Started]) -> None:
    newer = start("versioned?version=2.0", {})
    assert start("versioned", {}).output() == ["1.0", "0.9", "1.0"]
    assert newer.status()["runtimeStatus"] == "Pending"
