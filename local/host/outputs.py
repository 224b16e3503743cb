"""Output bindings: what a function returned or set goes into queues and blobs."""

import json
from collections.abc import Mapping
from contextlib import suppress

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError

from local.host.encoding import encode_message
from local.host.functions import Binding, Function
from local.host.parameters import MissingParameterError, fill
from local.host.protocol import Value
from local.host.storage import Storage, create_queue
from local.host.workers import InvocationResult

_LARGEST_MESSAGE = 64 * 1024


class OutputError(Exception):
    """An output could not be written; the invocation has failed."""


class Outputs:
    """Writes the outputs of invocations."""

    def __init__(self, storage: Storage, message_encoding: str) -> None:
        self._storage = storage
        self._message_encoding = message_encoding

    async def write(self, function: Function, result: InvocationResult, parameters: Mapping[str, str]) -> None:
        """Write all outputs of an invocation; `parameters` fill the expressions of paths and queue names.

        Raises:
            OutputError: an expression has no value, or storage refused.
        """
        for binding in function.outputs:
            value = result.returned if binding.name == "$return" else result.outputs.get(binding.name)
            if value is not None:
                try:
                    await self._write(binding, value, parameters)
                except (AzureError, MissingParameterError, ValueError) as error:
                    raise OutputError(f"output {binding.name} could not be written: {error}") from error

    async def _write(self, binding: Binding, value: Value, parameters: Mapping[str, str]) -> None:
        if binding.type == "queue":
            await self._send(binding, value, parameters)
        elif binding.type == "blob":
            await self._upload(binding, value, parameters)

    async def _send(self, binding: Binding, value: Value, parameters: Mapping[str, str]) -> None:
        name = fill(binding.options["queueName"], parameters).lower()
        queue = self._storage.queue(binding.options.get("connection"), name)
        for content in _messages(value):
            text = encode_message(content, self._message_encoding)
            if (size := len(text.encode())) > _LARGEST_MESSAGE:
                raise ValueError(f"the message has {size} bytes as it is encoded, and a queue takes no more than 64 KB")
            try:
                await queue.send_message(text)
            except ResourceNotFoundError:
                await create_queue(queue)
                await queue.send_message(text)

    async def _upload(self, binding: Binding, value: Value, parameters: Mapping[str, str]) -> None:
        container_name, _, blob = fill(binding.options["path"], parameters).partition("/")
        container = self._storage.container(binding.options.get("connection"), container_name)
        content = _content(value)
        try:
            await container.upload_blob(blob, content, overwrite=True)
        except ResourceNotFoundError:
            with suppress(ResourceExistsError):
                await container.create_container()
            await container.upload_blob(blob, content, overwrite=True)


def _messages(value: Value) -> list[bytes]:
    """The messages of an output: one, or those of a list; the library turns QueueMessage objects into JSON."""
    if value.kind != "json":
        return [_content(value)]
    document = json.loads(value.data)
    items = document if isinstance(document, list) else [document]
    return [_message(item) for item in items]


def _message(item: object) -> bytes:
    if isinstance(item, dict) and set(item) == {"id", "body"}:
        item = item["body"]
    return item.encode() if isinstance(item, str) else json.dumps(item).encode()


def _content(value: Value) -> bytes:
    return value.data if isinstance(value.data, bytes) else str(value.data).encode()
