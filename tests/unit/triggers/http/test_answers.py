"""Every answer has one form, and every error is a problem after RFC 9457."""

import asyncio
import json
import logging
from collections.abc import Coroutine
from typing import Any

import azure.functions as func
import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from shared.contracts.access import Right
from shared.contracts.api import RestoreQuery, Retry, TargetList
from shared.errors import (
    Conflict,
    FlexRestoreError,
    Misconfigured,
    NotFound,
    PreflightFailed,
    RequestRejected,
    ServiceBusy,
    TargetUnavailable,
    VaultBusy,
    VaultRefused,
)
from triggers.http.answers import Answer, answering, body_of, query_of


def request(method: str = "GET", body: bytes = b"", **more: Any) -> func.HttpRequest:
    return func.HttpRequest(method, "http://x/api/targets", body=body, **more)


def call(handler: Any, req: func.HttpRequest) -> func.HttpResponse:
    answer: Coroutine[Any, Any, func.HttpResponse] = answering(handler, Right.READ)(req, None)
    return asyncio.run(answer)


def failing(error: Exception) -> Any:
    async def get_something(_req: Any, _client: Any) -> Answer:
        raise error

    return get_something


async def get_targets(_req: Any, _client: Any) -> Answer:
    return Answer(TargetList(targets=()))


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RequestRejected("no"), 400, "RequestRejected"),
        (NotFound("no"), 404, "NotFound"),
        (Conflict("no"), 409, "Conflict"),
        (PreflightFailed("no"), 422, "PreflightFailed"),
        (Misconfigured("no"), 500, "Misconfigured"),
        (VaultRefused("no"), 502, "VaultRefused"),
        (ServiceBusy("no"), 503, "ServiceBusy"),
        (VaultBusy("no"), 503, "VaultBusy"),
        (TargetUnavailable("no"), 503, "TargetUnavailable"),
        (ServiceRequestError("the network"), 503, "ServiceBusy"),
        (HttpResponseError("500"), 503, "ServiceBusy"),
        (KeyError("secret"), 500, "FlexRestoreError"),
    ],
)
def test_an_error_has_the_status_of_its_kind(error: Exception, status: int, code: str) -> None:
    answer = call(failing(error), request())
    problem = json.loads(answer.get_body())

    assert answer.status_code == problem["status"] == status
    assert answer.mimetype == "application/problem+json"
    assert problem["code"] == code
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_a_problem_tells_every_finding() -> None:
    answer = call(failing(RequestRejected("2 errors", details=["a: is missing", "b: is missing"])), request())

    assert json.loads(answer.get_body())["errors"] == ["a: is missing", "b: is missing"]


def test_a_defect_is_logged_whole_and_told_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = call(failing(KeyError("inner secret")), request())

    assert b"inner secret" not in answer.get_body()
    assert "inner secret" in caplog.text


def test_what_the_reader_has_already_is_not_sent_again() -> None:
    tag = call(get_targets, request()).headers["ETag"]

    assert call(get_targets, request(headers={"If-None-Match": f'W/"x", {tag}'})).status_code == 304
    assert call(get_targets, request(headers={"If-None-Match": '"other"'})).status_code == 200
    assert "ETag" not in call(get_targets, request("POST")).headers


def test_the_worker_sees_types_that_it_takes() -> None:
    assert answering(get_targets, Right.READ).__annotations__ == {"req": func.HttpRequest, "return": func.HttpResponse}


def test_a_query_is_a_contract_beside_the_function_key() -> None:
    query = query_of(request(params={"size": "5", "phase": "Failed", "code": "the key"}), RestoreQuery)
    assert (query.size, [phase.value for phase in query.phase]) == (5, ["Failed"])

    with pytest.raises(RequestRejected) as caught:
        query_of(request(params={"size": "many", "from": "1700000000"}), RestoreQuery)
    assert [finding.partition(":")[0] for finding in caught.value.details] == ["from", "size"]


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_is_told(body: bytes) -> None:
    with pytest.raises(RequestRejected, match="no JSON"):
        body_of(request("POST", body), Retry, "The retry")


def test_an_empty_body_is_an_empty_object() -> None:
    assert body_of(request("POST"), Retry, "The retry") == Retry()


def test_kinds_of_errors_without_a_status_have_that_of_their_parent() -> None:
    class Odd(FlexRestoreError):
        """Odd."""

    assert call(failing(Odd()), request()).status_code == 500
