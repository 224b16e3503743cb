"""The embedded Azure with a small source, backed up once; and a client that does what a ticketing system does."""

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests
from azure.storage.blob import BlobServiceClient, ContainerClient
from azure.storage.queue import QueueClient
from jsonschema import Draft202012Validator
from psycopg import sql

from local.demo.backup import take_backup
from local.environment import Environment
from local.servers.ports import free_port
from local.vault.config import Pacing
from shared.contracts.report import Report
from shared.contracts.status import RestoreStatus
from shared.topology import EVENT_QUEUE, LANDING_CONTAINERS, REPORT_CONTAINER, REQUEST_QUEUE

SOURCE = Path(__file__).parent / "source"
DATABASES = ("shop", 'Kunden "Süd"', "brittle", "walled", "slow")
AUTOMATIC = LANDING_CONTAINERS[1]
"""The container whose files are imported without a request."""
SIGNATURE = secrets.token_hex(16)
"""The key in the address of a webhook."""
_SECONDS = 120
_EVENTS: list[dict[str, Any]] = []
"""Events that were taken from the queue."""


@dataclass(frozen=True)
class Receiver:
    """The ticketing system of docs/events.md, whose webhook runs; and another one, which the operator calls audit."""

    example: ModuleType
    told: Any
    """The tickets that the webhook writes."""
    audit: Any
    """The tickets that the other one's webhook writes."""
    settings: dict[str, str]


@pytest.fixture(scope="session")
def receiver(documented_ticketing: ModuleType, event_schema: Draft202012Validator) -> Iterator[Receiver]:
    """The documentation's own code. Its secret is the older one of two that the app signs with."""
    example = documented_ticketing
    new, old = (f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}" for _ in range(2))
    heard: list[dict[str, Any]] = []
    with ExitStack() as stack:
        ports, tickets = (free_port(), free_port()), (example.Tickets(), example.Tickets())
        for port, written in zip(ports, tickets, strict=True):
            serve(stack, example.webhook(port, [old], overheard(written, heard)))
        yield Receiver(
            example,
            *tickets,
            {
                "FLEX_RESTORE_WEBHOOK_URL": f"http://127.0.0.1:{ports[0]}/flex-restore",
                "FLEX_RESTORE_WEBHOOKS": json.dumps({"audit": f"http://127.0.0.1:{ports[1]}/audit?sig={SIGNATURE}"}),
                "FLEX_RESTORE_WEBHOOK_HOSTS": '["127.0.0.1"]',
                "FLEX_RESTORE_WEBHOOK_SECRETS": f"{new} {old}",
            },
        )
    for event in heard:
        event_schema.validate(event)


def overheard(tickets: Any, heard: list[dict[str, Any]]) -> Any:
    """The tickets; whatever they are told is kept as it came, too."""
    take = tickets.take

    def take_and_keep(event: dict[str, Any]) -> None:
        heard.append(event)
        take(event)

    tickets.take = take_and_keep
    return tickets


def serve(stack: ExitStack, server: ThreadingHTTPServer) -> None:
    """Run a server until the stack is left."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    stack.enter_context(server)
    thread.start()
    stack.callback(thread.join)
    stack.callback(server.shutdown)


@pytest.fixture(scope="session")
def telemetry_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the app's processes write spans and metrics."""
    return tmp_path_factory.mktemp("telemetry")


@pytest.fixture(scope="session")
def environment(
    tmp_path_factory: pytest.TempPathFactory, receiver: Receiver, telemetry_folder: Path
) -> Iterator[Environment]:
    """Everything, with a backup of the source in the vault."""
    settings = {
        **receiver.settings,
        "FLEX_RESTORE_TELEMETRY_FOLDER": str(telemetry_folder),
        "FLEX_RESTORE_TELEMETRY_SECONDS": "0.5",
        "FLEX_RESTORE_AUTO_IMPORT": json.dumps({AUTOMATIC: "drill"}),
        "FLEX_RESTORE_SETTLE_SECONDS": "2",
    }
    with start_environment(tmp_path_factory.mktemp("e2e"), settings) as running:
        yield running


@contextmanager
def start_environment(folder: Path, settings: Mapping[str, str]) -> Iterator[Environment]:
    """Everything, with two worker processes that wait as short as can be, and a backup of the source in the vault."""
    quick = {
        "FUNCTIONS_WORKER_PROCESS_COUNT": "2",
        "FLEX_RESTORE_POLL_SECONDS": "0.3",
        "FLEX_RESTORE_POLL_LIMIT_SECONDS": "1",
    }
    pacing = Pacing(retry_after=0, operation=0.2, job=0.3)
    with Environment.start(folder, settings={**quick, **settings}, pacing=pacing) as running:
        fill(running)
        take_backup(running)
        yield running


@pytest.fixture(scope="session")
def sharing_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """The same, in which two lanes of one connection load each database side by side."""
    settings = {"FLEX_RESTORE_ROUTE": "sliced", "FLEX_RESTORE_LANES": "2", "FLEX_RESTORE_JOBS": "1"}
    with start_environment(tmp_path_factory.mktemp("lanes"), settings) as running:
        yield running


def fill(environment: Environment) -> None:
    """Make the source's roles and databases as its admin; what only the service can do, as the service."""
    run(environment, "postgres", "roles.sql")
    for database, script in zip(
        DATABASES, ("shop.sql", "kunden.sql", "brittle.sql", "walled.sql", "slow.sql"), strict=True
    ):
        with environment.source.connect(autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        run(environment, database, script, as_superuser=database == "walled")


def run(environment: Environment, database: str, script: str, *, as_superuser: bool = False) -> None:
    """Run a script on the source."""
    with environment.source.connect(database, as_superuser=as_superuser, autocommit=True) as connection:
        connection.execute((SOURCE / script).read_bytes())


@dataclass(frozen=True)
class Ticketing:
    """What a ticketing system does: it sends messages, asks for the status, reads events and reports."""

    environment: Environment
    event_schema: Draft202012Validator

    @property
    def headers(self) -> dict[str, str]:
        """The function key."""
        return {"x-functions-key": self.environment.function_key}

    @staticmethod
    def ticket(request_id: str, **request: Any) -> dict[str, Any]:
        """A request for the source's latest backup, under names of its own."""
        return {
            "version": "1",
            "requestId": request_id,
            "source": {"backupInstance": "orders"},
            "target": "drill",
            "databases": [{"name": "shop", "as": f"shop_{request_id}"}],
            **request,
        }

    def send(self, message: str | dict[str, Any]) -> None:
        """Put a message on the queue."""
        text = message if isinstance(message, str) else json.dumps(message)
        with QueueClient.from_connection_string(self._storage, REQUEST_QUEUE) as queue:
            queue.send_message(text)

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = {}) -> requests.Response:
        """Call the HTTP API; `path` is below /api."""
        url = f"{self.environment.url}/api/{path}"
        return requests.request(method, url, json=body, headers={**self.headers, **headers}, timeout=60)

    @contextmanager
    def waiting_loads(self) -> Iterator[None]:
        """Loads of the database `slow` stand still, in the middle of a COPY."""
        with self.environment.target.connect(as_superuser=True, autocommit=True) as connection:
            connection.execute("CREATE ROLE please_wait")
            try:
                yield
            finally:
                connection.execute("DROP ROLE please_wait")

    def loading(self) -> list[str]:
        """Temporary databases in which a load stands still."""
        query = "SELECT datname FROM pg_stat_activity WHERE datname LIKE 'flexrestore%' AND wait_event = 'PgSleep'"
        with self.environment.target.connect(as_superuser=True) as connection:
            return [name for (name,) in connection.execute(query).fetchall()]

    def databases(self) -> set[str]:
        """The databases of the target."""
        with self.environment.target.connect() as connection:
            return {name for (name,) in connection.execute("SELECT datname FROM pg_database").fetchall()}

    def status(self, request_id: str) -> RestoreStatus | None:
        """Where the restore stands; None when there is none, or while the host is down."""
        url = f"{self.environment.url}/api/restores/{request_id}"
        try:
            response = requests.get(url, headers=self.headers, timeout=30)
        except requests.ConnectionError:
            return None
        if response.status_code in {404, 503}:
            return None
        response.raise_for_status()
        return RestoreStatus.from_wire(response.json())

    def wait[T](self, look: Callable[[], T | None], what: str, seconds: float = _SECONDS) -> T:
        """Look until there is something to see."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if seen := look():
                return seen
            time.sleep(0.25)
        pytest.fail(f"{what} did not come about within {seconds:.0f} s")

    def wait_for(self, request_id: str, condition: Callable[[RestoreStatus], bool], what: str) -> RestoreStatus:
        """Wait until a restore's status is as expected."""

        def look() -> RestoreStatus | None:
            status = self.status(request_id)
            return status if status is not None and condition(status) else None

        return self.wait(look, f"restore {request_id}: {what}")

    def ended(self, request_id: str) -> RestoreStatus:
        """The restore in its terminal phase."""
        return self.wait_for(request_id, lambda status: status.phase.is_terminal, "its end")

    def restore(self, request_id: str, **request: Any) -> RestoreStatus:
        """Send a request and wait for its end."""
        self.send(self.ticket(request_id, **request))
        return self.ended(request_id)

    def report(self, request_id: str) -> Report:
        """The report, as it is kept."""
        text = self.container(REPORT_CONTAINER).download_blob(f"{request_id}/report.json").readall()
        return Report.model_validate_json(text)

    def events(self, subject: str, kind: str) -> list[dict[str, Any]]:
        """The events of a kind about a subject, so far."""
        return [event for event in self.all_events(kind) if event["subject"] == subject]

    def all_events(self, kind: str) -> list[dict[str, Any]]:
        """The events of a kind, so far, oldest first."""
        with QueueClient.from_connection_string(self._storage, EVENT_QUEUE) as queue:
            for message in queue.receive_messages():
                _EVENTS.append(json.loads(message.content))
                queue.delete_message(message)
                self.event_schema.validate(_EVENTS[-1])
        return [event for event in _EVENTS if event["type"].endswith(kind)]

    def container(self, name: str) -> ContainerClient:
        """A container of the storage account."""
        return BlobServiceClient.from_connection_string(self._storage).get_container_client(name)

    @property
    def _storage(self) -> str:
        return self.environment.azurite.connection_string


@pytest.fixture(scope="session")
def ticketing_of(event_schema: Draft202012Validator) -> Callable[[Environment], Ticketing]:
    """A ticketing system of another environment than that of all tests."""
    return lambda environment: Ticketing(environment, event_schema)


@pytest.fixture(scope="session")
def lasting_ticketing(environment: Environment, ticketing_of: Callable[[Environment], Ticketing]) -> Ticketing:
    """A ticketing system for fixtures that outlive a test."""
    return ticketing_of(environment)


@pytest.fixture
def ticketing(lasting_ticketing: Ticketing) -> Iterator[Ticketing]:
    """A ticketing system; after the test, files that a failed restore left are gone."""
    yield lasting_ticketing
    lasting_ticketing.environment.vault.clear_faults()
    lasting_ticketing.environment.blob_events()
    for name in LANDING_CONTAINERS:
        container = lasting_ticketing.container(name)
        for blob in container.list_blobs():
            container.delete_blob(blob.name)
