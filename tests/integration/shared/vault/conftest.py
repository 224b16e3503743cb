"""One backup vault service for all tests of this folder, found by the app as it finds Azure."""

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from local.servers.azurite import Azurite
from local.vault.arm import account_id, vault_id
from local.vault.config import BackupInstance, Pacing, SourceServer, StorageAccount, VaultConfig
from local.vault.process import VaultProcess
from local.vault.recovery_points import BackupFile, RecoveryPoint
from local.vault.state import State
from shared.contracts.vaultjobs import Operation, RestoreOrder
from shared.contracts.watch import Sighting
from shared.settings import settings
from shared.storage import accounts
from shared.vault import clients, instances, operations

INSTANCES = {"orders-prod-pgflex": "orders-prod", "history": "old", "empty": "new", "twin-a": "twin", "twin-b": "twin"}
START = datetime(2026, 4, 1, 2, 30, tzinfo=UTC)
"""When the first backup was taken."""
FACTORIES = (clients.data_protection, clients.storage_management, clients.authorization)
POINT = "f" * 32
"""The recovery point of the instance that is restored from."""


@pytest.fixture(scope="session")
def service(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultProcess]:
    nobody = SourceServer(host="127.0.0.1", port=1, password="no backup is taken here")

    def account(name: str, **properties: Any) -> StorageAccount:
        return StorageAccount(
            name=name, resource_group="rg-storage", connection_string=azurite.connection_string, **properties
        )

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
            account("closed", allow_cross_tenant_replication=False, public_network_access="Disabled"),
            account("old", allow_cross_tenant_replication=None, public_network_access=None),
        ),
        state=tmp_path_factory.mktemp("vault") / "state",
        pacing=Pacing(retry_after=1, operation=0.05, job=0.05),
        page_size=2,
    )
    with VaultProcess.start(config, config.state.parent / "vault.log") as running:
        put_point(config, "orders-prod-pgflex", POINT, START)
        yield running


def put_point(
    config: VaultConfig,
    instance: str,
    identity: str,
    taken: datetime,
    state: Literal["Completed", "Partial"] = "Completed",
) -> None:
    """A backup of two small files, as a finished job leaves it."""
    name = str(uuid.uuid4())
    folder = State(config.state).files(identity)
    folder.mkdir(parents=True)
    files = []
    for blob, content in (("backupstarttimestamp", b"2026-04-01 02:30:00 UTC"), (f"{name}_roles.sql", b"SELECT 1;\n")):
        folder.joinpath(blob).write_bytes(content)
        files.append(BackupFile(blob=blob, path=folder.joinpath(blob).relative_to(folder), size=len(content)))
    point = RecoveryPoint(
        id=identity,
        instance=instance,
        backup_name=name,
        data_store_id=str(uuid.uuid4()),
        time=taken,
        created=taken + timedelta(minutes=1),
        state=state,
        files=tuple(files),
    )
    State(config.state).points.put(identity, point)


@pytest.fixture(scope="session")
def add_point(service: VaultProcess) -> Callable[..., None]:
    """Leave a recovery point in the vault."""

    def add(instance: str, identity: str, taken: datetime, **options: Any) -> None:
        put_point(service.config, instance, identity, taken, **options)

    return add


@pytest.fixture
def vault(service: VaultProcess, storage: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[VaultProcess]:  # noqa: ARG001 -- settings first
    """The service and the app's settings for it; afterwards nothing runs in it and no fault is left."""
    config = service.config
    environment = {
        "FLEX_RESTORE_VAULT": vault_id(config),
        "FLEX_RESTORE_LANDING_ACCOUNT": account_id(config, config.accounts[0]),
        "FLEX_RESTORE_ARM_ENDPOINT": service.url,
        **service.environment,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    options = clients._options
    # Here it is the app that is looked at; the SDK's own retries only take time.
    monkeypatch.setattr(clients, "_options", lambda: {**options(), "retry_total": 0})
    forget_clients()
    yield service
    service.clear_faults()
    until(lambda: not State(config.state).running_jobs(), "the end of every job")
    forget_clients()


def forget_clients() -> None:
    """Other settings, other clients."""
    for factory in (settings, accounts.credential, *FACTORIES):
        factory.cache_clear()


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


@pytest.fixture
def order(vault: VaultProcess) -> RestoreOrder:  # noqa: ARG001 -- settings first
    """A restore that the vault can do."""
    instance = instances.resolve("orders-prod-pgflex")
    return RestoreOrder(
        request_id=f"r-{uuid.uuid4().hex[:8]}", instance=instance, recovery_point=POINT, container="landing-1"
    )


@pytest.fixture
def ended() -> Callable[[Operation], Sighting]:
    """The last sighting of an operation."""

    def look(operation: Operation) -> Sighting:
        return until(lambda: seen if (seen := operations.look(operation)).ended else None, "the operation's end")

    return look


@pytest.fixture
def start_job(order: RestoreOrder, ended: Callable[[Operation], Sighting]) -> Callable[[], str]:
    """Restore for the order; the id of the job."""

    def start() -> str:
        return str(ended(operations.start_restore(order)).value["jobId"])

    return start
