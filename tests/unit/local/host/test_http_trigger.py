"""The HTTP trigger before and behind a function: what it is given of a request, and what becomes of its answer."""

import asyncio
import json
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

import azure.functions as func
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDict
from yarl import URL

from local.host.config import ConfigError
from local.host.functions import Binding, Function
from local.host.invoker import Invoker
from local.host.keys import Keys
from local.host.protocol import Value
from local.host.triggers.http import HttpTrigger
from local.host.workers import FunctionFailedError, InvocationResult

KEYS = Keys("function-key", "master-key", "the test")
ANSWER = {"status_code": "200", "headers": {}, "cookies": [], "body": b""}


def function(name: str, *outputs: Binding, **options: Any) -> Function:
    trigger = Binding("req", "httpTrigger", {"authLevel": "ANONYMOUS", **options})
    return Function(name, name, trigger, (), outputs or (Binding("$return", "http", {}),))


class Recorder:
    """Stands in for the invoker: notes each call, and gives the answer that it was told."""

    def __init__(self, result: InvocationResult | Exception) -> None:
        self.name: str | None = None
        self.request: Any = None
        self.parameters: Any = None
        self._result = result

    async def call(self, called: Function, value: Value, parameters: Any) -> InvocationResult:
        self.name, self.request, self.parameters = called.name, value.data, parameters
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


def ask(
    functions: Iterable[Function] | Function,
    method: str = "GET",
    path: str = "/api/f",
    result: InvocationResult | Exception | None = None,
    prefix: str = "api",
    **options: Any,
) -> SimpleNamespace:
    """Ask once; the answer's status, headers and body, and what the function was called with."""
    recorder = Recorder(result or InvocationResult(Value("http", ANSWER), {}))
    listed = [functions] if isinstance(functions, Function) else list(functions)
    trigger = HttpTrigger(listed, prefix, cast("Invoker", recorder), KEYS)

    async def run() -> SimpleNamespace:
        application = web.Application()
        application.add_routes([trigger.route()])
        url = URL(path, encoded=True)
        async with TestClient(TestServer(application)) as client, client.request(method, url, **options) as answer:
            body = await answer.read()
            return SimpleNamespace(status=answer.status, headers=answer.headers, body=body, **vars(recorder))

    return asyncio.run(run())


def returned(kind: str, data: Any) -> InvocationResult:
    return InvocationResult(Value(kind, data), {})


class TestRequest:
    def test_several_values_of_a_name_are_joined_whatever_its_case(self) -> None:
        several = CIMultiDict([("X-More", "1"), ("X-More", "2")])
        answer = ask(function("f"), path="/api/f?a=1&A=2&b=&c=3", headers=several)
        assert answer.request["query"] == {"a": "1,2", "c": "3"}
        assert answer.request["headers"]["x-more"] == "1,2"

    def test_route_values_are_decoded_but_for_slashes(self) -> None:
        answer = ask(function("f", route="{a}/{b}"), path="/api/%C3%BC%20x+y/1%2F2%25")
        assert answer.request["params"] == {"a": "ü x+y", "b": "1%2F2%"}
        assert answer.request["url"].endswith("/api/%C3%BC%20x+y/1%2F2%25")

    def test_a_body_of_any_kind_comes_as_its_bytes(self) -> None:
        assert ask(function("f"), "POST", data=b"\xff\x00").request["body"] == b"\xff\x00"
        form = ask(function("f"), "POST", data={"a": "b c"})
        assert form.request["body"] == b"a=b+c"
        assert form.request["headers"]["content-type"] == "application/x-www-form-urlencoded"
        assert ask(function("f"), "POST", data=b"x" * 900_000).request["body"] == b"x" * 900_000

    def test_outputs_may_name_route_query_headers_and_members_of_the_body(self) -> None:
        output = Binding("out", "queue", {"queueName": "queue", "direction": "OUT"})
        body = {"id": 7, "who": {"name": "x"}, "a": "body"}
        answer = ask(function("f", output, route="f/{r}"), "POST", "/api/f/1?a=2&code=k", json=body)
        wanted = {
            "id": "7",
            "who.name": "x",
            "a": "2",
            "query.a": "2",
            "r": "1",
            "headers.content-type": "application/json",
        }
        assert wanted.items() <= answer.parameters.items()
        assert "code" not in answer.parameters


class TestDoor:
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "PROPFIND"])
    def test_a_function_without_methods_takes_all(self, method: str) -> None:
        assert ask(function("f"), method).request["method"] == method

    @pytest.mark.parametrize(
        ("method", "methods", "status"),
        [
            ("GET", ["GET"], 200),
            ("POST", ["GET"], 404),
            ("HEAD", ["GET"], 200),
            ("HEAD", ["POST", "PUT"], 405),
            ("OPTIONS", ["POST"], 404),
        ],
    )
    def test_another_method_is_not_found_and_get_takes_head(self, method: str, methods: list[str], status: int) -> None:
        answer = ask(function("f", methods=methods), method)
        assert answer.status == status
        assert answer.headers.get("Allow") == ("POST, PUT" if status == 405 else None)

    def test_the_route_of_asgi_and_wsgi_apps_takes_all_paths_without_a_prefix(self) -> None:
        (whole,) = func.AsgiFunctionApp(cast("Any", None)).get_functions()
        route = json.loads(whole.get_raw_bindings()[0])["route"]
        for path in ("/", "/a/b"):
            assert ask(function("f", route=route), path=path, prefix="").status == 200
        with pytest.raises(ConfigError, match="set extensions"):
            ask(function("f", route=route))

    def test_functions_may_share_a_route_by_method(self) -> None:
        pair = [function("reads", route="x", methods=["GET"]), function("writes", route="x", methods=["POST"])]
        assert [ask(pair, method, "/api/x").name for method in ("GET", "POST")] == ["reads", "writes"]

    @pytest.mark.parametrize("methods", [None, ["POST", "GET"]])
    def test_functions_may_not_share_a_route_and_a_method(self, methods: Any) -> None:
        pair = [function("first", route="X"), function("second", route="x", methods=methods)]
        with pytest.raises(ConfigError, match="functions first and second have the same route"):
            ask(pair)

    @pytest.mark.parametrize(
        ("level", "options", "status"),
        [
            ("function", {}, 401),
            ("function", {"headers": {"X-Functions-Key": "function-key"}}, 200),
            ("function", {"path": "/api/f?code=function-key"}, 200),
            ("function", {"path": "/api/f?Code=master-key"}, 200),
            ("function", {"path": "/api/f?code=function-key", "headers": {"x-functions-key": "wrong"}}, 401),
            ("function", {"path": "/api/f?code=function-key", "headers": {"x-functions-key": ""}}, 401),
            ("Admin", {"path": "/api/f?code=function-key"}, 401),
            ("Admin", {"path": "/api/f?code=master-key"}, 200),
        ],
    )
    def test_keys(self, level: str, options: Any, status: int) -> None:
        assert ask(function("f", authLevel=level), **options).status == status

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"route": "/x"}, "function f: the route 'api//x' has two slashes in a row"),
            ({"route": "{x:file}"}, "function f: the route 'api/{x:file}' uses the constraint 'file'"),
            ({"route": "Administration"}, "function f: the route 'Administration' begins with admin"),
            ({"route": "/admin"}, "function f: the route '/admin' begins with admin, which Azure keeps"),
            ({"authLevel": "nobody"}, "function f uses the auth level 'nobody', which does not exist"),
        ],
    )
    def test_what_cannot_be_served_is_refused_with_the_functions_name(self, options: Any, reason: str) -> None:
        with pytest.raises(ConfigError, match=reason):
            ask(function("f", **options))

    @pytest.mark.parametrize(
        ("levels", "expected"), [([], False), (["ANONYMOUS"], False), (["ANONYMOUS", "FUNCTION"], True)]
    )
    def test_keys_are_for_apps_with_a_function_that_asks(self, levels: list[str], expected: bool) -> None:
        functions = [function(level, authLevel=level) for level in levels]
        assert HttpTrigger(functions, "api", cast("Invoker", None), KEYS).asks_for_keys is expected


class TestAnswer:
    def test_a_response_comes_whole(self) -> None:
        message = {
            "status_code": "418",
            "headers": {"content-type": "image/png", "X-A": "b"},
            "cookies": [
                {"name": "a", "value": "b", "domain": "d", "path": "/p", "expires": 0, "secure": True,
                 "http_only": True, "same_site": 2, "max_age": 5.0},
                {"name": "c", "value": "d", "domain": None, "path": None, "expires": None, "secure": False,
                 "http_only": False, "same_site": 0, "max_age": None},
            ],
            "body": b"\xff",
        }  # fmt: skip
        answer = ask(function("f"), result=returned("http", message))
        assert (answer.status, answer.headers["Content-Type"], answer.headers["X-A"]) == (418, "image/png", "b")
        assert answer.body == b"\xff"
        first, second = answer.headers.getall("Set-Cookie")
        expires = "Expires=Thu, 01 Jan 1970 00:00:00 GMT"
        assert first == f"a=b; Domain=d; Path=/p; {expires}; Max-Age=5; SameSite=Strict; Secure; HttpOnly"
        assert second == "c=d"

    @pytest.mark.parametrize(
        ("text", "status", "body"),
        [
            ("plain ü", 200, "plain ü"),
            ('"quoted"', 200, "quoted"),
            ('{"a":[1]}', 200, '{\n  "a": [\n    1\n  ]\n}'),
            ('{"body": "gone", "statusCode": 404}', 404, "gone"),
            ('{"Body": {"x": 1}, "status": "201", "headers": {"X-A": "b"}}', 201, '{"x":1}'),
            ("", 200, ""),
        ],
    )
    def test_text_is_answered_by_the_hosts_conventions(self, text: str, status: int, body: str) -> None:
        answer = ask(function("f"), result=returned("string", text))
        assert (answer.status, answer.body.decode()) == (status, body)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"

    def test_a_response_may_be_an_output_parameter(self) -> None:
        response = Binding("resp", "http", {})
        sent = Value("string", "from resp")
        assert ask(function("f", response), result=InvocationResult(None, {"resp": sent})).body == b"from resp"
        nothing = ask(function("f", response), result=InvocationResult(None, {}))
        assert (nothing.status, nothing.body) == (200, b"")

    def test_an_exception_is_a_500_without_details(self) -> None:
        answer = ask(function("f"), result=FunctionFailedError("ValueError: secret", "stack"))
        assert (answer.status, answer.body) == (500, b"")

    def test_a_head_has_no_body(self) -> None:
        answer = ask(function("f"), "HEAD", result=returned("string", json.dumps("long")))
        assert (answer.status, answer.body) == (200, b"")
