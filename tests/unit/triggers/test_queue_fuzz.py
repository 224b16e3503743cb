"""Messages that nobody thought of: read, or rejected in words."""

import base64
import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.contracts.request import read_request
from shared.errors import RequestRejected
from triggers.queue import decode

DEEP = b"[" * 100_000
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
BODIES = (
    st.binary(max_size=60)
    | VALUES.map(lambda value: json.dumps(value).encode())
    | VALUES.map(lambda value: base64.b64encode(json.dumps(value).encode()))
    | st.binary(max_size=30).map(lambda tail: b'{"requestId": "a", "target": ' + tail)
)


@settings(max_examples=2000, derandomize=True, deadline=None, database=None)
@given(BODIES)
@example(DEEP)
@example(base64.b64encode(DEEP))
@example(b'{"requestId": ' + b"9" * 5000 + b"}")
@example(b'{"requestId": "\\ud800"}')
@example("{}".encode("utf-16"))
def test_a_message_is_read_or_rejected(body: bytes) -> None:
    refused = ["it was not"]
    try:
        read_request(decode(body))
    except RequestRejected as error:
        refused = error.details
    assert refused
