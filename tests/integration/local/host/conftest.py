"""A sample function app, Azurite, and hosts that run the one on the other."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient, QueueServiceClient

from local.host.process import HostProcess
from local.servers.azurite import Azurite

HOST_JSON = {
    "version": "2.0",
    "functionTimeout": "00:00:20",
    "extensions": {
        "queues": {"messageEncoding": "none", "maxPollingInterval": "00:00:01", "visibilityTimeout": "00:00:00"},
        "durableTask": {"hubName": "Sample", "maxConcurrentActivityFunctions": 8},
    },
}
_SECONDS = 30.0


def _wait_for(condition: Callable[[], Any], what: str, seconds: float = _SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} seconds"
        time.sleep(0.02)
    return found


@dataclass
class Site:
    """A sample app in a folder of its own: started, asked, killed and started again."""

    folder: Path
    storage: str
    settings: dict[str, str] = field(default_factory=dict)
    process: HostProcess | None = None

    def __post_init__(self) -> None:
        (self.folder / "app").mkdir(parents=True)
        shutil.copyfile(Path(__file__).parent / "sample_app.py", self.folder / "app" / "function_app.py")
        self.write_host_json(HOST_JSON)
        self.settings = {
            "AzureWebJobsStorage": self.storage,
            "NOTES": str(self.folder / "notes"),
            "SAMPLE_QUEUE": "sample",
            "YEARLY": "0 0 0 1 JAN *",
            "AzureWebJobs.every_second.Disabled": "true",
            **self.settings,
        }

    def write_host_json(self, document: object) -> None:
        (self.folder / "app" / "host.json").write_text(json.dumps(document))

    def start(self) -> "Site":
        self.process = HostProcess.start(self.folder / "app", self.folder / "data", self.settings, self.log)
        return self

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def url(self) -> str:
        assert self.process is not None
        return self.process.url

    @property
    def durable(self) -> str:
        return f"{self.url}/runtime/webhooks/durabletask"

    def notes(self, kind: str) -> list[str]:
        path = self.folder / "notes"
        lines = path.read_text().splitlines() if path.exists() else []
        return [text for found, text in map(json.loads, lines) if found == kind]

    def begin(self, name: str, instance_id: str, document: object = None) -> None:
        """Start an orchestration the way the SDK's client does: with JSON in JSON."""
        body = None if document is None else json.dumps(json.dumps(document))
        answer = requests.post(f"{self.durable}/orchestrators/{name}/{instance_id}", data=body, timeout=10)
        assert answer.status_code == 202, answer.text

    def status(self, instance_id: str, **query: str) -> dict[str, Any]:
        answer = requests.get(f"{self.durable}/instances/{instance_id}", params=query, timeout=10)
        status: dict[str, Any] = answer.json() if answer.content else {"runtimeStatus": None}
        return status

    def ended(self, instance_id: str, seconds: float = _SECONDS) -> dict[str, Any]:
        """The status of an instance, when it has ended."""
        terminal = {"Completed", "Failed", "Terminated"}

        def look() -> dict[str, Any] | None:
            status = self.status(instance_id)
            return status if status["runtimeStatus"] in terminal else None

        status: dict[str, Any] = _wait_for(look, f"the end of {instance_id}", seconds)
        return status

    def queue(self, name: str) -> QueueClient:
        queue = self._queue(name)
        with suppress(ResourceExistsError):
            queue.create_queue()
        return queue

    def messages(self, name: str) -> list[str]:
        try:
            return [message.content for message in self._queue(name).peek_messages(32)]
        except ResourceNotFoundError:
            return []

    def _queue(self, name: str) -> QueueClient:
        return QueueServiceClient.from_connection_string(self.storage).get_queue_client(name)

    @property
    def blobs(self) -> BlobServiceClient:
        return BlobServiceClient.from_connection_string(self.storage)


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., Any]:
    return _wait_for


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Azurite.start(tmp_path_factory.mktemp("azurite")) as azurite:
        yield azurite.connection_string


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, storage: str) -> Iterator[Site]:
    """A running host with two workers, shared by all tests that leave it alone."""
    settings = {"FUNCTIONS_WORKER_PROCESS_COUNT": "2", "LOCAL_HOST_KEY": "open-sesame"}
    site = Site(tmp_path_factory.mktemp("site"), storage, settings).start()
    yield site
    assert site.process is not None
    assert site.process.stop() == 0


@pytest.fixture
def own_site(tmp_path: Path, storage: str) -> Iterator[Site]:
    """A host of one test's own, with one worker, not started."""
    site = Site(tmp_path / "site", storage)
    yield site
    if site.process is not None:
        site.process.stop()
