"""Health: whether the app could restore now; 503 with the reasons when it could not."""

import asyncio

import azure.durable_functions as df
import azure.functions as func

from shared.errors import ServiceBusy
from shared.health import examine
from triggers.http.answers import Answer, problem


async def get_health(_req: func.HttpRequest, _client: df.DurableOrchestrationClient) -> Answer:
    """Look at everything that a restore needs."""
    health = await asyncio.to_thread(examine)
    wrong = [f"{check.name}: {check.detail}" for check in health.checks if not check.ok]
    if not wrong:
        return Answer(health)
    return problem(ServiceBusy(f"{len(wrong)} thing(s) stand in the way of restores.", details=wrong), health.checks)
