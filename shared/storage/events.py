"""Events go out: to the queue `restore-events`, and on their way to the webhook where one is configured."""

import json
import logging
import secrets
from typing import Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from shared.contracts.base import Json
from shared.contracts.events import Delivery, Event
from shared.errors import cut
from shared.settings import settings
from shared.storage.accounts import queue_service
from shared.topology import APP_STORAGE, EVENT_QUEUE, WEBHOOK_QUEUE
from shared.webhook import offer

PAUSES = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds before each further offer to the webhook, after Standard Webhooks: the last is made after 76 hours."""
_KEPT = 14 * 86_400
"""Seconds for which an event waits in a queue."""
_QUEUE_LIMIT = 48_000
"""Bytes of a queue message that every consumer's encoding leaves room for; the service takes 64 KiB."""
_CUTS = ((1_000, 10), (500, 5), (200, 2))
"""Longest text and longest list of an event that does not fit otherwise."""
_log = logging.getLogger(__name__)


def publish(event: Event) -> None:
    """Put the event on the queue, and on another one for the webhook: whoever is slow there holds nobody here."""
    told = _fitting(event)
    _put(EVENT_QUEUE, told)
    if settings().webhook_url:
        _put(WEBHOOK_QUEUE, Delivery(event=told).to_wire())


def deliver(delivery: Delivery) -> None:
    """Offer an event to the webhook; what it does not take is offered again later, and at last put aside.

    It is put back before this try's message is gone, so a crash offers it twice, and never loses it.
    """
    name = f"event {delivery.event['id']} about {delivery.event['subject']}"
    if not settings().webhook_url:
        _log.warning("%s is not delivered: FLEX_RESTORE_WEBHOOK_URL is no longer set", name)
        return
    refusal = offer(delivery.event)
    if refusal is None:
        return
    tries = delivery.tries + 1
    if refusal.is_final or tries > len(PAUSES):
        _log.error("the webhook did not take %s in %s tries: %s", name, tries, refusal.reason)
        _put(f"{WEBHOOK_QUEUE}-poison", Delivery(event=delivery.event).to_wire())
        return
    pause = PAUSES[tries - 1]
    _log.warning("the webhook did not take %s: %s; next try in %s s", name, refusal.reason, pause)
    # Events that were refused together do not come back together.
    later = pause + secrets.randbelow(pause // 5 + 1)
    _put(WEBHOOK_QUEUE, Delivery(event=delivery.event, tries=tries).to_wire(), later)


def _fitting(event: Event) -> Json:
    """The event, the texts and lists of its data cut as far as a queue message needs it."""
    told = event.to_wire()
    for length, items in _CUTS:
        if len(json.dumps(told)) <= _QUEUE_LIMIT:
            break
        told = {**told, "data": _shortened(told["data"], length, items)}
    return told


def _shortened(value: Any, length: int, items: int) -> Any:
    match value:
        case str():
            return cut(value, length)
        case list():
            return [_shortened(item, length, items) for item in value[:items]]
        case dict():
            return {name: _shortened(item, length, items) for name, item in value.items()}
        case _:
            return value


def _put(name: str, content: Json, visible_after: int = 0) -> None:
    queue = queue_service(APP_STORAGE).get_queue_client(name)
    options = {"visibility_timeout": visible_after, "time_to_live": _KEPT}
    text = json.dumps(content)
    try:
        queue.send_message(text, **options)
    except ResourceNotFoundError:
        try:
            queue.create_queue()
        except ResourceExistsError:
            _log.debug("the queue %s was created meanwhile", name)
        queue.send_message(text, **options)
