"""Events go out: to the queue `restore-events`, and to the webhook where one is configured."""

import json
import logging

import requests
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from shared.contracts.events import Event
from shared.errors import cut
from shared.settings import settings
from shared.storage.accounts import queue_service
from shared.topology import APP_STORAGE, EVENT_QUEUE

_log = logging.getLogger(__name__)
_RETRIES = Retry(total=3, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=("POST",))
_QUEUE_LIMIT = 48_000
"""Bytes of a queue message that every consumer's encoding leaves room for; the service takes 64 KiB."""


def publish(event: Event) -> None:
    """Put the event on the queue, which is reliable, and offer it to the webhook, which may be away."""
    _enqueue(event)
    if url := settings().webhook_url:
        _post(url, event)


def _enqueue(event: Event) -> None:
    text = json.dumps(event.to_wire(), ensure_ascii=False)
    if len(text.encode()) > _QUEUE_LIMIT:
        text = json.dumps(event.model_copy(update={"data": {"cut": cut(text)}}).to_wire(), ensure_ascii=False)
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
    """Offer the event a few times; what the webhook does not take, it finds in the queue."""
    with requests.Session() as session:
        session.mount("http", HTTPAdapter(max_retries=_RETRIES))
        try:
            answer = session.post(
                url, json=event.to_wire(), headers={"Content-Type": "application/cloudevents+json"}, timeout=10
            )
            answer.raise_for_status()
        except requests.RequestException as error:
            _log.warning("the webhook did not take event %s: %s", event.id, type(error).__name__)
