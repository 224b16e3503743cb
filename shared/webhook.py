"""Webhooks: one signed offer of an event to an address that the operator allows."""

import json
import logging
import math
import time
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr

from shared.contracts.base import Json
from shared.settings import settings
from shared.signing import signatures

_TIMEOUT = 20
"""Seconds to connect, and again to the answer; Standard Webhooks advises 15 to 30."""
_LONGEST_WISH = 86_400
"""Longest Retry-After in seconds that is kept to."""

# The address of a webhook may hold its key, and urllib3 writes each address into the log at level DEBUG.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


@dataclass(frozen=True)
class Refusal:
    """Why a webhook did not take an event."""

    reason: str
    """Its status, or the name of an error; nothing of its address."""
    retry_after: int = 0
    """Seconds that it asks to be left alone for, at most a day."""
    is_final: bool = False
    """It never wants the event: status 410."""


def hosts() -> dict[str, str]:
    """The host of each webhook by its name, the default one's is empty: what may be shown. Nothing is offered.

    Raises:
        Misconfigured: a webhook is not configured as it must be, or another setting is not.
    """
    addresses = settings().webhook_addresses.items()
    return {name: urlsplit(address.get_secret_value()).hostname or "" for name, address in addresses}


def offer(event: Json, address: SecretStr) -> Refusal | None:
    """Offer the event once; None when the webhook took it, which only a status of 2xx says."""
    body = json.dumps(event).encode()
    now = int(time.time())
    headers = {
        "Content-Type": "application/cloudevents+json",
        "webhook-id": event["id"],
        "webhook-timestamp": str(now),
        "webhook-signature": signatures(settings().signing_secrets, event["id"], now, body),
    }
    url = address.get_secret_value()
    try:
        with requests.post(
            url, data=body, headers=headers, timeout=_TIMEOUT, allow_redirects=False, stream=True
        ) as answer:
            status, wish = answer.status_code, answer.headers.get("Retry-After", "")
    except requests.RequestException as error:
        return Refusal(type(error).__name__)
    if 200 <= status < 300:
        return None
    return Refusal(f"status {status}", retry_after=_seconds(wish), is_final=status == 410)


def _seconds(wish: str) -> int:
    """The seconds of a Retry-After, which gives them or a date (RFC 9110, 10.2.3); 0 of anything else."""
    if wish.isascii() and wish.isdigit():
        seconds = float(wish)
    else:
        try:
            date = parsedate_to_datetime(wish)
        except (ValueError, OverflowError):
            return 0
        seconds = date.replace(tzinfo=date.tzinfo or UTC).timestamp() - time.time()
    return math.ceil(min(max(0, seconds), _LONGEST_WISH))
