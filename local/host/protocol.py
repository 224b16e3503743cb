"""Messages between the host and its worker processes: one JSON object a frame, with byte strings carried beside it.

A frame is two unsigned 32-bit lengths (JSON, attachments), the JSON and the attachments. A byte string inside the
object is replaced by `{"$bytes": [offset, length]}`, so that blobs and request bodies cross without base64.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HEADER = struct.Struct("!II")
_BYTES = "$bytes"
_MARK = _BYTES.encode()


@dataclass(frozen=True, slots=True)
class Value:
    """One piece of typed data, as the worker protocol names it.

    `kind` is string, bytes, json, int, double, http or model_binding_data. `data` is a str, bytes, number, or for the
    last two a dict of the message's fields.
    """

    kind: str
    data: Any

    def to_wire(self) -> list[Any]:
        """The JSON form of this value."""
        return [self.kind, self.data]

    @classmethod
    def from_wire(cls, wire: list[Any] | None) -> "Value | None":
        """The value of its JSON form; null is no value."""
        return None if wire is None else cls(wire[0], wire[1])


def encode(message: Mapping[str, Any]) -> bytes:
    """The frame of a message."""
    attachments: list[bytes] = []
    size = 0

    def attach(value: object) -> dict[str, list[int]]:
        nonlocal size
        if not isinstance(value, bytes):
            raise TypeError(f"{type(value).__name__} cannot cross between host and worker")
        reference = [size, len(value)]
        attachments.append(value)
        size += len(value)
        return {_BYTES: reference}

    text = json.dumps(message, separators=(",", ":"), default=attach).encode()
    return b"".join([HEADER.pack(len(text), size), text, *attachments])


def decode(text: bytes, attachments: bytes) -> dict[str, Any]:
    """The message of a frame's two parts."""
    if _MARK not in text:
        message: dict[str, Any] = json.loads(text)
        return message

    def detach(value: dict[str, Any]) -> Any:
        reference = value.get(_BYTES)
        if reference is None or len(value) != 1 or not isinstance(reference, list):
            return value
        offset, length = reference
        return attachments[offset : offset + length]

    restored: dict[str, Any] = json.loads(text, object_hook=detach)
    return restored


class FrameReader:
    """Makes messages of the bytes that a socket gives, however they are cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The messages that are whole with these bytes."""
        self._buffer += data
        messages, position = [], 0
        while len(self._buffer) - position >= HEADER.size:
            json_size, attachments_size = HEADER.unpack_from(self._buffer, position)
            middle = position + HEADER.size + json_size
            end = middle + attachments_size
            if len(self._buffer) < end:
                break
            messages.append(
                decode(bytes(self._buffer[position + HEADER.size : middle]), bytes(self._buffer[middle:end]))
            )
            position = end
        del self._buffer[:position]
        return messages
