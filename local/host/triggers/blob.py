"""The blob trigger: new blobs of a container, found by listing it, each handled once and remembered on disk.

The listing stands in for both sources, Azure's own polling and Event Grid: a blob is called for by its name and etag
when it first appears in a listing.
"""

import asyncio
import json
import logging
import re
from contextlib import suppress
from dataclasses import dataclass

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobProperties

from local.host.encoding import encode_message
from local.host.functions import Function
from local.host.invoker import INVOCATION_ERRORS
from local.host.protocol import Value
from local.host.receipts import BlobReceipts
from local.host.settings import STORAGE
from local.host.triggers.services import TriggerServices

logger = logging.getLogger(__name__)

POISON_QUEUE = "webjobs-blobtrigger-poison"
_POLL_SECONDS = 1.0
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class BlobPattern:
    """A trigger's path: the container, and what blobs' names must look like."""

    container: str
    prefix: str
    names: tuple[str, ...]
    expression: re.Pattern[str]

    @classmethod
    def compile(cls, path: str) -> "BlobPattern":
        """Read `container/pattern`; a placeholder takes any text, slashes included. No pattern means every blob."""
        container, _, pattern = path.partition("/")
        parts = _PLACEHOLDER.split(pattern or "{name}")
        text = "".join(re.escape(part) if i % 2 == 0 else "(.+)" for i, part in enumerate(parts))
        return cls(container, parts[0], tuple(parts[1::2]), re.compile(text, re.DOTALL))

    def match(self, name: str) -> dict[str, str] | None:
        """The placeholders' values for a blob's name, or None when it does not fit."""
        match = self.expression.fullmatch(name)
        return None if match is None else dict(zip(self.names, match.groups(), strict=True))


class BlobListener:
    """Feeds one function from its container."""

    def __init__(self, function: Function, services: TriggerServices) -> None:
        options = function.trigger.options
        self._function = function
        self._config = services.config
        self._invoker = services.invoker
        self._slots = services.blob_slots
        self._pattern = BlobPattern.compile(options["path"])
        self._connection = options.get("connection") or STORAGE
        self._container = services.storage.container(self._connection, self._pattern.container)
        self._poison = services.storage.queue(self._connection, POISON_QUEUE)
        self._receipts = BlobReceipts(services.database, function.name)
        self._handled = self._receipts.handled(self._pattern.container)
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Poll until cancelled."""
        try:
            while True:
                await self._scan()
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _scan(self) -> None:
        try:
            async for blob in self._container.list_blobs(
                name_starts_with=self._pattern.prefix or None, include=["metadata"]
            ):
                identity = (blob.name, blob.etag)
                parameters = self._pattern.match(blob.name)
                if parameters is not None and identity not in self._handled and identity not in self._running:
                    self._start(identity, blob, parameters)
        except ResourceNotFoundError:
            return  # the container may come later
        except AzureError as error:
            logger.warning("Container %s cannot be listed: %s", self._pattern.container, error)

    def _start(self, identity: tuple[str, str], blob: BlobProperties, parameters: dict[str, str]) -> None:
        task = asyncio.create_task(self._process(identity, blob, parameters))
        self._running[identity] = task
        task.add_done_callback(lambda finished: self._done(identity, finished))

    def _done(self, identity: tuple[str, str], task: asyncio.Task[None]) -> None:
        self._running.pop(identity, None)
        if not task.cancelled() and task.exception() is not None:
            logger.error("Blob %s will be tried again", identity[0], exc_info=task.exception())

    async def _process(self, identity: tuple[str, str], blob: BlobProperties, parameters: dict[str, str]) -> None:
        container = self._pattern.container
        async with self._slots:
            is_done = await self._call(blob, parameters)
        if not is_done:
            attempts = self._receipts.failed(container, *identity)
            if attempts < self._config.blobs.poison_blob_threshold:
                return
            await self._bury(blob, attempts)
        self._receipts.done(container, *identity)
        self._handled.add(identity)

    async def _call(self, blob: BlobProperties, parameters: dict[str, str]) -> bool:
        path = f"{self._pattern.container}/{blob.name}"
        metadata = {
            "BlobTrigger": Value("string", path),
            "Uri": Value("string", self._container.get_blob_client(blob.name).url),
            "Properties": Value("json", json.dumps(_properties(blob))),
            "Metadata": Value("json", json.dumps(blob.metadata or {})),
        }
        try:
            value = await self._value(blob)
        except ResourceNotFoundError:
            logger.info("Blob %s was deleted before its function ran", path)
            return True
        try:
            await self._invoker.call(self._function, value, metadata, {**parameters, "blobTrigger": path})
        except INVOCATION_ERRORS:
            return False
        return True

    async def _value(self, blob: BlobProperties) -> Value:
        """The content, or for an SDK type a reference that the worker makes a client of."""
        if not self._function.trigger.is_deferred:
            download = await self._container.download_blob(blob.name)
            return Value("bytes", await download.readall())
        reference = {
            "Connection": self._connection,
            "ContainerName": self._pattern.container,
            "BlobName": blob.name,
        }
        return Value(
            "model_binding_data",
            {
                "version": "1.0",
                "source": "AzureStorageBlobs",
                "content_type": "application/json",
                "content": json.dumps(reference),
            },
        )

    async def _bury(self, blob: BlobProperties, attempts: int) -> None:
        logger.warning("Blob %s/%s is poisonous: %s tries failed", self._pattern.container, blob.name, attempts)
        message = {
            "Type": "BlobTrigger",
            "FunctionId": f"Host.Functions.{self._function.name}",
            "BlobType": "BlockBlob",
            "ContainerName": self._pattern.container,
            "BlobName": blob.name,
            "ETag": f'"{blob.etag}"',
        }
        with suppress(ResourceExistsError):
            await self._poison.create_queue()
        text = encode_message(json.dumps(message).encode(), self._config.queues.message_encoding)
        await self._poison.send_message(text)


def _properties(blob: BlobProperties) -> dict[str, object]:
    """The properties as the host of Azure names them."""
    settings = blob.content_settings
    return {
        "ContentLength": blob.size,
        "Length": blob.size,
        "ContentType": settings.content_type,
        "ETag": f'"{blob.etag}"',
        "LastModified": blob.last_modified.isoformat(),
        "CreatedOn": blob.creation_time.isoformat(),
    }
