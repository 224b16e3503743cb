"""Real parts for tests that need them: Azurite, started once, and its two accounts as the app finds them."""

from collections.abc import Iterator

import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local.servers.azurite import Azurite
from local.servers.postgres import FlexibleServer
from shared import topology
from shared.settings import settings
from shared.storage import accounts

CONTAINERS = (*topology.LANDING_CONTAINERS, topology.CONTROL_CONTAINER, topology.REPORT_CONTAINER)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """The storage of all tests of a run."""
    with Azurite.start(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture(scope="session")
def flexible_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlexibleServer]:
    """A server that tests may share: each makes databases and roles of its own."""
    with FlexibleServer.create(tmp_path_factory.mktemp("flexible-server"), name="shared") as server:
        yield server


@pytest.fixture
def storage(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlobServiceClient]:
    """Both storage accounts of the app, with empty containers and queues."""
    monkeypatch.setenv(topology.APP_STORAGE, azurite.connection_string)
    monkeypatch.setenv(topology.LANDING_STORAGE, azurite.connection_string)
    forget()
    with BlobServiceClient.from_connection_string(azurite.connection_string) as blobs:
        empty_containers(blobs)
        with QueueServiceClient.from_connection_string(azurite.connection_string) as queues:
            for queue in queues.list_queues():
                queues.get_queue_client(queue.name).clear_messages()
        yield blobs
    forget()


def empty_containers(blobs: BlobServiceClient) -> None:
    """Make the app's containers, and make them empty."""
    standing = {container.name for container in blobs.list_containers()}
    for name in CONTAINERS:
        container = blobs.get_container_client(name)
        if name not in standing:
            container.create_container()
        for blob in container.list_blobs():
            container.delete_blob(blob.name)


def forget() -> None:
    """Close and forget what the process keeps of its environment."""
    for factory in (accounts.blob_service, accounts.queue_service):
        factory.cache_clear()
    accounts.credential.cache_clear()
    settings.cache_clear()
