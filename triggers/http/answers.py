"""How an HTTP function answers: a contract as JSON with an ETag, an error as a problem (RFC 9457)."""

import hashlib
import json
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import azure.durable_functions as df
import azure.functions as func
from azure.core.exceptions import AzureError

from shared.contracts.access import Caller, Right
from shared.contracts.api import Check, Problem
from shared.contracts.base import Contract
from shared.contracts.reading import read
from shared.errors import (
    Conflict,
    FlexRestoreError,
    NotAllowed,
    NotFound,
    NotSignedIn,
    PermanentError,
    PreflightFailed,
    RequestRejected,
    ServiceBusy,
    TransientError,
    VaultRefused,
    WrongMediaType,
)
from shared.telemetry.about import about
from shared.telemetry.spans import Work, working
from triggers.http.access import admit

_log = logging.getLogger(__name__)

PROBLEM = "application/problem+json"
BODY_LIMIT = 256 * 1024
"""Bytes of a body; a request with all that it may name has less."""

STATUSES: Mapping[type[FlexRestoreError], HTTPStatus] = {
    RequestRejected: HTTPStatus.BAD_REQUEST,
    NotSignedIn: HTTPStatus.UNAUTHORIZED,
    NotAllowed: HTTPStatus.FORBIDDEN,
    WrongMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    PreflightFailed: HTTPStatus.UNPROCESSABLE_CONTENT,
    VaultRefused: HTTPStatus.BAD_GATEWAY,
    TransientError: HTTPStatus.SERVICE_UNAVAILABLE,
    FlexRestoreError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The status of an error: that of its nearest kind."""


@dataclass(frozen=True)
class Answer:
    """What a handler answers."""

    content: Contract | str
    """A contract becomes JSON; a text is sent as it is."""
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    mimetype: str = "application/json"

    @property
    def body(self) -> bytes:
        """What is sent."""
        if isinstance(self.content, str):
            return self.content.encode("utf-8", "backslashreplace")
        return json.dumps(self.content.to_wire()).encode()


type Handler = Callable[[func.HttpRequest, df.DurableOrchestrationClient], Coroutine[Any, Any, Answer]]


PROTECTION = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
"""Headers of every answer."""
_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""What is no page shows, runs and loads nothing, should a browser be made to take it for one."""
_CALLER = "Signed-In-As"
"""The header that tells the console whom the platform has signed in, percent-encoded."""


def answering(handler: Handler, needs: Right) -> Callable[..., Coroutine[Any, Any, func.HttpResponse]]:
    """The HTTP function of a handler, for callers with a right: it sends what is answered, or the problem met."""

    @wraps(handler)
    async def function(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        work = Work({"http.request.method": req.method})
        restore = str(req.route_params.get("requestId") or "")
        with about(restore=restore), working(handler.__name__, work, "server", own_trace=True):
            caller, answer = await _answer(handler, needs, req, client)
            work.attributes["http.response.status_code"] = int(answer.status)
            if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                work.failed(HTTPStatus(answer.status).name)
            return _response(req, answer, caller)

    # The Python worker reads annotations through `wraps`, and takes its own types only.
    function.__annotations__ = {"req": func.HttpRequest, "return": func.HttpResponse}
    del function.__wrapped__
    return function


async def _answer(
    handler: Handler, needs: Right, req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> tuple[Caller | None, Answer]:
    """Who calls, as far as it is known, and what they are answered."""
    caller = None
    try:
        caller = admit(req, needs)
        return caller, await handler(req, client)
    except FlexRestoreError as error:
        _log.warning("%s %s: %s: %s", req.method, handler.__name__, type(error).__name__, error.text)
        return caller, problem(error)
    except AzureError as error:
        _log.warning("%s %s: %s: %s", req.method, handler.__name__, type(error).__name__, error.message)
        return caller, problem(ServiceBusy(f"Storage or Azure did not answer ({type(error).__name__}); try again."))
    except Exception:  # noqa: BLE001 -- a caller gets a problem and the log the rest
        _log.exception("%s %s", req.method, handler.__name__)
        return caller, problem(FlexRestoreError("The app met a defect of its own; its log says more."))


def problem(error: FlexRestoreError, checks: tuple[Check, ...] = (), headers: Mapping[str, str] = {}) -> Answer:
    """The problem of an error."""
    status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    content = Problem(
        title=status.phrase,
        status=status,
        detail=error.text,
        code=error.code if isinstance(error, PermanentError) else type(error).__name__,
        errors=tuple(error.details),
        checks=checks,
    )
    busy = {"Retry-After": "10"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Answer(content, status, {**busy, **headers}, PROBLEM)


def body_of[C: Contract](req: func.HttpRequest, model: type[C], what: str) -> C:
    """The contract in a request's body; an empty body is an empty object.

    Raises:
        RequestRejected: it holds none; every error is told.
    """
    if len(req.get_body()) > BODY_LIMIT:
        raise RequestRejected(f"The body is longer than {BODY_LIMIT} bytes.")
    try:
        data: Any = json.loads(req.get_body() or b"{}")
    except (ValueError, RecursionError):
        raise RequestRejected("The body is no JSON.", details=["(the whole message): is no JSON"]) from None
    return read(model, data, what)


def query_of[C: Contract](req: func.HttpRequest, model: type[C]) -> C:
    """The contract in a request's query; `code` is the function key's.

    Raises:
        RequestRejected: a parameter is wrong or unknown.
    """
    return read(model, {name: text for name, text in req.params.items() if name != "code"}, "The query")


def etag(body: bytes) -> str:
    """The tag that tells one content from another (RFC 9110, section 8.8.3)."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def is_known(req: func.HttpRequest, tag: str) -> bool:
    """Whether the caller has the content of this tag already."""
    known = req.headers.get("if-none-match") or ""
    return tag in known or known.strip() == "*"


def _response(req: func.HttpRequest, answer: Answer, caller: Caller | None) -> func.HttpResponse:
    body, headers = answer.body, {**PROTECTION, "Content-Security-Policy": _POLICY, **answer.headers}
    if caller is not None and caller.identity is not None:
        headers[_CALLER] = quote(caller.identity.name)
    if req.method == "GET" and answer.status == HTTPStatus.OK:
        headers |= {"ETag": etag(body), "Cache-Control": "no-cache"}
        if is_known(req, headers["ETag"]):
            return func.HttpResponse(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return func.HttpResponse(body, status_code=answer.status, headers=headers, mimetype=answer.mimetype)
