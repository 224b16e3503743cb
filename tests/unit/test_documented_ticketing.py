"""The ticketing system of docs/events.md: what it believes, what it makes of doubles, order and gaps, how it answers.

tests/e2e/test_restore.py runs it against the app.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any
from urllib.error import HTTPError

import pytest

from shared.contracts.api import Decided
from shared.contracts.decisions import Decision, Statement, Verdict
from shared.signing import signatures

OURS = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FOREIGN = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def headers(body: bytes, *, secret: str = OURS, age: int = 0) -> dict[str, str]:
    timestamp = int(time.time()) - age
    signature = signatures([secret], "i", timestamp, body)
    return {"webhook-id": "i", "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def phase(number: int, day: int = 1) -> dict[str, Any]:
    data = {"startedAt": f"2026-04-0{day}T02:30:00Z"}
    return {"type": "flexrestore.phase", "subject": "r", "sequence": f"{number:06}", "data": data}


def test_it_believes_what_one_of_its_secrets_signed(documented_ticketing: ModuleType) -> None:
    assert documented_ticketing.is_genuine([FOREIGN, OURS], headers(b"{}"), b"{}")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(lambda: {"webhook-signature": ""}, id="no signature"),
        pytest.param(lambda: {"webhook-signature": "v1,"}, id="an empty signature"),
        pytest.param(lambda: {"webhook-id": "other"}, id="another id"),
        pytest.param(lambda: {"webhook-timestamp": "yesterday"}, id="no timestamp"),
        pytest.param(lambda: {"webhook-timestamp": str(int(time.time()) + 7)}, id="another timestamp"),
        pytest.param(lambda: headers(b"{}", secret=FOREIGN), id="another secret"),
        pytest.param(lambda: headers(b"{}", age=301), id="a stale one"),
        pytest.param(lambda: headers(b"{ }"), id="another body"),
    ],
)
def test_it_believes_nothing_else(documented_ticketing: ModuleType, changes: Callable[[], dict[str, str]]) -> None:
    assert not documented_ticketing.is_genuine([OURS], {**headers(b"{}"), **changes()}, b"{}")


def test_it_knows_the_same_in_whatever_order_and_however_often_it_is_told(documented_ticketing: ModuleType) -> None:
    tickets = documented_ticketing.Tickets()
    for number in (3, 1, 2, 3, 1):
        tickets.take(json.loads(json.dumps(phase(number))))

    assert tickets.history("r") == [phase(1), phase(2), phase(3)]


def test_of_doubles_the_first_counts(documented_ticketing: ModuleType) -> None:
    """What is told late, because the queue was away, has no message; it may have been told before with one."""
    tickets = documented_ticketing.Tickets()
    tickets.take({**phase(1), "told": "first"})
    tickets.take(phase(1))

    assert tickets.history("r") == [{**phase(1), "told": "first"}]


def test_it_waits_for_what_is_missing(documented_ticketing: ModuleType) -> None:
    tickets = documented_ticketing.Tickets()
    tickets.take(phase(1))
    tickets.take(phase(3))

    assert tickets.history("r") == [phase(1)]


def test_a_corrected_request_is_another_restore(documented_ticketing: ModuleType) -> None:
    tickets = documented_ticketing.Tickets()
    for event in (phase(1, day=2), phase(1), phase(2)):
        tickets.take(event)

    assert tickets.history("r") == [phase(1, day=2)]


def test_of_what_it_does_not_know_it_makes_nothing(documented_ticketing: ModuleType) -> None:
    tickets = documented_ticketing.Tickets()
    tickets.take({"type": "flexrestore.something.new", "subject": "r"})

    assert tickets.history("r") == []


DEADLINE = {"approval": {"deadline": "2026-04-02T02:30:00Z", "decision": None}}


def in_phase(number: int, name: str) -> dict[str, Any]:
    event = phase(number)
    return {**event, "data": {**event["data"], "phase": name, **DEADLINE}}


def test_it_knows_until_when_a_restore_waits_for_approval(documented_ticketing: ModuleType) -> None:
    tickets = documented_ticketing.Tickets()
    tickets.take(in_phase(2, "AwaitingApproval"))
    assert tickets.deadline("r") is None, "what came before is not known yet"
    tickets.take(in_phase(1, "Accepted"))

    assert tickets.deadline("r") == datetime(2026, 4, 2, 2, 30, tzinfo=UTC)


def test_what_waits_no_longer_has_no_deadline(documented_ticketing: ModuleType) -> None:
    tickets = documented_ticketing.Tickets()
    for number, name in enumerate(("Accepted", "AwaitingApproval", "AwaitingLanding"), start=1):
        tickets.take(in_phase(number, name))

    assert tickets.deadline("r") is None
    assert tickets.deadline("another") is None


class Api(ThreadingHTTPServer):
    """As much of the app's HTTP API as a decision needs; see docs/api.md."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[tuple[str, str, Statement]] = []
        self.stands = Decision(
            verdict=Verdict.APPROVED, by="first", reason="drill", at=datetime(2026, 4, 1, tzinfo=UTC)
        )


class _Handler(BaseHTTPRequestHandler):
    server: Api

    def do_POST(self) -> None:
        said = Statement.from_wire(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.asked.append((self.path, self.headers["x-functions-key"], said))
        self.send_response(200 if self.path.endswith("/approve") else 409)
        self.end_headers()
        self.wfile.write(json.dumps(Decided(request_id="r", decision=self.server.stands).to_wire()).encode())

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_it_approves_with_who_and_why_and_learns_which_decision_stands(
    documented_ticketing: ModuleType, api: Api
) -> None:
    decision = documented_ticketing.decide(api.url, "key", "r", "approve", "dba", "drill")

    assert api.asked == [("/api/restores/r/approve", "key", Statement(by="dba", reason="drill"))]
    assert decision == api.stands.to_wire()


def test_an_answer_that_comes_too_late_is_an_error(documented_ticketing: ModuleType, api: Api) -> None:
    with pytest.raises(HTTPError) as refused:
        documented_ticketing.decide(api.url, "key", "r", "reject", "dba", "not tonight")

    refused.value.close()
    assert refused.value.code == 409
    assert api.asked[0][0] == "/api/restores/r/reject"
