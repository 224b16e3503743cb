"""The queue `restore-webhook`: events on their way to the webhook, each try a message of its own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import azure.functions as func

from shared.contracts.events import Delivery
from shared.storage.events import deliver

_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="webhook")
"""Threads of its own: a webhook that is slow to answer takes none that a restore may need."""


async def delivery_due(message: func.QueueMessage) -> None:
    """Offer an event to the webhook."""
    delivery = Delivery.from_wire(message.get_json())
    # In this invocation's context, for the log's sake.
    await asyncio.get_running_loop().run_in_executor(_THREADS, copy_context().run, deliver, delivery)
