"""The HTTP management API of Durable Functions, under /runtime/webhooks/durabletask.

Routes, status codes and bodies are those of HttpApiHandler.cs of the durable extension.
"""

import asyncio
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote, unquote_plus

from aiohttp import web

from local.host.history import moment
from local.host.instances import (
    InstanceExistsError,
    InstanceGoneError,
    InstanceNotFoundError,
    Instances,
    InvalidStartError,
)
from local.host.store import Instance, InstanceFilter, Status
from local.host.timeline import timeline

logger = logging.getLogger(__name__)

PREFIX = "/runtime/webhooks/durabletask"
CONTINUATION = "x-ms-continuation-token"
_PLACEHOLDER = "INSTANCEID"
_PAGE = 100
_SHORTEST_INTERVAL = 0.1
# The names that a filter may use; no instance here is ever in the last two.
_STATUSES = {*Status, "Canceled", "ContinuedAsNew"}

Operation = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ManagementLinks:
    """The URLs of the API at one base address."""

    def __init__(self, base: str, hub: str) -> None:
        self.hub = hub
        self._api = base + PREFIX
        self._query = f"taskHub={hub}&connection=Storage&code="

    def of(self, instance_id: str) -> dict[str, str]:
        """The management URLs of an instance, by the names of the protocol."""
        instance = f"{self._api}/instances/{quote(instance_id, safe='')}"
        return {
            "id": instance_id,
            "statusQueryGetUri": f"{instance}?{self._query}",
            "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}?{self._query}",
            "terminatePostUri": f"{instance}/terminate?reason={{text}}&{self._query}",
            "rewindPostUri": f"{instance}/rewind?reason={{text}}&{self._query}",
            "purgeHistoryDeleteUri": f"{instance}?{self._query}",
            "restartPostUri": f"{instance}/restart?{self._query}",
            "suspendPostUri": f"{instance}/suspend?reason={{text}}&{self._query}",
            "resumePostUri": f"{instance}/resume?reason={{text}}&{self._query}",
        }

    def client_binding(self) -> str:
        """The value of a durableClient binding."""
        create = f"{self._api}/orchestrators/{{functionName}}[/{{instanceId}}]"
        wait = "timeout={timeoutInSeconds}&pollingInterval={intervalInSeconds}"
        return json.dumps(
            {
                "taskHubName": self.hub,
                "creationUrls": {
                    "createNewInstancePostUri": f"{create}?code=",
                    "createAndWaitOnNewInstancePostUri": f"{create}?{wait}&code=",
                },
                "managementUrls": self.of(_PLACEHOLDER),
                "baseUrl": self._api,
                "requiredQueryStringParameters": "code=",
                "rpcBaseUrl": f"{self._api}/",
            }
        )


class Management:
    """The handler of the API."""

    def __init__(self, instances: Instances, links: ManagementLinks) -> None:
        self._instances = instances
        self._links = links
        self._controls: dict[str, Callable[[str, web.Request], Awaitable[web.Response]]] = {
            "terminate": self._terminate,
            "suspend": self._suspend,
            "resume": self._resume,
            "restart": self._restart,
            "rewind": self._rewind,
        }

    def routes(self) -> list[web.RouteDef]:
        """The one route below which the API lives."""
        return [web.route("*", PREFIX + "/{path:.*}", self._handle)]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = unquote_plus(request.rel_url.raw_path).removeprefix(PREFIX).strip("/")
        operation = self._operation(request.method, path.split("/"))
        hub = _query(request).get("taskhub") or self._links.hub
        if operation is None:
            return web.Response(status=404)
        if hub.lower() != self._links.hub.lower():
            return web.json_response(f"This host has the task hub {self._links.hub} only, not {hub}.", status=501)
        return await _answer(operation, request)

    def _operation(self, method: str, path: list[str]) -> Operation | None:  # noqa: PLR0911 - a table of routes
        match method, path[0].lower(), path[1:]:
            case "POST", "orchestrators", [name]:
                return partial(self._start, name, None)
            case "POST", "orchestrators", [name, instance_id]:
                return partial(self._start, name, instance_id)
            case "GET", "instances", []:
                return self._list
            case "DELETE", "instances", []:
                return self._purge_matching
            case "GET", "instances", [instance_id]:
                return partial(self._status, instance_id)
            case "DELETE", "instances", [instance_id]:
                return partial(self._purge, instance_id)
            case "POST", "instances", [instance_id, name] if name.lower() in self._controls:
                return partial(self._controls[name.lower()], instance_id)
            case "POST", "instances", [instance_id, name, event] if name.lower() == "raiseevent":
                return partial(self._raise_event, instance_id, event)
            case "GET" | "POST" | "DELETE", "entities", _:
                return _refuse_entities
        return None

    async def _start(self, name: str, instance_id: str | None, request: web.Request) -> web.Response:
        text = await request.text()
        document = _json_text(text) if text else None
        instance = self._instances.start(name, instance_id, document, _query(request).get("version"))
        return await self._started(instance.instance_id, request)

    async def _restart(self, instance_id: str, request: web.Request) -> web.Response:
        new_id = _flag(request, "restartWithNewInstanceId", default=True)
        try:
            instance = self._instances.restart(instance_id, new_id=new_id)
        except (InstanceNotFoundError, InvalidStartError) as error:
            raise _BadRequestError("InstanceId does not match a valid orchestration instance.") from error
        except InstanceExistsError as error:
            return _error(409, "A non-terminal instance with this instance ID already exists.", error)
        return await self._started(instance.instance_id, request)

    async def _started(self, instance_id: str, request: web.Request) -> web.Response:
        """The answer to a start: the output, when the request waits for it and it comes in time, else the links."""
        timeout, interval = _seconds(request, "timeout"), _seconds(request, "pollingInterval")
        if timeout is not None and interval is not None:
            if interval > timeout:
                raise _BadRequestError(f"Total timeout {timeout:g} should be bigger than retry timeout {interval:g}")
            instance = await self._end_of(instance_id, timeout, interval)
            if instance.status is Status.COMPLETED:
                return web.json_response(_json(instance.output))
            if instance.status.is_terminal:
                return self._status_of(instance, request, fails=False)
        links = self._links.of(instance_id)
        del links["rewindPostUri"]  # the client's payload has it, the API's answer has not
        headers = {"Location": links["statusQueryGetUri"], "Retry-After": "10"}
        return web.json_response(links, status=202, headers=headers)

    async def _end_of(self, instance_id: str, timeout: float, interval: float) -> Instance:  # noqa: ASYNC109 - it is the request's, and its end is no error
        deadline = time.monotonic() + timeout
        while True:
            instance = self._instances.get(instance_id)
            left = deadline - time.monotonic()
            if instance.status.is_terminal or left <= 0:
                return instance
            await asyncio.sleep(min(max(interval, _SHORTEST_INTERVAL), left))

    async def _status(self, instance_id: str, request: web.Request) -> web.Response:
        fails = _flag(request, "returnInternalServerErrorOnFailure")
        return self._status_of(self._instances.get(instance_id), request, fails=fails)

    def _status_of(self, instance: Instance, request: web.Request, *, fails: bool) -> web.Response:
        show_input = _flag(request, "showInput", default=True)
        body = _view(instance, show_input=show_input)
        if _flag(request, "showHistory"):
            events = [json.loads(text) for text in self._instances.history(instance.instance_id)]
            show_output = _flag(request, "showHistoryOutput")
            body["historyEvents"] = timeline(events, show_input=show_input, show_output=show_output)
        if not instance.status.is_terminal:
            headers = {"Location": str(request.url), "Retry-After": "5"}
            return web.json_response(body, status=202, headers=headers)
        return web.json_response(body, status=500 if fails and instance.status is Status.FAILED else 200)

    async def _list(self, request: web.Request) -> web.Response:
        """A page of instances. Without `top` it has 100: the client of the Python SDK sees no more than those."""
        query = _query(request)
        size = _whole(query.get("top")) or _PAGE
        found = self._instances.matching(
            _wanted(query, prefix=query.get("instanceidprefix"), after=_token(request), limit=size + 1)
        )
        show_input = _flag(request, "showInput", default=True)
        headers = {CONTINUATION: quote(found[size - 1].instance_id)} if len(found) > size else {}
        return web.json_response([_view(item, show_input=show_input) for item in found[:size]], headers=headers)

    async def _purge(self, instance_id: str, _request: web.Request) -> web.Response:
        instance = self._instances.get(instance_id)
        if not instance.status.is_terminal:
            text = (
                "Only orchestrations in a terminal state can be purged, but the orchestration with instance ID "
                f"{instance_id} has status {instance.status}"
            )
            return web.json_response(text, status=412)
        return web.json_response({"instancesDeleted": self._instances.purge(instance_id)})

    async def _purge_matching(self, request: web.Request) -> web.Response:
        wanted = _wanted(_query(request))
        if wanted.created_from is None:
            return web.json_response("Please provide value for 'createdTimeFrom' parameter.", status=400)
        count = self._instances.purge_matching(wanted)
        return web.json_response({"instancesDeleted": count}) if count else web.Response(status=404)

    async def _raise_event(self, instance_id: str, event: str, request: web.Request) -> web.Response:
        self._instances.running(instance_id)
        if request.content_type.lower() != "application/json":
            raise _BadRequestError("Only application/json request content is supported")
        self._instances.raise_event(instance_id, event, _json_text(await request.text()))
        return web.Response(status=202)

    async def _terminate(self, instance_id: str, request: web.Request) -> web.Response:
        self._instances.terminate(instance_id, _query(request).get("reason", ""))
        return web.Response(status=202)

    async def _suspend(self, instance_id: str, request: web.Request) -> web.Response:
        self._instances.suspend(instance_id, _query(request).get("reason", ""))
        return web.Response(status=202)

    async def _resume(self, instance_id: str, request: web.Request) -> web.Response:
        self._instances.resume(instance_id, _query(request).get("reason", ""))
        return web.Response(status=202)

    async def _rewind(self, instance_id: str, _request: web.Request) -> web.Response:
        try:
            status = self._instances.get(instance_id).status
        except InstanceNotFoundError:
            return web.json_response(f'No orchestration with instance ID "{instance_id}" found.', status=404)
        if status is not Status.FAILED:
            text = (
                f'This orchestration has status {status}, but only orchestrations in the "Failed" state can be rewound.'
            )
            return web.json_response(text, status=412)
        return web.json_response("Rewind is not supported by this host: restart the instance.", status=501)


class _BadRequestError(Exception):
    """The text is the message of a 400."""


async def _answer(  # noqa: PLR0911 - a table of errors
    operation: Operation, request: web.Request
) -> web.StreamResponse:
    """Answer a request; errors have the status codes of the real API.

    The client of the SDK parses every answer as JSON and takes an empty one for None, so no answer is plain text.
    """
    try:
        return await operation(request)
    except InstanceNotFoundError:
        return web.Response(status=404)
    except InstanceGoneError:
        return web.Response(status=410)
    except InstanceExistsError as error:
        return _error(409, str(error))
    except InvalidStartError as error:
        return _error(400, "One or more of the arguments submitted is incorrect", error)
    except _BadRequestError as error:
        return _error(400, str(error), error.__cause__)
    except Exception as error:
        logger.exception("%s %s failed", request.method, request.path)
        return _error(500, "Something went wrong while processing your request", error)


async def _refuse_entities(_request: web.Request) -> web.Response:
    return web.json_response("Durable entities are not supported by this host.", status=501)


def _error(status: int, message: str, cause: BaseException | None = None) -> web.Response:
    """An error in the form of ASP.NET's HttpError, of which the SDK's client shows ExceptionMessage."""
    body = {"Message": message, "ExceptionMessage": str(cause or message), "ExceptionType": "", "StackTrace": ""}
    return web.json_response(body, status=status)


def _json_text(text: str) -> str:
    """The text as compact JSON."""
    try:
        return json.dumps(json.loads(text), separators=(",", ":"))
    except json.JSONDecodeError as error:
        raise _BadRequestError("Invalid JSON content") from error


def _view(instance: Instance, *, show_input: bool) -> dict[str, Any]:
    return {
        "name": instance.name,
        "instanceId": instance.instance_id,
        "runtimeStatus": instance.status,
        "input": _json(instance.input) if show_input else None,
        "customStatus": _json(instance.custom_status),
        "output": _json(instance.output),
        "createdTime": _second(instance.created),
        "lastUpdatedTime": _second(instance.updated),
    }


def _second(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def _json(text: str | None) -> object:
    return None if text is None else json.loads(text)


def _query(request: web.Request) -> dict[str, str]:
    """The query's parameters, those of one name joined; names are compared without case, so these are lower case."""
    joined: dict[str, str] = {}
    for name, text in request.query.items():
        key = name.lower()
        joined[key] = f"{joined[key]},{text}" if key in joined else text
    return joined


def _flag(request: web.Request, name: str, *, default: bool = False) -> bool:
    text = _query(request).get(name.lower(), "").strip().lower()
    return text == "true" if text in {"true", "false"} else default


def _seconds(request: web.Request, name: str) -> float | None:
    try:
        seconds = float(_query(request).get(name.lower(), ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _token(request: web.Request) -> str | None:
    token = request.headers.get(CONTINUATION)
    return unquote_plus(token) if token else None


def _wanted(
    query: Mapping[str, str], *, prefix: str | None = None, after: str | None = None, limit: int | None = None
) -> InstanceFilter:
    """The filter of a query. What cannot be read is left out, as the real API does; so are unknown statuses."""
    names = (name.strip() for name in query.get("runtimestatus", "").split(","))
    return InstanceFilter(
        created_from=_time(query.get("createdtimefrom")),
        created_to=_time(query.get("createdtimeto")),
        statuses=[name for name in names if name in _STATUSES],
        prefix=prefix,
        after=after,
        limit=limit,
    )


def _time(text: str | None) -> float | None:
    try:
        return moment(text) if text else None
    except ValueError:
        return None
