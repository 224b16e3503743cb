"""Plans: what a restore would do, or everything that stands in its way."""

import asyncio

import azure.durable_functions as df
import azure.functions as func

from shared.contracts.request import RestoreRequest
from shared.planning import make_plan
from triggers.http.answers import Answer, body_of


async def post_plan(req: func.HttpRequest, _client: df.DurableOrchestrationClient) -> Answer:
    """Plan a restore; nothing is started or recorded."""
    request = body_of(req, RestoreRequest, "The restore request")
    return Answer(await asyncio.to_thread(make_plan, request))
