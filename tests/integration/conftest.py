"""What the app finds in Azure, as real processes that all tests of a run share, and the app's settings for it."""

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from azure.core.pipeline.policies import RetryPolicy
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local.environment import INSTANCE, Services
from local.servers.azurite import Azurite
from local.servers.postgres import FlexibleServer
from local.vault.config import BackupInstance, Pacing, SourceServer, StorageAccount, VaultConfig
from local.vault.process import VaultProcess
from local.vault.recovery_points import RecoveryPoint
from local.vault.state import State
from shared import topology
from shared.contracts.vaultjobs import RestoreOrder
from shared.settings import access, settings
from shared.storage import accounts
from shared.targets import toolbox
from shared.vault import clients, instances

CONTAINERS = (*topology.LANDING_CONTAINERS, topology.CONTROL_CONTAINER, topology.REPORT_CONTAINER)
INSTANCES = {"orders-prod-pgflex": "orders-prod", "history": "old", "empty": "new", "twin-a": "twin", "twin-b": "twin"}
POINT = "a" * 32
"""The recovery point of the first instance."""
REMEMBERED = (
    settings,
    access,
    toolbox,
    accounts.identity_of,
    accounts.blob_service,
    accounts.queue_service,
    clients.data_protection,
    clients.storage_management,
    clients.authorization,
)
"""What the process keeps of its environment."""


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite.start(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture(scope="session")
def flexible_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlexibleServer]:
    """A server that each test leaves as it was."""
    with FlexibleServer.create(tmp_path_factory.mktemp("flexible-server"), name="shared") as server:
        yield server


@pytest.fixture(scope="session")
def vault_process(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultProcess]:
    """A vault with one recovery point, whose files nobody needs."""
    nobody = SourceServer(host="127.0.0.1", port=1, password="no backup is taken here")

    def account(name: str, **properties: Any) -> StorageAccount:
        return StorageAccount(
            name=name, resource_group="rg-storage", connection_string=azurite.connection_string, **properties
        )

    closed = {"allow_cross_tenant_replication": False, "public_network_access": "Disabled"}
    config = VaultConfig(
        subscription="00000000-0000-0000-0000-000000000007",
        resource_group="rg-backup",
        vault="orders-vault",
        instances=tuple(
            BackupInstance(name=name, server_name=server, server=nobody) for name, server in INSTANCES.items()
        ),
        accounts=(
            account(azurite.account_name),
            account("norole", vault_has_role=False),
            account("closed", **closed),
            account("old", allow_cross_tenant_replication=None, public_network_access=None),
            account("shut", **closed, vault_has_role=False),
        ),
        state=tmp_path_factory.mktemp("vault") / "state",
        pacing=Pacing(operation=0.05, job=0.05),
        page_size=2,
    )
    with VaultProcess.start(config, config.state.parent / "vault.log") as running:
        put_point(config, config.instances[0].name, POINT, datetime(2026, 4, 1, 2, 30, tzinfo=UTC))
        yield running


def put_point(
    config: VaultConfig,
    instance: str,
    identity: str,
    taken: datetime,
    state: Literal["Completed", "Partial"] = "Completed",
) -> None:
    """A backup without files, as a finished job leaves it."""
    point = RecoveryPoint(
        id=identity,
        instance=instance,
        backup_name=str(uuid.uuid4()),
        data_store_id=str(uuid.uuid4()),
        time=taken,
        created=taken,
        state=state,
        files=(),
    )
    State(config.state).points.put(identity, point)


@pytest.fixture(scope="session")
def add_point(vault_process: VaultProcess) -> Callable[..., None]:
    """Leave a recovery point in the vault."""
    return partial(put_point, vault_process.config)


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Change app settings; what the process made of earlier ones is forgotten, as it is after the test."""

    def configure(**changes: str) -> None:
        for name, value in changes.items():
            monkeypatch.setenv(name, value)
        for factory in REMEMBERED:
            factory.cache_clear()

    yield configure
    configure()


@pytest.fixture
def storage(azurite: Azurite, configure: Callable[..., None]) -> Iterator[BlobServiceClient]:
    """Both storage accounts of the app, with empty containers and queues."""
    configure(**dict.fromkeys((topology.APP_STORAGE, topology.LANDING_STORAGE), azurite.connection_string))
    with BlobServiceClient.from_connection_string(azurite.connection_string) as blobs:
        empty_containers(blobs)
        with QueueServiceClient.from_connection_string(azurite.connection_string) as queues:
            for queue in queues.list_queues():
                queues.get_queue_client(queue.name).clear_messages()
        yield blobs


def empty_containers(blobs: BlobServiceClient) -> None:
    """Make the app's containers, and make them empty."""
    standing = {container.name for container in blobs.list_containers()}
    for name in CONTAINERS:
        container = blobs.get_container_client(name)
        if name not in standing:
            container.create_container()
        for blob in container.list_blobs():
            container.delete_blob(blob.name)


@pytest.fixture
def put(storage: BlobServiceClient) -> Callable[..., None]:
    """Let files land."""

    def put(
        *names: str, container: str = topology.LANDING_CONTAINERS[0], content: bytes = b"2026-04-01 02:30:00 UTC"
    ) -> None:
        for name in names:
            storage.get_blob_client(container, name).upload_blob(content, overwrite=True)

    return put


@pytest.fixture
def app(
    azurite: Azurite,
    flexible_server: FlexibleServer,
    vault_process: VaultProcess,
    storage: object,  # noqa: ARG001 -- it empties the containers
    configure: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Services]:
    """The services, and the app's settings for them; afterwards no job runs and no fault is left."""
    services = Services(azurite, flexible_server, flexible_server, vault_process)
    options = clients._options
    # Here it is the app that is looked at; the SDK's own retries only take time.
    monkeypatch.setattr(clients, "_options", lambda: {**options(), "retry_policy": RetryPolicy.no_retries()})
    app_settings = services.app_settings(tmp_path)
    del app_settings["TMPDIR"]
    configure(**app_settings)
    yield services
    vault_process.clear_faults()
    until(lambda: not State(vault_process.config.state).running_jobs(), "the end of every job")


@pytest.fixture
def order(app: Services) -> RestoreOrder:  # noqa: ARG001 -- settings first
    """A restore that the vault can do."""
    return RestoreOrder(
        request_id=f"r-{uuid.uuid4().hex[:8]}",
        instance=instances.resolve(INSTANCE),
        recovery_point=POINT,
        container=topology.LANDING_CONTAINERS[0],
    )


def until[T](look: Callable[[], T | None], what: str) -> T:
    """What there is to see, once there is."""
    deadline = time.monotonic() + 30
    while not (seen := look()):
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.02)
    return seen


@pytest.fixture(scope="session")
def wait() -> Callable[..., Any]:
    """Look until there is something to see."""
    return until
