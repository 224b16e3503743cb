"""Events go out: to the queue `restore-events`, and on their way to the webhooks that are to have them."""

import json
import logging
import secrets
from collections.abc import Sequence
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
"""Seconds before each further offer to a webhook, after Standard Webhooks: the last is made after 76 hours."""
_KEPT = 14 * 86_400
"""Seconds for which an event waits in a queue."""
_QUEUE_LIMIT = 48_000
"""Bytes of a queue message that every consumer's encoding leaves room for; the service takes 64 KiB."""
_CUTS = ((1_000, 10), (500, 5), (200, 2))
"""Longest text and longest list of an event that does not fit otherwise."""
_log = logging.getLogger(__name__)


def publish(event: Event, notify: Sequence[str] = ()) -> None:
    """Put the event on the queue, and on another one for each webhook: whoever is slow there holds nobody here.

    The default webhook gets every event, the webhooks that `notify` names get this one.
    """
    told = _fitting(event)
    _put(EVENT_QUEUE, told)
    configured = settings().webhook_addresses
    for webhook in dict.fromkeys(("", *notify)):
        if webhook in configured:
            _put(WEBHOOK_QUEUE, Delivery(event=told, webhook=webhook).to_wire())
        elif webhook:
            _log.warning(
                "event %s about %s is for a webhook that is not configured: %s", event.id, event.subject, webhook
            )


def deliver(delivery: Delivery) -> None:
    """Offer an event to its webhook; what it does not take is offered again later, and at last put aside.

    It is put back before this try's message is gone, so a crash offers it twice, and never loses it.
    """
    event = f"event {delivery.event['id']} about {delivery.event['subject']}"
    webhook = f"webhook {delivery.webhook}" if delivery.webhook else "the webhook"
    address = settings().webhook_addresses.get(delivery.webhook)
    if address is None:
        _log.warning("%s is not delivered: %s is no longer configured", event, webhook)
        return
    refusal = offer(delivery.event, address)
    if refusal is None:
        return
    tries = delivery.tries + 1
    if refusal.is_final or tries > len(PAUSES):
        _log.error("%s did not take %s in %s tries: %s", webhook, event, tries, refusal.reason)
        _put(f"{WEBHOOK_QUEUE}-poison", delivery.model_copy(update={"tries": 0}).to_wire())
        return
    pause = max(PAUSES[tries - 1], refusal.retry_after)
    _log.warning("%s did not take %s: %s; next try in %s s", webhook, event, refusal.reason, pause)
    # Events that were refused together do not come back together.
    later = pause + secrets.randbelow(pause // 5 + 1)
    _put(WEBHOOK_QUEUE, delivery.model_copy(update={"tries": tries}).to_wire(), later)


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
