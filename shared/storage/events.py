"""Events go out: to the queue `restore-events`, and to the webhook where one is configured."""

import json
import logging

import requests
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from shared.contracts.events import Event
from shared.errors import ServiceBusy, cut
from shared.settings import settings
from shared.storage.accounts import queue_service
from shared.topology import APP_STORAGE, EVENT_QUEUE

_log = logging.getLogger(__name__)
_QUEUE_LIMIT = 48_000
"""Bytes of a queue message that every consumer's encoding leaves room for; the service takes 64 KiB."""


def publish(event: Event) -> None:
    """Deliver the event at least once to each place.

    Raises:
        ServiceBusy: the webhook did not take it; the queue may have it already, under the same id.
    """
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
    try:
        answer = requests.post(
            url,
            json=event.to_wire(),
            headers={"Content-Type": "application/cloudevents+json"},
            timeout=10,
        )
    except requests.RequestException as error:
        raise ServiceBusy(f"The webhook did not answer: {type(error).__name__}.") from None
    if answer.status_code >= 400:
        raise ServiceBusy(f"The webhook answered {answer.status_code} to event {event.id}.")
