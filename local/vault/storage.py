"""The real blob services behind the configured storage accounts."""

from azure.storage.blob import BlobServiceClient, ContainerClient

from local.vault.config import StorageAccount

_BLOCK = 4 << 20


def blob_address(account: StorageAccount) -> str:
    """The address that container names follow, as `http://127.0.0.1:10000/devstoreaccount1/`."""
    with BlobServiceClient.from_connection_string(account.connection_string) as client:
        return f"{client.url.rstrip('/')}/"


def container_client(account: StorageAccount, container: str) -> ContainerClient:
    """A client that never holds more than 4 MiB of a file."""
    return ContainerClient.from_connection_string(
        account.connection_string, container, max_single_put_size=_BLOCK, max_block_size=_BLOCK
    )
