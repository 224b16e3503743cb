"""The blob trigger: new blobs of a container, found by listing it, each handled once and remembered on disk."""

import asyncio
import json
import logging
import re
from dataclasses import dataclass

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobProperties

from local.host.encoding import encode_message
from local.host.functions import Function
from local.host.invoker import INVOCATION_ERRORS
from local.host.protocol import Value
from local.host.receipts import BlobReceipts
from local.host.settings import STORAGE
from local.host.storage import create_queue
from local.host.triggers.blob_events import BlobEvents
from local.host.triggers.services import Outage, TriggerServices

logger = logging.getLogger(__name__)

POISON_QUEUE = "webjobs-blobtrigger-poison"
_POLL_SECONDS = 1.0
_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]+)\}")

Identity = tuple[str, str]
"""A blob's name and etag."""


@dataclass(frozen=True, slots=True)
class BlobPattern:
    """A trigger's path: the container, and what blobs' names must look like."""

    container: str
    prefix: str
    names: tuple[str, ...]
    expression: re.Pattern[str]

    @classmethod
    def compile(cls, path: str) -> "BlobPattern":
        """Read `container/pattern`; a placeholder takes any text, slashes included, and a doubled brace is a brace.

        No pattern means every blob.
        """
        container, _, pattern = path.partition("/")
        tokens = [token for token in _TOKEN.finditer(pattern) if token["name"]]
        cuts = [0, *(edge for token in tokens for edge in token.span()), len(pattern)]
        literals = [
            pattern[start:end].replace("{{", "{").replace("}}", "}")
            for start, end in zip(cuts[::2], cuts[1::2], strict=True)
        ]
        text = "(.*)".join(map(re.escape, literals)) if pattern else ".*"
        names = tuple(token["name"] for token in tokens)
        return cls(container, literals[0], names, re.compile(text, re.DOTALL))

    def match(self, name: str) -> dict[str, str] | None:
        """The placeholders' values for a blob's name, or None when it does not fit."""
        match = self.expression.fullmatch(name)
        return None if match is None else dict(zip(self.names, match.groups(), strict=True))


class BlobListener:
    """Feeds one function from its container.

    A listing each second stands in for both sources. With LogsAndContainerScan every blob is new that has no receipt
    for its etag. With Event Grid, blobs that are there when the function first meets its container are none of its
    business, as they came before the subscription; what comes while the host is down is reported when it is back. A
    blob that is written twice within a second is seen once. `BlobEvents` can make events as unreliable as Event Grid's.
    """

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
        self._outage = Outage(logger, f"Container {self._pattern.container}")
        self._running: dict[Identity, asyncio.Task[None]] = {}
        self._new: dict[Identity, tuple[BlobProperties, dict[str, str]]] = {}
        self._events = services.blob_events
        self._is_event_grid = options.get("source") == "EventGrid"
        self._has_begun = not self._is_event_grid or self._receipts.has_begun(self._pattern.container)

    async def prepare(self) -> None:
        """Do what has to be done before the host says that it is ready: with Event Grid, note what is there."""
        if self._has_begun or (blobs := await self._list()) is None:
            return
        existing = {(blob.name, blob.etag) for blob in blobs}
        self._receipts.begin(self._pattern.container, existing)
        self._handled |= existing
        self._has_begun = True

    async def run(self) -> None:
        """Poll until cancelled."""
        try:
            while True:
                await self.prepare()
                if self._has_begun:
                    await self._scan()
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _list(self) -> list[BlobProperties] | None:
        """The blobs that the pattern may fit; None when the storage does not say."""
        prefix = self._pattern.prefix or None
        try:
            blobs = [blob async for blob in self._container.list_blobs(prefix, include=["metadata"])]
        except ResourceNotFoundError:
            blobs = []  # the container may come later
        except AzureError as error:
            self._outage.note(error)
            return None
        self._outage.end()
        return blobs

    async def _scan(self) -> None:
        for blob in await self._list() or ():
            identity = (blob.name, blob.etag)
            parameters = self._pattern.match(blob.name)
            if parameters is not None and identity not in self._handled and identity not in self._running:
                self._new[identity] = (blob, parameters)
        events = BlobEvents.read(self._events)
        if events.held:
            return
        new, self._new = list(self._new.items()), {}
        for identity, (blob, parameters) in reversed(new) if events.backwards else new:
            self._start(identity, blob, parameters, 0 if events.lost else events.copies)

    def _start(self, identity: Identity, blob: BlobProperties, parameters: dict[str, str], copies: int) -> None:
        task = asyncio.create_task(self._process(identity, blob, parameters, copies))
        self._running[identity] = task
        task.add_done_callback(lambda finished: self._done(identity, finished))

    def _done(self, identity: Identity, task: asyncio.Task[None]) -> None:
        self._running.pop(identity, None)
        if not task.cancelled() and task.exception() is not None:
            logger.error("Blob %s will be tried again", identity[0], exc_info=task.exception())

    async def _process(self, identity: Identity, blob: BlobProperties, parameters: dict[str, str], copies: int) -> None:
        container = self._pattern.container
        async with self._slots:
            is_done = all(await asyncio.gather(*(self._call(blob, parameters) for _ in range(copies))))
        if not is_done:
            attempts = self._receipts.failed(container, *identity)
            if attempts < self._config.blobs.poison_blob_threshold:
                return
            await self._bury(blob, attempts)
        self._receipts.done(container, *identity)
        self._handled.add(identity)

    async def _call(self, blob: BlobProperties, parameters: dict[str, str]) -> bool:
        path, uri = f"{self._pattern.container}/{blob.name}", self._container.get_blob_client(blob.name).url
        metadata = {
            "BlobTrigger": Value("string", path),
            "Uri": Value("string", uri),
            "Properties": Value("json", json.dumps(_properties(blob))),
            "Metadata": Value("json", json.dumps(blob.metadata or {})),
        }
        try:
            value = await self._value(blob)
        except (ResourceNotFoundError, ResourceModifiedError):
            logger.info("Blob %s was deleted or written again before its function ran", path)
            return True
        try:
            await self._invoker.call(self._function, value, metadata, {"blobTrigger": path, "uri": uri, **parameters})
        except INVOCATION_ERRORS:
            return False
        return True

    async def _value(self, blob: BlobProperties) -> Value:
        """The content, or for an SDK type a reference that the worker makes a client of."""
        if not self._function.trigger.is_deferred:
            download = await self._container.download_blob(
                blob.name, etag=blob.etag, match_condition=MatchConditions.IfNotModified
            )
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
        await create_queue(self._poison)
        # The blob extension does not read the encoding that host.json sets for queues.
        await self._poison.send_message(encode_message(json.dumps(message).encode(), "base64"))


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
