"""The HTTP API: `POST /api/restores` starts a restore, `GET /api/restores/{requestId}` tells where it stands."""

import json
import re
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from shared.contracts.request import REQUEST_ID_PATTERN, read_request
from shared.errors import RequestRejected
from shared.instances import is_over, progress_of, start_restore_once
from shared.status import restore_status

RETRY_AFTER = "10"
"""Seconds after which a look at the status is worthwhile."""


async def post_restore(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Start a restore: 202 and where to look; 400 with every error; 200 for a request that is over already."""
    try:
        request = read_request(_json(req))
    except RequestRejected as error:
        return _answer(400, {"message": error.text, "errors": error.details})
    existing = await start_restore_once(client, request.request_id, request.to_wire())
    location = f"{req.url.split('?', 1)[0].rstrip('/')}/{request.request_id}"
    headers = {"Location": location, "Retry-After": RETRY_AFTER}
    phase = "Accepted" if existing is None else progress_of(existing).phase
    body = {"requestId": request.request_id, "phase": phase, "duplicate": existing is not None, "status": location}
    return _answer(200 if existing is not None and is_over(existing) else 202, body, headers)


async def get_restore(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Tell where a restore stands: phase, job, and each file."""
    request_id = req.route_params["requestId"]
    status = await restore_status(client, request_id) if re.fullmatch(REQUEST_ID_PATTERN, request_id) else None
    if status is None:
        return _answer(404, {"message": f"There is no restore {request_id}."})
    headers = {} if status.phase.is_terminal else {"Retry-After": RETRY_AFTER}
    return _answer(200, status.to_wire(), headers)


def _json(req: func.HttpRequest) -> Any:
    try:
        return json.loads(req.get_body())
    except (ValueError, RecursionError):
        raise RequestRejected("The body is no JSON.", details=["(the whole message): is no JSON"]) from None


def _answer(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(body), status_code=status, headers=headers or {}, mimetype="application/json")
