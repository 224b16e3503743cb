"""The HTTP trigger: requests to functions by route, method and key."""

import itertools
import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from local.host.config import ConfigError
from local.host.functions import Function
from local.host.invoker import INVOCATION_ERRORS, Invoker
from local.host.keys import Keys
from local.host.parameters import members
from local.host.protocol import Value
from local.host.routes import Route

logger = logging.getLogger(__name__)

_SAME_SITE = {1: "Lax", 2: "Strict", 3: "None"}
_ENCODED_SLASH = re.compile("(%2f)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Endpoint:
    function: Function
    route: Route
    methods: frozenset[str]
    level: str

    def takes(self, method: str) -> bool:
        """Whether the function is called for a method; without methods it takes all, and with GET it takes HEAD."""
        return not self.methods or method in self.methods or (method == "HEAD" and "GET" in self.methods)

    def conflicts(self, other: "_Endpoint") -> bool:
        """Whether Azure would take one of the two functions only."""
        is_same = self.route.template.lower() == other.route.template.lower()
        return is_same and not (self.methods and other.methods and self.methods.isdisjoint(other.methods))


class HttpTrigger:
    """The HTTP functions of an app behind one handler."""

    def __init__(self, functions: list[Function], prefix: str, invoker: Invoker, keys: Keys) -> None:
        self._invoker = invoker
        self._keys = keys
        endpoints = [_endpoint(function, prefix) for function in functions]
        for endpoint, other in itertools.combinations(endpoints, 2):
            if endpoint.conflicts(other):
                raise ConfigError(f"functions {endpoint.function.name} and {other.function.name} have the same route")
        self._endpoints = sorted(endpoints, key=lambda endpoint: endpoint.route.rank)

    @property
    def asks_for_keys(self) -> bool:
        """Whether a function wants a key."""
        return any(endpoint.level != "anonymous" for endpoint in self._endpoints)

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
        """Answer a request: 404 without a route for its path and method, 401 without the key, else the function's.

        A method that no function takes is a 404 as in Azure, where 405 is said of HEAD only.
        """
        path = _path(request)
        found = [(item, match) for item in self._endpoints if (match := item.route.match(path)) is not None]
        for endpoint, parameters in found:
            if endpoint.takes(request.method):
                return await self._call(endpoint, parameters, request)
        if found and request.method == "HEAD":
            return web.Response(status=405, headers={"Allow": ", ".join(sorted(found[0][0].methods))})
        return web.Response(status=404)

    async def _call(self, endpoint: _Endpoint, route: dict[str, str], request: web.Request) -> web.StreamResponse:
        query = _joined(request.query.items())
        codes = [text for name, text in request.query.items() if name.lower() == "code"]
        given = request.headers.get("x-functions-key", codes[0] if codes else None)
        if not self._keys.open(endpoint.level, given):
            return web.Response(status=401)
        headers = _joined((name.lower(), text) for name, text in request.headers.items())
        body = await request.read()
        value = Value(
            "http",
            {
                "method": request.method,
                "url": str(request.url),
                "headers": headers,
                "query": {name: text for name, text in query.items() if text},
                "params": route,
                "body": body,
            },
        )
        try:
            result = await self._invoker.call(endpoint.function, value, parameters=_parameters(endpoint, value.data))
        except INVOCATION_ERRORS:
            return web.Response(status=500)
        name = next((binding.name for binding in endpoint.function.outputs if binding.type == "http"), "$return")
        return _response(result.returned if name == "$return" else result.outputs.get(name))


def _endpoint(function: Function, prefix: str) -> _Endpoint:
    options = function.trigger.options
    template = options.get("route") or function.name
    if template.lstrip("~/").lower().startswith("admin"):
        raise ConfigError(f"function {function.name}: the route {template!r} begins with admin, which Azure keeps")
    try:
        route = Route.compile("/".join(filter(None, (prefix.strip("/"), template))))
    except ConfigError as error:
        raise ConfigError(f"function {function.name}: {error}") from None
    level = str(options.get("authLevel") or "function").lower()
    if level not in {"anonymous", "function", "admin"}:
        raise ConfigError(f"function {function.name} uses the auth level {level!r}, which does not exist")
    return _Endpoint(function, route, frozenset(str(method).upper() for method in options.get("methods") or ()), level)


def _parameters(endpoint: _Endpoint, request: Mapping[str, Any]) -> dict[str, str]:
    """What expressions of outputs may name; nothing is read for a function that only answers."""
    if all(binding.type == "http" for binding in endpoint.function.outputs):
        return {}
    query = {name: text for name, text in request["query"].items() if name.lower() != "code"}
    return {
        **members(request["body"]),
        **query,
        **{f"query.{name}": text for name, text in query.items()},
        **{f"headers.{name}": text for name, text in request["headers"].items()},
        **request["params"],
    }


def _path(request: web.Request) -> str:
    """The path as ASP.NET sees it: decoded, but for slashes."""
    parts = _ENCODED_SLASH.split(request.rel_url.raw_path)
    return "".join(part if i % 2 else unquote(part) for i, part in enumerate(parts))


def _joined(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Values by name, several of one name with commas between; names are compared without case."""
    joined: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, text in items:
        known = names.setdefault(name.lower(), name)
        joined[known] = f"{joined[known]},{text}" if known in joined else text
    return joined


def _response(returned: Value | None) -> web.Response:
    if returned is None:
        return web.Response(status=200)
    if returned.kind == "http":
        message: Mapping[str, Any] = returned.data
        return _whole(message["status_code"], message["body"], message["headers"], message["cookies"])
    return _by_convention(returned.data if isinstance(returned.data, str) else str(returned.data))


def _by_convention(text: str) -> web.Response:
    """The response for text that a function returned, by HttpBinding.cs of the host.

    Text that is JSON is read. An object with a body describes a response; what else it says is written anew.
    """
    try:
        document = json.loads(text)
    except ValueError:
        return _whole("200", text)
    if isinstance(document, dict):
        described = {name.lower(): value for name, value in document.items()}
        if "body" in described:
            body, status = described["body"], str(described.get("statuscode", described.get("status", 200)))
            headers = described.get("headers")
            return _whole(
                status if status.isdecimal() else "200",
                body if isinstance(body, str) else json.dumps(body, separators=(",", ":")),
                headers if isinstance(headers, dict) else {},
            )
    if isinstance(document, dict | list):
        return _whole("200", json.dumps(document, indent=2, ensure_ascii=False))
    return _whole("200", document if isinstance(document, str) else text)


def _whole(
    status: str, body: str | bytes, headers: Mapping[str, Any] | None = None, cookies: Iterable[Mapping[str, Any]] = ()
) -> web.Response:
    content = body if isinstance(body, bytes) else body.encode()
    response = web.Response(status=int(status), body=content)
    if isinstance(body, str):
        response.headers["Content-Type"] = "text/plain; charset=utf-8"
    for name, text in (headers or {}).items():
        if name.lower() not in {"content-length", "transfer-encoding"}:
            response.headers[name] = str(text)
    for cookie in cookies:
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
