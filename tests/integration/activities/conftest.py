"""What activities work on: Azurite, a flexible server, and a backup vault with one recovery point of small files."""

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.environment import Services
from local.servers.azurite import Azurite
from local.servers.postgres import FlexibleServer
from local.vault.config import BackupInstance, Pacing, SourceServer, StorageAccount, VaultConfig
from local.vault.process import VaultProcess
from local.vault.recovery_points import BackupFile, RecoveryPoint
from local.vault.state import State
from shared.settings import settings
from shared.storage import accounts
from shared.targets import toolbox
from shared.vault import clients

POINT = "a" * 32


@pytest.fixture(scope="session")
def services(
    azurite: Azurite, flexible_server: FlexibleServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    nobody = SourceServer(host="127.0.0.1", port=1, password="no backup is taken here")
    account = StorageAccount(
        name=azurite.account_name, resource_group="rg", connection_string=azurite.connection_string
    )
    config = VaultConfig(
        subscription="00000000-0000-0000-0000-000000000009",
        resource_group="rg-backup",
        vault="orders-vault",
        instances=(BackupInstance(name="orders-pgflex", server_name="orders-prod", server=nobody),),
        accounts=(account,),
        state=tmp_path_factory.mktemp("vault") / "state",
        pacing=Pacing(operation=0.05, job=0.05),
    )
    with VaultProcess.start(config, config.state.parent / "vault.log") as vault:
        put_point(config)
        yield Services(azurite, flexible_server, flexible_server, vault)


def put_point(config: VaultConfig) -> None:
    """A backup of a marker and a roles file, as a finished job leaves it."""
    folder = State(config.state).files(POINT)
    folder.mkdir(parents=True)
    name, taken = str(uuid.uuid4()), datetime(2026, 4, 1, 2, 30, tzinfo=UTC)
    contents = {"backupstarttimestamp": b"2026-04-01 02:30:00 UTC", f"{name}_roles.sql": b"SELECT 1;\n"}
    for blob, content in contents.items():
        folder.joinpath(blob).write_bytes(content)
    point = RecoveryPoint(
        id=POINT,
        instance="orders-pgflex",
        backup_name=name,
        data_store_id=str(uuid.uuid4()),
        time=taken,
        created=taken,
        files=tuple(BackupFile(blob=blob, path=Path(blob), size=len(content)) for blob, content in contents.items()),
    )
    State(config.state).points.put(POINT, point)


@pytest.fixture
def app(
    services: Services,
    storage: object,  # noqa: ARG001 -- it empties the containers
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Services]:
    """The services, and the app's settings for them; afterwards no job runs and no fault is left."""
    for name, value in services.app_settings(tmp_path).items():
        if name != "TMPDIR":
            monkeypatch.setenv(name, value)
    options = clients._options
    monkeypatch.setattr(clients, "_options", lambda: {**options(), "retry_total": 0})
    forget()
    yield services
    services.vault.clear_faults()
    until(lambda: not State(services.vault.config.state).running_jobs(), "the end of every job")
    forget()


def forget() -> None:
    """Other settings, other clients."""
    for factory in (
        settings,
        toolbox,
        accounts.credential,
        clients.data_protection,
        clients.storage_management,
        clients.authorization,
    ):
        factory.cache_clear()


def until[T](look: Callable[[], T | None], what: str) -> T:
    """What there is to see, once there is."""
    deadline = time.monotonic() + 30
    while not (seen := look()):
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.02)
    return seen


@pytest.fixture(scope="session")
def wait() -> Callable[..., object]:
    """Look until there is something to see."""
    return until
