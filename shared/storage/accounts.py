"""Clients of the two storage accounts, made the way the Functions host makes its own."""

import os
from functools import lru_cache

from azure.core.credentials import TokenCredential
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient, ContainerClient
from azure.storage.queue import QueueServiceClient

from shared.errors import Misconfigured
from shared.topology import APP_STORAGE, CONTROL_CONTAINER, LANDING_STORAGE, REPORT_CONTAINER


def credential() -> TokenCredential:
    """The app's identity; `AZURE_CLIENT_ID` chooses a user-assigned one."""
    return identity_of(None)


@lru_cache(maxsize=16)
def identity_of(client_id: str | None) -> TokenCredential:
    """The identity of that client id; None is the app's own. Each is one for the process, for it keeps its tokens."""
    chosen = {"managed_identity_client_id": client_id} if client_id else {}
    return DefaultAzureCredential(**chosen, connection_timeout=5, read_timeout=30)  # the SDK waits for 300 s each


def _client[S: (BlobServiceClient, QueueServiceClient)](kind: type[S], connection: str, service: str) -> S:
    """The client of a connection setting: a connection string, or the service's address with the app's identity."""
    if direct := os.environ.get(connection):
        return kind.from_connection_string(direct)
    if address := os.environ.get(f"{connection}__{service}"):
        return kind(address, credential=credential())
    raise Misconfigured(
        f"The app setting {connection} (a connection string) or {connection}__{service} (with the app's "
        "identity) is missing; set one of them."
    )


@lru_cache(maxsize=4)
def blob_service(connection: str) -> BlobServiceClient:
    """The blob service of a connection setting."""
    return _client(BlobServiceClient, connection, "blobServiceUri")


@lru_cache(maxsize=4)
def queue_service(connection: str) -> QueueServiceClient:
    """The queue service of a connection setting."""
    return _client(QueueServiceClient, connection, "queueServiceUri")


def landing_container(name: str) -> ContainerClient:
    """A container that the vault restores into."""
    return blob_service(LANDING_STORAGE).get_container_client(name)


def control_container() -> ContainerClient:
    """The container of reservations and the ledger."""
    return blob_service(APP_STORAGE).get_container_client(CONTROL_CONTAINER)


def report_container() -> ContainerClient:
    """The container of reports and logs."""
    return blob_service(APP_STORAGE).get_container_client(REPORT_CONTAINER)
