"""The HTTP trigger: requests to functions by route, method and key."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from local.host.config import ConfigError
from local.host.functions import Function
from local.host.invoker import INVOCATION_ERRORS, Invoker
from local.host.keys import Keys
from local.host.protocol import Value
from local.host.routes import Route

logger = logging.getLogger(__name__)

_SAME_SITE = {1: "Lax", 2: "Strict", 3: "None"}


@dataclass(frozen=True, slots=True)
class _Endpoint:
    function: Function
    route: Route
    methods: frozenset[str]
    level: str


class HttpTrigger:
    """The HTTP functions of an app behind one handler."""

    def __init__(self, functions: list[Function], prefix: str, invoker: Invoker, keys: Keys) -> None:
        self._invoker = invoker
        self._keys = keys
        self._endpoints = sorted(
            (_endpoint(function, prefix) for function in functions), key=lambda endpoint: endpoint.route.rank
        )

    def describe(self, url: str) -> list[str]:
        """A line for each function of a host at `url`: its methods and its address."""
        return [
            f"{','.join(sorted(endpoint.methods)) or 'ANY'} {url}/{endpoint.route.template} -> {endpoint.function.name}"
            f" ({endpoint.level})"
            for endpoint in self._endpoints
        ]

    def route(self) -> web.RouteDef:
        """The route of everything that nothing else serves."""
        return web.route("*", "/{path:.*}", self.handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request: 404 without a route, 405 for another method, 401 without the key, else the function's."""
        found = [(item, match) for item in self._endpoints if (match := item.route.match(request.path)) is not None]
        if not found:
            return web.Response(status=404)
        for endpoint, parameters in found:
            if not endpoint.methods or request.method in endpoint.methods:
                return await self._call(endpoint, parameters, request)
        allowed = sorted(set().union(*(endpoint.methods for endpoint, _ in found)))
        return web.Response(status=405, headers={"Allow": ", ".join(allowed)})

    async def _call(self, endpoint: _Endpoint, parameters: dict[str, str], request: web.Request) -> web.StreamResponse:
        given = request.headers.get("x-functions-key") or request.query.get("code")
        if not self._keys.open(endpoint.level, given):
            return web.Response(status=401)
        value = Value(
            "http",
            {
                "method": request.method,
                "url": str(request.url),
                "headers": {name.lower(): text for name, text in request.headers.items()},
                "query": {name: text for name, text in request.query.items() if text},
                "params": parameters,
                "body": await request.read(),
            },
        )
        try:
            result = await self._invoker.call(endpoint.function, value, parameters=parameters)
        except INVOCATION_ERRORS:
            return web.Response(status=500)
        return _response(result.returned)


def _endpoint(function: Function, prefix: str) -> _Endpoint:
    options = function.trigger.options
    template = "/".join(part.strip("/") for part in (prefix, options.get("route") or function.name) if part.strip("/"))
    level = str(options.get("authLevel") or "function").lower()
    if level not in {"anonymous", "function", "admin"}:
        raise ConfigError(f"function {function.name} uses the auth level {level!r}, which does not exist")
    methods = frozenset(str(method).upper() for method in options.get("methods") or ())
    return _Endpoint(function, Route.compile(template), methods, level)


def _response(returned: Value | None) -> web.Response:
    if returned is None:
        return web.Response(status=204)
    if returned.kind != "http":
        content = returned.data if isinstance(returned.data, bytes) else str(returned.data).encode()
        return web.Response(body=content, content_type="text/plain", charset="utf-8")
    message: Mapping[str, Any] = returned.data
    body = message["body"]
    response = web.Response(
        status=int(message["status_code"]), body=body if isinstance(body, bytes) else str(body).encode()
    )
    for name, text in message["headers"].items():
        if name.lower() not in {"content-length", "transfer-encoding"}:
            response.headers[name] = text
    for cookie in message["cookies"]:
        response.headers.add("Set-Cookie", _cookie(cookie))
    return response


def _cookie(fields: Mapping[str, Any]) -> str:
    parts = [f"{fields['name']}={fields['value']}"]
    parts += [f"{name.title()}={fields[name]}" for name in ("domain", "path") if fields[name]]
    if fields["expires"] is not None:
        parts.append(f"Expires={format_datetime(datetime.fromtimestamp(fields['expires'], UTC), usegmt=True)}")
    if fields["max_age"] is not None:
        parts.append(f"Max-Age={int(fields['max_age'])}")
    if fields["same_site"] in _SAME_SITE:
        parts.append(f"SameSite={_SAME_SITE[fields['same_site']]}")
    parts += [text for field, text in (("secure", "Secure"), ("http_only", "HttpOnly")) if fields[field]]
    return "; ".join(parts)
