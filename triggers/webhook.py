"""The queue `restore-webhook`: events on their way to the webhooks, each try a message of its own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache

import azure.functions as func

from shared.contracts.events import Delivery
from shared.storage.events import deliver
from shared.telemetry.about import about
from shared.telemetry.spans import Work, working


async def delivery_due(message: func.QueueMessage) -> None:
    """Offer an event to its webhook."""
    delivery = Delivery.from_wire(message.get_json())
    restore = str(delivery.event["subject"]) if "sequence" in delivery.event else ""
    with about(restore=restore), working("delivery_due", Work(), "consumer", own_trace=True):
        # In this invocation's context, for the log's sake.
        threads = _threads(delivery.webhook)
        await asyncio.get_running_loop().run_in_executor(threads, copy_context().run, deliver, delivery)


@cache
def _threads(webhook: str) -> ThreadPoolExecutor:
    """A webhook's own threads: one that is slow to answer takes none that a restore or another webhook may need."""
    return ThreadPoolExecutor(max_workers=2, thread_name_prefix=f"webhook {webhook}")
