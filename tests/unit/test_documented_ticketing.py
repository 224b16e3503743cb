"""The ticketing system of docs/events.md: what it believes, and what it makes of doubles, order and gaps.

tests/e2e/test_restore.py runs it against the app.
"""

import json
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

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
