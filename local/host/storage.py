"""Storage clients of the host: one of each, made when first used."""

from contextlib import suppress
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob.aio import BlobServiceClient, ContainerClient
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from local.host.config import ConfigError
from local.host.functions import Binding
from local.host.settings import STORAGE, Settings

# The SDK would pause up to a minute; listeners come again by themselves, and the storage is near.
_RETRIES: dict[str, Any] = {"retry_total": 1, "initial_backoff": 0.2, "increment_base": 0, "random_jitter_range": 0}


class Storage:
    """The queues and containers that bindings name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._queues: dict[str, QueueServiceClient] = {}
        self._blobs: dict[str, BlobServiceClient] = {}

    def queue(self, connection: str | None, name: str) -> QueueClient:
        """A queue's client. It has no encoding policy: the host encodes, because an update would encode again."""
        text = self._settings.connection_string(connection)
        if text not in self._queues:
            self._queues[text] = QueueServiceClient.from_connection_string(text, **_RETRIES)
        return self._queues[text].get_queue_client(name)

    def container(self, connection: str | None, name: str) -> ContainerClient:
        """A container's client."""
        text = self._settings.connection_string(connection)
        if text not in self._blobs:
            self._blobs[text] = BlobServiceClient.from_connection_string(text, **_RETRIES)
        return self._blobs[text].get_container_client(name)

    def check(self, binding: Binding) -> None:
        """See to it that a binding's connection string is one.

        Raises:
            ConfigError: it is none, or lacks the service; the text names the connection and shows nothing of its value.
        """
        connection = binding.options.get("connection") or STORAGE
        try:
            if binding.type in {"queueTrigger", "queue", "blobTrigger"}:  # that of blobs has a poison queue
                self.queue(connection, "any")
            if binding.type in {"blobTrigger", "blob"}:
                self.container(connection, "any")
        except ValueError as error:
            raise ConfigError(f"the connection {connection} is no storage connection string: {error}") from None

    async def close(self) -> None:
        """Close all clients."""
        for queues in self._queues.values():
            await queues.close()
        for blobs in self._blobs.values():
            await blobs.close()


async def create_queue(queue: QueueClient) -> None:
    """Create a queue, unless it is there or somebody else is faster."""
    with suppress(ResourceExistsError):
        await queue.create_queue()
