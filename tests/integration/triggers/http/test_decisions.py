"""Approve, reject and cancel at the moments when they can go wrong: each has one answer."""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest

from activities.decisions import check_approval, close_restore
from shared.contracts.access import Right
from shared.contracts.decisions import Approval
from shared.contracts.progress import Phase, RestoreProgress
from triggers.http import decisions, restores
from triggers.http.access import PRINCIPAL
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
    input_: Any = None


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


def spoken(body: bytes) -> func.HttpRequest:
    headers = {"Content-Type": "application/json"}
    return func.HttpRequest(
        "POST", "http://x/api/restores/r", headers=headers, route_params={"requestId": "r"}, body=body
    )


def say(handler: Handler, client: Client, by: str = "lead", reason: str = "read it") -> tuple[int, dict[str, Any]]:
    """What a person is answered."""
    body = json.dumps({"by": by, "reason": reason}).encode()
    request = spoken(body)
    answer = asyncio.run(answering(handler, Right.READ)(request, client))
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

    assert close_restore({"requestId": "r"})["value"]["cancelled"] == {
        "by": "dba",
        "reason": "read it",
        "objectId": "",
    }


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
    request = spoken(body)

    assert asyncio.run(answering(decisions.post_approve, Right.APPROVE)(request, waiting())).status_code == 400
    assert not look(SOON)["ended"]


TENANT = "11111111-2222-3333-4444-555555555555"
ANNA, BERT = ("0a", "anna@example.org"), ("0b", "bert@example.org")
type Person = tuple[str, str]


@pytest.fixture
def entra(app: object, configure: Callable[..., None]) -> None:  # noqa: ARG001 -- its settings first
    """People sign in, and the platform vouches for them."""
    configure(WEBSITE_AUTH_ENABLED="True", FLEX_RESTORE_AUTHENTICATION="entra", FLEX_RESTORE_TENANT=TENANT)


@dataclass
class Engine:
    """The durable client of an engine that keeps what a restore was started with."""

    inputs: dict[str, Any] = field(default_factory=dict)

    async def get_status(self, instance_id: str, **_options: bool) -> Status | None:
        if instance_id not in self.inputs:
            return None
        waits = RestoreProgress(phase=Phase.AWAITING_APPROVAL, approval=Approval(deadline=SOON))
        return Status(waits.to_wire(), input_=json.dumps(self.inputs[instance_id]))

    async def start_new(self, _orchestrator: str, instance_id: str, subject: Any) -> None:
        self.inputs[instance_id] = subject

    async def raise_event(self, *_: Any) -> None:
        """Nobody sleeps."""


def signed_in(person: Person, handler: Handler, needs: Right, engine: Engine, body: Any) -> tuple[int, dict[str, Any]]:
    """What somebody with all rights is answered, about the restore r."""
    object_id, name = person
    said = {"oid": object_id, "tid": TENANT, "preferred_username": name}
    claims = [{"typ": kind, "val": value} for kind, value in said.items()]
    claims += [{"typ": "roles", "val": right} for right in Right]
    principal = base64.b64encode(json.dumps({"auth_typ": "aad", "claims": claims}).encode()).decode()
    headers = {"Content-Type": "application/json", PRINCIPAL: principal}
    request = func.HttpRequest(
        "POST",
        "http://x/api/restores",
        headers=headers,
        route_params={"requestId": "r"},
        body=json.dumps(body).encode(),
    )
    answer = asyncio.run(answering(handler, needs)(request, engine))
    return answer.status_code, json.loads(answer.get_body())


def ask(person: Person, engine: Engine, **more: Any) -> tuple[int, dict[str, Any]]:
    body = {"requestId": "r", "source": {"backupInstance": "orders"}, "target": "drill", **more}
    return signed_in(person, restores.post_restore, Right.START, engine, body)


def decide(person: Person, engine: Engine, handler: Handler, **said: Any) -> tuple[int, dict[str, Any]]:
    return signed_in(person, handler, Right.APPROVE, engine, {"reason": "read it", **said})


@pytest.mark.usefixtures("entra")
def test_nobody_approves_a_request_of_their_own() -> None:
    """It is the object id that counts: a person may be renamed. Another one may approve it."""
    engine = Engine()
    assert ask(ANNA, engine)[0] == 202
    renamed = ("0a", "anna.married@example.org")
    status, told = decide(renamed, engine, decisions.post_approve, by="bert@example.org")

    assert (status, told["code"]) == (403, "NotAllowed")
    assert not look(SOON)["ended"]
    assert decide(BERT, engine, decisions.post_approve)[0] == 200
    assert look(SOON)["value"] | {"at": ""} == {
        "verdict": "approved", "by": "bert@example.org", "reason": "read it", "objectId": "0b", "at": "",
    }  # fmt: skip
    assert decide(ANNA, engine, decisions.post_approve)[0] == 403


@pytest.mark.usefixtures("entra")
def test_who_asked_may_reject() -> None:
    engine = Engine()
    ask(ANNA, engine)

    assert decide(ANNA, engine, decisions.post_reject)[0] == 200


@pytest.mark.usefixtures("entra")
def test_for_whom_a_program_asks_does_not_approve_it_either() -> None:
    engine = Engine()
    ask(("0c", "ticketing"), engine, requestedBy="Anna@Example.org")

    assert engine.inputs["r"]["request"]["requestedBy"] == "ticketing for Anna@Example.org"
    assert decide(ANNA, engine, decisions.post_approve)[0] == 403
    assert decide(BERT, engine, decisions.post_approve)[0] == 200


@pytest.mark.usefixtures("entra")
def test_whom_a_message_names_as_its_requester_does_not_approve_it() -> None:
    engine = Engine({"r": {"request": {"requestId": "r", "requestedBy": " ANNA@example.org"}}})

    assert decide(ANNA, engine, decisions.post_approve)[0] == 403
    assert decide(BERT, engine, decisions.post_approve)[0] == 200


@pytest.mark.usefixtures("entra")
def test_the_operator_may_let_people_approve_their_own_requests(configure: Callable[..., None]) -> None:
    configure(FLEX_RESTORE_FOUR_EYES="false")
    engine = Engine()
    ask(ANNA, engine)

    assert decide(ANNA, engine, decisions.post_approve)[0] == 200


@pytest.mark.usefixtures("entra")
def test_who_says_something_is_whom_entra_knows_and_not_whom_they_name() -> None:
    engine = Engine()
    ask(ANNA, engine, requestedBy="the boss")
    assert engine.inputs["r"]["request"]["requestedBy"] == "anna@example.org for the boss"
    assert engine.inputs["r"]["requester"]["objectId"] == "0a"

    status, told = signed_in(BERT, decisions.post_cancel, Right.START, engine, {"by": "the boss", "reason": "no"})
    assert (status, told["by"]) == (202, "bert@example.org for the boss")


@pytest.mark.usefixtures("entra")
def test_the_same_request_of_the_same_person_is_one_and_of_another_is_refused() -> None:
    engine = Engine()
    assert [ask(ANNA, engine)[0], ask(ANNA, engine)[0]] == [202, 202]
    assert ask(BERT, engine)[0] == 409


def test_with_a_key_a_forged_principal_says_nothing() -> None:
    engine = Engine()
    ask(ANNA, engine)

    assert "requester" not in engine.inputs["r"]
    assert decide(ANNA, engine, decisions.post_approve)[0] == 400  # it does not say who it is
    assert decide(ANNA, engine, decisions.post_approve, by="anna")[0] == 200
    assert look(SOON)["value"]["objectId"] == ""
