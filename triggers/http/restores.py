"""Restores: start one, list them, look at one."""

import asyncio
import re
from urllib.parse import quote

import azure.durable_functions as df
import azure.functions as func
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from shared.contracts.api import RestoreQuery, Started
from shared.contracts.progress import Phase
from shared.contracts.request import REQUEST_ID_PATTERN, RestoreRequest, read_request
from shared.errors import Conflict, NotFound, RequestRejected
from shared.instances import is_over, progress_of, request_of, start_restore_once
from shared.requesters import signed
from shared.settings import settings
from shared.status import restore_status
from shared.storage import register
from shared.telemetry.about import about
from triggers.http.access import caller_of
from triggers.http.answers import Answer, body_of, problem, query_of


def retry_after() -> dict[str, str]:
    """The header that says after how many seconds a look at the status is worthwhile."""
    return {"Retry-After": str(max(1, round(settings().poll_seconds)))}


async def post_restore(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> Answer:
    """Start a restore."""
    return await start(req, client, body_of(req, RestoreRequest, "The restore request"))


async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient, request: RestoreRequest) -> Answer:
    """Start the restore of a request, once: 202 and where to look, 200 when it is over, 409 for another request."""
    request, requester = signed(request, caller_of(req).identity)
    with about(restore=request.request_id):
        existing = await start_restore_once(client, request.request_id, request.to_wire(), requester)
    answer = started(req, request.request_id, existing)
    if existing is None or _asks_for(existing, request):
        return answer
    error = Conflict(
        f"Restore {request.request_id} was started by another request: send this one under an id of its own."
    )
    return problem(error, headers={"Location": answer.headers["Location"]})


def started(req: func.HttpRequest, request_id: str, existing: DurableOrchestrationStatus | None) -> Answer:
    """That a restore is started, now or, where one is existing, before."""
    location = f"{req.url.split('/api/', 1)[0]}/api/restores/{quote(request_id)}"
    content = Started(
        request_id=request_id,
        phase=Phase.ACCEPTED if existing is None else progress_of(existing).phase,
        duplicate=existing is not None,
        status=location,
    )
    over = existing is not None and is_over(existing)
    return Answer(content, 200 if over else 202, {"Location": location, **retry_after()})


def _asks_for(existing: DurableOrchestrationStatus, request: RestoreRequest) -> bool:
    """Whether a restore was started by this very request."""
    try:
        return read_request(request_of(existing)) == request
    except RequestRejected:
        return False


async def get_restores(req: func.HttpRequest, _client: df.DurableOrchestrationClient) -> Answer:
    """List restores, the newest first."""
    query = query_of(req, RestoreQuery)
    return Answer(await asyncio.to_thread(register.page, query))


async def get_restore(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> Answer:
    """Look at one restore: phase, timeline, job, progress, and each file."""
    request_id = request_id_of(req)
    status = await restore_status(client, request_id)
    if status is None:
        raise no_restore(request_id)
    return Answer(status, headers={} if status.phase.is_terminal else retry_after())


def request_id_of(req: func.HttpRequest) -> str:
    """The restore that the route names.

    Raises:
        NotFound: no restore can be called so.
    """
    request_id = str(req.route_params["requestId"])
    if not re.fullmatch(REQUEST_ID_PATTERN, request_id):
        raise no_restore(request_id)
    return request_id


def no_restore(request_id: str) -> NotFound:
    """That there is no such restore."""
    return NotFound(f"There is no restore {request_id}; GET /api/restores lists those that there are.")
