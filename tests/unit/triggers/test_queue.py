"""Queue messages: plain JSON or base64 of it, and what happens to anything else."""

import base64
import json

import pytest

from shared.errors import RequestRejected
from triggers.queue import decode

REQUEST = {"requestId": "INC-1", "ticket": "Übung"}


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(REQUEST).encode(),
        json.dumps(REQUEST, ensure_ascii=False).encode(),
        base64.b64encode(json.dumps(REQUEST).encode()),
    ],
)
def test_a_message_is_plain_json_or_base64_of_it(body: bytes) -> None:
    assert decode(body) == REQUEST


@pytest.mark.parametrize("body", [b"", b"restore please", b"[1]", b'"text"', b"\xff\xfe", base64.b64encode(b"[1]")])
def test_anything_else_is_rejected_in_words(body: bytes) -> None:
    with pytest.raises(RequestRejected) as caught:
        decode(body)

    assert "is no JSON object, nor base64 of one" in caught.value.details[0]
