"""The queue trigger: messages of one queue, each tried until it is dealt with or poisonous."""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue import QueueMessage

from local.host.encoding import decode_message
from local.host.functions import Function
from local.host.invoker import INVOCATION_ERRORS
from local.host.parameters import members
from local.host.protocol import Value
from local.host.storage import create_queue
from local.host.triggers.services import Outage, TriggerServices

logger = logging.getLogger(__name__)

_SHORTEST_POLL = 0.1
# Azure hides a running message for ten minutes. Here a killed host shall find its messages again within seconds.
_LEASE_SECONDS = 6
_RENEW_SECONDS = 2.0
_RELEASE_SECONDS = 1.0


class QueueListener:
    """Feeds one function from its queue."""

    def __init__(self, function: Function, services: TriggerServices) -> None:
        options = function.trigger.options
        self._function = function
        self._config = services.config.queues
        self._invoker = services.invoker
        self._name = options["queueName"]
        self._queue = services.storage.queue(options.get("connection"), self._name)
        self._poison = services.storage.queue(options.get("connection"), f"{self._name}-poison")
        self._is_binary = options.get("dataType") == "BINARY"
        self._outage = Outage(logger, f"Queue {self._name}")
        self._running: set[asyncio.Task[None]] = set()
        self._progress = asyncio.Event()

    async def run(self) -> None:
        """Poll until cancelled; then what runs is given back to the queue."""
        longest = max(self._config.max_polling_interval.total_seconds(), _SHORTEST_POLL)
        pause = _SHORTEST_POLL
        try:
            while True:
                if len(self._running) > self._config.refill_at:
                    self._progress.clear()
                    await self._progress.wait()
                    continue
                found = await self._fetch()
                pause = _SHORTEST_POLL if found else min(pause * 2, longest)
                if not found:
                    await asyncio.sleep(pause)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _fetch(self) -> bool:
        """Take a batch and start it; whether there was one."""
        size = self._config.batch_size
        try:
            messages = await self._receive(size)
        except AzureError as error:
            self._outage.note(error)
            return False
        self._outage.end()
        for message in messages:
            task = asyncio.create_task(self._process(message))
            self._running.add(task)
            task.add_done_callback(self._done)
        return bool(messages)

    async def _receive(self, size: int) -> list[QueueMessage]:
        pages = self._queue.receive_messages(
            messages_per_page=size, max_messages=size, visibility_timeout=_LEASE_SECONDS
        )
        try:
            return [message async for message in pages]
        except ResourceNotFoundError:
            await create_queue(self._queue)
            return []

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._progress.set()
        if not task.cancelled() and task.exception() is not None:
            # The message becomes visible again by itself.
            logger.error("A message of queue %s could not be settled", self._name, exc_info=task.exception())

    async def _process(self, message: QueueMessage) -> None:
        content = self._decoded(message)
        if content is None or (message.dequeue_count or 0) > self._config.max_dequeue_count:
            await self._bury(message)
            return
        ended = asyncio.Event()
        lease = asyncio.create_task(self._renew(message, ended))
        try:
            is_done = await self._call(message, content)
        except asyncio.CancelledError:
            async with asyncio.timeout(_RELEASE_SECONDS):
                ended.set()
                await lease
                await self._hide(message, timedelta(0))
            raise
        ended.set()
        await lease
        if is_done:
            await self._queue.delete_message(message)
        elif (message.dequeue_count or 0) >= self._config.max_dequeue_count:
            await self._bury(message)
        else:
            await self._hide(message, self._config.visibility_timeout)

    def _decoded(self, message: QueueMessage) -> bytes | None:
        """The content; None for a message that is not encoded as host.json says, which no further try makes better."""
        try:
            return decode_message(message.content, self._config.message_encoding)
        except ValueError as error:
            logger.error("Message %s of queue %s cannot be read: %s", message.id, self._name, error)  # noqa: TRY400
            return None

    async def _call(self, message: QueueMessage, content: bytes) -> bool:
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            if not self._is_binary:
                logger.error("Message %s of queue %s is no text: %s", message.id, self._name, error)  # noqa: TRY400
                return False
            text = ""
        value = Value("bytes", content) if self._is_binary else Value("string", text)
        metadata = _metadata(message)
        parameters = {"queueTrigger": text, **{name: str(item.data) for name, item in metadata.items()}}
        if self._function.outputs:
            parameters |= members(content)
        try:
            await self._invoker.call(self._function, value, metadata, parameters)
        except INVOCATION_ERRORS:
            return False
        return True

    async def _bury(self, message: QueueMessage) -> None:
        logger.warning(
            "Message %s goes to %s after %s tries", message.id, self._poison.queue_name, message.dequeue_count
        )
        await create_queue(self._poison)
        await self._poison.send_message(message.content)
        await self._queue.delete_message(message)

    async def _renew(self, message: QueueMessage, ended: asyncio.Event) -> None:
        """Keep a message hidden while it is worked on.

        Ended by an event, not canceled: a renewal that is under way must hand over its receipt.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_RENEW_SECONDS):
                    await ended.wait()
                    return
            try:
                await self._hide(message, timedelta(seconds=_LEASE_SECONDS))
            except AzureError as error:
                logger.warning("Message %s of queue %s may be seen twice: %s", message.id, self._name, error)

    async def _hide(self, message: QueueMessage, how_long: timedelta) -> None:
        updated = await self._queue.update_message(message, visibility_timeout=int(how_long.total_seconds()))
        message.pop_receipt = updated.pop_receipt


def _metadata(message: QueueMessage) -> dict[str, Value]:
    times = {
        "InsertionTime": message.inserted_on,
        "ExpirationTime": message.expires_on,
        "NextVisibleTime": message.next_visible_on,
    }
    return {
        "Id": Value("string", message.id),
        "PopReceipt": Value("string", message.pop_receipt),
        "DequeueCount": Value("json", str(message.dequeue_count)),
        **{name: Value("string", _iso(moment)) for name, moment in times.items() if isinstance(moment, datetime)},
    }


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")
