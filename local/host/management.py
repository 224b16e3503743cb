"""The HTTP management API of Durable Functions, under /runtime/webhooks/durabletask."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from local.host.history import TYPE_NAMES, EventType, moment, timestamp
from local.host.instances import (
    InstanceExistsError,
    InstanceGoneError,
    InstanceNotFoundError,
    Instances,
    UnknownFunctionError,
)
from local.host.store import Instance, InstanceFilter, Status

PREFIX = "/runtime/webhooks/durabletask"
_PLACEHOLDER = "INSTANCEID"
_RETRY_AFTER = "10"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ManagementLinks:
    """The URLs of the API at one base address."""

    def __init__(self, base: str, hub: str) -> None:
        self._api = base + PREFIX
        self._hub = hub
        self._query = f"taskHub={hub}&connection=Storage&code="

    def of(self, instance_id: str) -> dict[str, str]:
        """The management URLs of an instance, by the names of the protocol."""
        instance = f"{self._api}/instances/{instance_id}"
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
        return json.dumps(
            {
                "taskHubName": self._hub,
                "creationUrls": {
                    "createNewInstancePostUri": f"{create}?code=",
                    "createAndWaitOnNewInstancePostUri": f"{create}?timeout={{timeoutInSeconds}}&code=",
                },
                "managementUrls": self.of(_PLACEHOLDER),
                "baseUrl": self._api,
                "requiredQueryStringParameters": "code=",
                "rpcBaseUrl": f"{self._api}/",
            }
        )


class Management:
    """The handlers of the API."""

    def __init__(self, instances: Instances, links: ManagementLinks) -> None:
        self._instances = instances
        self._links = links

    def routes(self) -> list[web.RouteDef]:
        """The routes, each answering errors with the status code of the real API."""
        one = PREFIX + "/instances/{id}"
        table: list[tuple[str, str, Handler]] = [
            ("POST", PREFIX + "/orchestrators/{name}", self._start),
            ("POST", PREFIX + "/orchestrators/{name}/{id}", self._start),
            ("GET", PREFIX + "/instances", self._list),
            ("GET", PREFIX + "/instances/", self._list),
            ("DELETE", PREFIX + "/instances", self._purge_matching),
            ("DELETE", PREFIX + "/instances/", self._purge_matching),
            ("GET", one, self._status),
            ("DELETE", one, self._purge),
            ("POST", one + "/raiseEvent/{event}", self._raise_event),
            ("POST", one + "/terminate", self._terminate),
            ("POST", one + "/suspend", self._suspend),
            ("POST", one + "/resume", self._resume),
            ("POST", one + "/restart", self._restart),
            ("POST", one + "/rewind", self._refuse_rewind),
        ]
        return [web.route(method, path, _answering(handler)) for method, path, handler in table]

    async def _start(self, request: web.Request) -> web.Response:
        document = await _document(request)
        match = request.match_info
        instance = self._instances.start(match["name"], match.get("id"), document, request.query.get("version"))
        links = self._links.of(instance.instance_id)
        headers = {"Location": links["statusQueryGetUri"], "Retry-After": _RETRY_AFTER}
        return web.json_response(links, status=202, headers=headers)

    async def _status(self, request: web.Request) -> web.Response:
        instance = self._instances.get(request.match_info["id"])
        body = _view(instance, show_input=_flag(request, "showInput", default=True))
        if _flag(request, "showHistory"):
            show_output = _flag(request, "showHistoryOutput")
            texts = self._instances.history(instance.instance_id)
            body["historyEvents"] = [_event_view(json.loads(text), show_output=show_output) for text in texts]
        if not instance.status.is_terminal:
            location = self._links.of(instance.instance_id)["statusQueryGetUri"]
            return web.json_response(body, status=202, headers={"Location": location, "Retry-After": _RETRY_AFTER})
        is_error = instance.status is Status.FAILED and _flag(request, "returnInternalServerErrorOnFailure")
        return web.json_response(body, status=500 if is_error else 200)

    async def _list(self, request: web.Request) -> web.Response:
        show_input = _flag(request, "showInput", default=True)
        return web.json_response(
            [_view(item, show_input=show_input) for item in self._instances.matching(_wanted(request))]
        )

    async def _purge(self, request: web.Request) -> web.Response:
        return _purged(self._instances.purge(request.match_info["id"]))

    async def _purge_matching(self, request: web.Request) -> web.Response:
        wanted = _wanted(request)
        if wanted.created_from is None:
            raise ValueError("Please provide value for 'createdTimeFrom' parameter.")
        return _purged(self._instances.purge_matching(wanted))

    async def _raise_event(self, request: web.Request) -> web.Response:
        match = request.match_info
        self._instances.raise_event(match["id"], match["event"], await _document(request) or "null")
        return web.Response(status=202)

    async def _terminate(self, request: web.Request) -> web.Response:
        self._instances.terminate(request.match_info["id"], request.query.get("reason", ""))
        return web.Response(status=202)

    async def _suspend(self, request: web.Request) -> web.Response:
        self._instances.suspend(request.match_info["id"], request.query.get("reason", ""))
        return web.Response(status=202)

    async def _resume(self, request: web.Request) -> web.Response:
        self._instances.resume(request.match_info["id"], request.query.get("reason", ""))
        return web.Response(status=202)

    async def _restart(self, request: web.Request) -> web.Response:
        new_id = _flag(request, "restartWithNewInstanceId", default=True)
        instance = self._instances.restart(request.match_info["id"], new_id=new_id)
        return web.json_response(instance.instance_id, status=202)

    async def _refuse_rewind(self, _request: web.Request) -> web.Response:
        return web.json_response("Rewind is not supported by this host: start the instance again.", status=501)


def _answering(handler: Handler) -> Handler:
    """A handler that answers the errors of `Instances` as the real API does.

    The client of the SDK parses every answer as JSON and takes an empty one for None, so no answer is plain text.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except InstanceNotFoundError:
            return web.Response(status=404)
        except InstanceGoneError:
            return web.Response(status=410)
        except InstanceExistsError as error:
            return web.json_response({"Message": str(error)}, status=409)
        except UnknownFunctionError as error:
            return web.json_response(
                {
                    "Message": "One or more of the arguments submitted is incorrect",
                    "ExceptionMessage": str(error),
                    "ExceptionType": "System.ArgumentException",
                    "StackTrace": "",
                },
                status=400,
            )
        except ValueError as error:
            return web.json_response({"Message": str(error)}, status=400)

    return answer


async def _document(request: web.Request) -> str | None:
    """The body as compact JSON text, None when there is none.

    Raises:
        ValueError: it is not JSON.
    """
    text = await request.text()
    if not text.strip():
        return None
    try:
        return json.dumps(json.loads(text), separators=(",", ":"))
    except json.JSONDecodeError as error:
        raise ValueError(f"Only application/json request content is supported: {error}") from None


def _view(instance: Instance, *, show_input: bool) -> dict[str, Any]:
    return {
        "name": instance.name,
        "instanceId": instance.instance_id,
        "runtimeStatus": instance.status,
        "input": _json(instance.input) if show_input else None,
        "customStatus": _json(instance.custom_status),
        "output": _json(instance.output),
        "createdTime": timestamp(instance.created),
        "lastUpdatedTime": timestamp(instance.updated),
    }


def _event_view(event: dict[str, Any], *, show_output: bool) -> dict[str, Any]:
    hidden = {"EventType", "IsPlayed", "EventId", *(() if show_output else ("Result", "Input"))}
    shown = {name: value for name, value in event.items() if name not in hidden}
    return {"EventType": TYPE_NAMES[EventType(event["EventType"])], **shown}


def _json(text: str | None) -> object:
    return None if text is None else json.loads(text)


def _flag(request: web.Request, name: str, *, default: bool = False) -> bool:
    text = request.query.get(name)
    return default if text is None else text.lower() == "true"


def _wanted(request: web.Request) -> InstanceFilter:
    query = request.query
    names = [name for text in query.getall("runtimeStatus", []) for name in text.split(",") if name]
    known = {status.value.lower(): status for status in Status}
    # Statuses that no instance here is ever in (Canceled, ContinuedAsNew) match nothing.
    statuses = [known[name.lower()] for name in names if name.lower() in known]
    if names and not statuses:
        raise ValueError(f"No instance is ever in one of the statuses {names}")
    return InstanceFilter(
        created_from=_time(query.get("createdTimeFrom")),
        created_to=_time(query.get("createdTimeTo")),
        statuses=statuses,
        prefix=query.get("instanceIdPrefix"),
    )


def _time(text: str | None) -> float | None:
    return None if not text else moment(text)


def _purged(count: int) -> web.Response:
    return web.json_response({"instancesDeleted": count}, status=200) if count else web.Response(status=404)
