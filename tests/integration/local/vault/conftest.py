"""One source server, one Azurite and one vault service for all tests of this folder."""

import copy
import http.client
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.storage.blob import ContainerClient

from local.servers.azurite import Azurite
from local.servers.postgres import FlexibleServer
from local.vault.config import BackupInstance, Pacing, SourceServer, StorageAccount, VaultConfig
from local.vault.identity import ARM_RESOURCE, token_for
from local.vault.process import VaultProcess

INSTANCE = "contoso-pg-faec6818-0720-11ec-bd1b-c8f750f92764"
API = "api-version=2023-11-01"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: Any


class ArmClient:
    """Plain HTTP, to see what is on the wire; the SDKs have tests of their own."""

    def __init__(self, vault: VaultProcess) -> None:
        self._vault = vault
        config = vault.config
        self.vault_id = (
            f"/subscriptions/{config.subscription}/resourceGroups/{config.resource_group}"
            f"/providers/Microsoft.DataProtection/backupVaults/{config.vault}"
        )
        self.instance_id = f"{self.vault_id}/backupInstances/{INSTANCE}"

    def get(self, path: str, query: str = API) -> Reply:
        return self.send("GET", f"{self._vault.url}{path}?{query}")

    def post(self, path: str, body: object) -> Reply:
        return self.send("POST", f"{self._vault.url}{path}?{API}", body)

    def send(self, method: str, url: str, body: object = None, headers: Mapping[str, str] | None = None) -> Reply:
        if headers is None:
            headers = {"Authorization": f"Bearer {token_for(self._vault.config, ARM_RESOURCE)}"}
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, f"{parts.path}?{parts.query}", text, dict(headers))
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        return Reply(response.status, dict(response.headers), json.loads(content) if content else None)

    def operation(self, accepted: Reply) -> dict[str, Any]:
        """The final status of the operation that an answer 202 promised."""
        assert accepted.status == 202, accepted
        return self._until(
            lambda: self.send("GET", accepted.headers["Azure-AsyncOperation"]).body,
            lambda body: body["status"] != "Inprogress",
        )

    def job(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        """The properties of the job that an operation started, once it has ended."""
        assert operation["status"] == "Succeeded", operation
        path = f"{self.vault_id}/backupJobs/{operation['properties']['jobId'].rpartition('/')[2]}"
        return self._until(lambda: self.get(path).body["properties"], lambda job: job["endTime"] is not None)

    def back_up(self, instance: str = INSTANCE) -> dict[str, Any]:
        """Take a backup; its job's properties."""
        body = {"backupRuleOptions": {"ruleName": "BackupWeekly", "triggerOption": {"retentionTagOverride": "Default"}}}
        return self.job(self.operation(self.post(f"{self.vault_id}/backupInstances/{instance}/backup", body)))

    @staticmethod
    def _until(read: Callable[[], dict[str, Any]], done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + 30
        while not done(body := read()):
            assert time.monotonic() < deadline, body
            time.sleep(0.05)
        return body


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlexibleServer]:
    with FlexibleServer.create(tmp_path_factory.mktemp("source"), name="contoso-pg") as server:
        with server.connect(autocommit=True) as connection:
            connection.execute("CREATE ROLE app LOGIN PASSWORD 'secret'")
            for database in ("shop", "Bücher & Co/2024"):
                connection.execute(f'CREATE DATABASE "{database}"')
        with server.connect("shop") as connection:
            connection.execute(
                "CREATE TABLE orders AS SELECT id, repeat('x', 50) AS note FROM generate_series(1, 500) id"
            )
        yield server


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite.start(tmp_path_factory.mktemp("azurite")) as azurite:
        yield azurite


@pytest.fixture(scope="session")
def vault_config(source: FlexibleServer, azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> VaultConfig:
    access = SourceServer(host=source.host, port=source.port, user=source.superuser, password=source.superuser_password)

    def account(name: str, **properties: Any) -> StorageAccount:
        return StorageAccount(
            name=name, resource_group="rg-storage", connection_string=azurite.connection_string, **properties
        )

    return VaultConfig(
        subscription="00000000-0000-0000-0000-000000000001",
        resource_group="rg-backup",
        vault="contoso-vault",
        instances=(
            BackupInstance(name=INSTANCE, server_name=source.name, server=access),
            BackupInstance(
                name="other",
                server_name="other-pg",
                server=access,
                resource_group="rg-other",
                protection="ConfiguringProtection",
            ),
            BackupInstance(name="gone", server_name="gone-pg", server=access.model_copy(update={"password": "wrong"})),
        ),
        accounts=(
            account(azurite.account_name),
            account("norole", vault_has_role=False),
            account("closed", allow_cross_tenant_replication=False, public_network_access="Disabled"),
            account("old", allow_cross_tenant_replication=None, public_network_access=None),
        ),
        state=tmp_path_factory.mktemp("vault") / "state",
        pacing=Pacing(operation=0.15, job=0.2),
        page_size=2,
    )


@pytest.fixture(scope="session")
def shared_vault(vault_config: VaultConfig) -> Iterator[VaultProcess]:
    with VaultProcess.start(vault_config, vault_config.state.parent / "vault.log") as vault:
        yield vault


@pytest.fixture
def vault(shared_vault: VaultProcess) -> Iterator[VaultProcess]:
    yield shared_vault
    shared_vault.clear_faults()


@pytest.fixture(scope="session")
def arm_client() -> type[ArmClient]:
    return ArmClient


@pytest.fixture
def arm(vault: VaultProcess) -> ArmClient:
    return ArmClient(vault)


@pytest.fixture(scope="session")
def point(shared_vault: VaultProcess) -> str:
    """The id of a recovery point of the source server."""
    arm = ArmClient(shared_vault)
    assert arm.back_up()["status"] == "Completed"
    listed = arm.get(f"{arm.instance_id}/recoveryPoints").body["value"]
    return str(listed[-1]["name"])


@pytest.fixture
def container(azurite: Azurite) -> Iterator[ContainerClient]:
    """An empty landing container."""
    name = f"landing-{uuid.uuid4().hex[:8]}"
    with ContainerClient.from_connection_string(azurite.connection_string, name) as client:
        client.create_container()
        yield client


@dataclass(frozen=True)
class Restoring:
    """A restore of the recovery point into an empty container, to be changed and sent."""

    arm: ArmClient
    container: ContainerClient
    request: dict[str, Any]

    def validate(self) -> dict[str, Any]:
        """The final status of the validation."""
        body = {"restoreRequestObject": self.request}
        return self.arm.operation(self.arm.post(f"{self.arm.instance_id}/validateRestore", body))

    def start(self) -> dict[str, Any]:
        """The final status of the operation that starts the job."""
        return self.arm.operation(self.arm.post(f"{self.arm.instance_id}/restore", self.request))

    def restore(self) -> dict[str, Any]:
        """The properties of the job, once it has ended."""
        return self.arm.job(self.start())

    def names(self) -> list[str]:
        """The blobs in the container."""
        return list(self.container.list_blob_names())

    def wait_for_files(self, count: int) -> None:
        deadline = time.monotonic() + 20
        while len(self.names()) < count:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def of(self, point: str) -> "Restoring":
        """The same, of another recovery point."""
        return replace(self, request={**self.request, "recoveryPointId": point})

    def at(self, url: str) -> "Restoring":
        """The same, to another address."""
        request = copy.deepcopy(self.request)
        request["restoreTargetInfo"]["targetDetails"]["url"] = url
        return replace(self, request=request)

    def in_account(self, name: str) -> "Restoring":
        """The same container by Azure's form of an address, in an account of that name: all are one Azurite."""
        return self.at(f"https://{name}.blob.core.windows.net/{self.container.container_name}")


@pytest.fixture
def restoring(arm: ArmClient, point: str, container: ContainerClient, vault_config: VaultConfig) -> Restoring:
    request = {
        "objectType": "AzureBackupRecoveryPointBasedRestoreRequest",
        "recoveryPointId": point,
        "restoreTargetInfo": {
            "objectType": "RestoreFilesTargetInfo",
            "recoveryOption": "FailIfExists",
            "restoreLocation": vault_config.location,
            "targetDetails": {
                "filePrefix": "anything",
                "restoreTargetLocationType": "AzureBlobs",
                "url": container.url,
            },
        },
        "sourceDataStoreType": "VaultStore",
    }
    return Restoring(arm, container, request)
