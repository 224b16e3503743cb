"""Events go out: to the queue `restore-events`, and to the webhook where one is configured."""

import json
import logging
import time

import requests
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from shared.contracts.events import Event
from shared.errors import cut
from shared.settings import settings
from shared.storage.accounts import queue_service
from shared.topology import APP_STORAGE, EVENT_QUEUE

_log = logging.getLogger(__name__)
_PAUSES = (0.0, 1.0, 2.0)
"""Seconds before each further offer to the webhook."""
_BUSY = frozenset({429, 500, 502, 503, 504})
_QUEUE_LIMIT = 48_000
"""Bytes of a queue message that every consumer's encoding leaves room for; the service takes 64 KiB."""


def publish(event: Event) -> None:
    """Put the event on the queue, which is reliable, and offer it to the webhook, which may be away."""
    _enqueue(event)
    if url := settings().webhook_url:
        _post(url, event)


def _enqueue(event: Event) -> None:
    text = json.dumps(event.to_wire())
    if len(text) > _QUEUE_LIMIT:
        text = json.dumps(event.model_copy(update={"data": {"cut": cut(text)}}).to_wire())
    queue = queue_service(APP_STORAGE).get_queue_client(EVENT_QUEUE)
    try:
        queue.send_message(text)
    except ResourceNotFoundError:
        try:
            queue.create_queue()
        except ResourceExistsError:
            _log.debug("the queue %s was created meanwhile", EVENT_QUEUE)
        queue.send_message(text)


def _post(url: str, event: Event) -> None:
    """Offer the event a few times; what the webhook does not take, it finds in the queue.

    Retries of urllib3 would write the address, which holds the webhook's key, into the log.
    """
    said = _offer(url, event)
    for pause in _PAUSES:
        if said is None or (isinstance(said, int) and said not in _BUSY):
            break
        time.sleep(pause)
        said = _offer(url, event)
    if said is not None:
        _log.warning("the webhook did not take event %s: %s", event.id, said)


def _offer(url: str, event: Event) -> int | str | None:
    """Why the webhook did not take the event: its status, or the name of an error; None when it did."""
    headers = {"Content-Type": "application/cloudevents+json"}
    try:
        answer = requests.post(url, json=event.to_wire(), headers=headers, timeout=10)
    except requests.RequestException as error:
        return type(error).__name__
    return None if answer.ok else answer.status_code
