"""Approve, reject and cancel at the moments when they can go wrong: each has one answer."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest

from activities.decisions import check_approval, close_restore
from shared.contracts.decisions import Approval
from shared.contracts.progress import Phase, RestoreProgress
from triggers.http import decisions
from triggers.http.answers import Handler, answering

pytestmark = pytest.mark.usefixtures("app")
NOW = datetime.now(UTC)
SOON, LATE = NOW + timedelta(hours=1), NOW - timedelta(seconds=1)


@dataclass
class Status:
    """What the engine says of an instance."""

    custom_status: dict[str, Any]
    runtime_status: Any = df.OrchestrationRuntimeStatus.Running
    output: Any = None


@dataclass
class Client:
    """The durable client of one restore; nothing sleeps for it, so waking fails as it does in Azure."""

    progress: RestoreProgress | None
    woken: list[str] = field(default_factory=list)

    async def get_status(self, _instance_id: str, **_options: bool) -> Status | None:
        return Status(self.progress.to_wire()) if self.progress else None

    async def raise_event(self, instance_id: str, _name: str, _data: Any) -> None:
        self.woken.append(instance_id)
        raise Exception(f"No instance with ID {instance_id} found.")  # noqa: TRY002 -- as the SDK does


def waiting(deadline: datetime = SOON) -> Client:
    return Client(RestoreProgress(phase=Phase.AWAITING_APPROVAL, approval=Approval(deadline=deadline)))


def say(handler: Handler, client: Client, by: str = "lead", reason: str = "read it") -> tuple[int, dict[str, Any]]:
    """What a person is answered."""
    body = json.dumps({"by": by, "reason": reason}).encode()
    request = func.HttpRequest("POST", "http://x/api/restores/r", route_params={"requestId": "r"}, body=body)
    answer = asyncio.run(answering(handler)(request, client))
    return answer.status_code, json.loads(answer.get_body())


def approve(client: Client, by: str = "lead") -> tuple[int, dict[str, Any]]:
    return say(decisions.post_approve, client, by)


def reject(client: Client, by: str = "lead") -> tuple[int, dict[str, Any]]:
    return say(decisions.post_reject, client, by)


def cancel(client: Client, by: str = "lead") -> tuple[int, dict[str, Any]]:
    return say(decisions.post_cancel, client, by)


def look(deadline: datetime) -> dict[str, Any]:
    """What the restore sees when it looks."""
    answer = check_approval({"requestId": "r", "deadline": deadline.isoformat()})
    value: dict[str, Any] = answer["value"]
    return value


def test_an_approval_is_what_the_restore_sees() -> None:
    assert not look(SOON)["ended"]
    assert approve(waiting())[0] == 200

    assert look(SOON)["value"]["verdict"] == "approved"


def test_whoever_sleeps_is_woken_and_who_does_not_is_no_error() -> None:
    client = waiting()
    approve(client)

    assert "r:approval" in client.woken


def test_an_approval_after_the_deadline_is_none_though_the_restore_has_not_looked_yet() -> None:
    status, told = approve(waiting(LATE))

    assert status == 409
    assert "that is over" in told["detail"]
    assert look(LATE)["value"]["verdict"] == "expired"


def test_after_the_deadline_was_seen_nobody_decides() -> None:
    look(LATE)
    status, told = approve(waiting())

    assert status == 409
    assert "Nobody decided" in told["detail"]


def test_an_approval_in_time_stands_though_the_restore_looks_after_the_deadline() -> None:
    approve(waiting())

    assert look(LATE)["value"]["verdict"] == "approved"


def test_the_first_of_two_decisions_stands() -> None:
    first, second, third = reject(waiting(), "a"), reject(waiting(), "b"), approve(waiting(), "c")

    assert [first[0], second[0], third[0]] == [200, 200, 409]
    assert first[1]["decision"]["by"] == second[1]["decision"]["by"] == "a"
    assert "a has rejected restore r" in third[1]["detail"]


def test_what_was_cancelled_is_not_approved() -> None:
    assert cancel(waiting(), "dba")[0] == 202
    status, told = approve(waiting())

    assert status == 409
    assert "dba has cancelled it" in told["detail"]


def test_who_cancels_second_is_told_who_was_first() -> None:
    cancel(waiting(), "first")
    status, told = cancel(waiting(), "second")

    assert (status, told["by"]) == (202, "first")


def test_a_restore_that_is_ending_is_not_cancelled() -> None:
    """Its last phase is not shown yet, but its end is settled."""
    close_restore({"requestId": "r"})

    assert cancel(Client(RestoreProgress(phase=Phase.VERIFYING)))[0] == 409


def test_a_restore_that_was_cancelled_ends_so() -> None:
    cancel(Client(RestoreProgress(phase=Phase.VERIFYING)), "dba")

    assert close_restore({"requestId": "r"})["value"]["cancelled"] == {"by": "dba", "reason": "read it"}


@pytest.mark.parametrize("handler", [decisions.post_approve, decisions.post_reject, decisions.post_cancel])
@pytest.mark.parametrize("phase", [phase for phase in Phase if phase.is_terminal])
def test_nothing_is_decided_of_what_has_ended(handler: Handler, phase: Phase) -> None:
    status, told = say(handler, Client(RestoreProgress(phase=phase)))

    assert status == 409
    assert phase.value in told["detail"]


@pytest.mark.parametrize("handler", [decisions.post_approve, decisions.post_reject, decisions.post_cancel])
def test_a_restore_that_is_not_there_is_not_found(handler: Handler) -> None:
    assert say(handler, Client(None))[0] == 404


@pytest.mark.parametrize("phase", [phase for phase in Phase if not phase.is_terminal])
def test_a_cancel_says_what_it_stops_and_what_it_cannot(phase: Phase) -> None:
    status, told = cancel(Client(RestoreProgress(phase=phase, job="571e")))

    assert status == 202
    assert ("571e runs to its end" in told["message"]) == (phase is Phase.RESTORING)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"by": "", "reason": "x"}', b'{"by": "x"}', b"[]", b"no"])
def test_a_decision_without_who_and_why_is_none(body: bytes) -> None:
    request = func.HttpRequest("POST", "http://x/api/restores/r", route_params={"requestId": "r"}, body=body)

    assert asyncio.run(answering(decisions.post_approve)(request, waiting())).status_code == 400
    assert not look(SOON)["ended"]
