"""Signatures of webhook messages, after Standard Webhooks 1.0 (standard-webhooks/standard-webhooks, spec)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64
"""Bytes of a key."""


def signing_key(secret: str) -> bytes:
    """The key of a secret: `whsec_` and base64 of 24 to 64 random bytes.

    Raises:
        ValueError: it is none; the text holds nothing of it.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not (secret.startswith(_PREFIX) and _SHORTEST <= len(key) <= _LONGEST):
        raise ValueError(f"a secret is {_PREFIX} and base64 of {_SHORTEST} to {_LONGEST} random bytes")
    return key


def signatures(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret, so that secrets can be exchanged."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.digest(signing_key(secret), signed, hashlib.sha256) for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
