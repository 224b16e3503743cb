"""Retry: import again what a restore did not bring, from the files that it left."""

import asyncio

import azure.durable_functions as df
import azure.functions as func

from shared.contracts.api import Retry
from shared.instances import request_of, status_of
from shared.retries import is_retry_of, request_again, retry_id
from shared.status import restore_status
from triggers.http.access import caller_of
from triggers.http.answers import Answer, body_of
from triggers.http.restores import no_restore, request_id_of, start, started


async def post_retry(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> Answer:
    """Start a restore that imports what this one did not bring."""
    request_id, retry = request_id_of(req), body_of(req, Retry, "The retry")
    status = await restore_status(client, request_id)
    if status is None:
        raise no_restore(request_id)
    identity = caller_of(req).identity
    if identity is not None and not retry.requested_by:  # else the first request's requester would be named
        retry = retry.model_copy(update={"requested_by": identity.name})
    again = retry_id(request_id, retry)
    existing = await status_of(client, again)
    if existing and await asyncio.to_thread(is_retry_of, request_of(existing), request_id):
        return started(req, again, existing)  # its files may be gone by now
    request = await asyncio.to_thread(request_again, status, retry)
    return await start(req, client, request)
