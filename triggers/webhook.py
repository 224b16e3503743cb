"""The queue `restore-webhook`: events on their way to the webhooks, each try a message of its own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache

import azure.functions as func

from shared.contracts.events import Delivery
from shared.storage.events import deliver


async def delivery_due(message: func.QueueMessage) -> None:
    """Offer an event to its webhook."""
    delivery = Delivery.from_wire(message.get_json())
    # In this invocation's context, for the log's sake.
    await asyncio.get_running_loop().run_in_executor(_threads(delivery.webhook), copy_context().run, deliver, delivery)


@cache
def _threads(webhook: str) -> ThreadPoolExecutor:
    """A webhook's own threads: one that is slow to answer takes none that a restore or another webhook may need."""
    return ThreadPoolExecutor(max_workers=2, thread_name_prefix=f"webhook {webhook}")
