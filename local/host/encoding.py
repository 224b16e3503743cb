"""The encoding of queue messages, `extensions.queues.messageEncoding`."""

import base64
import binascii


def encode_message(content: bytes, encoding: str) -> str:
    """A message's text for its content; `encoding` is base64 or none."""
    return base64.b64encode(content).decode() if encoding == "base64" else content.decode()


def decode_message(text: str, encoding: str) -> bytes:
    """A message's content for its text.

    Raises:
        ValueError: base64 is expected and the text is something else.
    """
    if encoding == "none":
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(
            f"the message is not base64 ({error}); host.json extensions.queues.messageEncoding is base64"
        ) from None
