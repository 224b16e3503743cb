"""`publish_phase`: each phase is told to the queue, in order, and with an id that stays."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.storage.queue import QueueServiceClient
from jsonschema import Draft202012Validator

from activities.events import publish_phase
from local.environment import Services
from shared.contracts.decisions import Approval, Decision, Statement, Verdict
from shared.contracts.events import PhaseEntered
from shared.contracts.outcome import Failure
from shared.contracts.progress import Phase, PhaseEntry, RestoreProgress
from shared.telemetry import delivery
from shared.telemetry.metrics import RESTORES
from shared.topology import EVENT_QUEUE

ENTERED = (
    PhaseEntry(phase=Phase.ACCEPTED, at="2026-04-01T02:30:00+00:00"),
    PhaseEntry(phase=Phase.REJECTED, at="2026-04-01T02:31:00+00:00"),
)


@pytest.fixture
def events(app: Services, event_schema: Draft202012Validator) -> Callable[[], list[dict[str, Any]]]:
    """The events in the queue, each as the published schema says."""

    def events() -> list[dict[str, Any]]:
        with QueueServiceClient.from_connection_string(app.azurite.connection_string) as service:
            messages = service.get_queue_client(EVENT_QUEUE).receive_messages(visibility_timeout=60)
            found = [json.loads(message.content) for message in messages]
        for event in found:
            event_schema.validate(event)
        return found

    return events


def subject(*, told: int = 1, phases: tuple[PhaseEntry, ...] = ENTERED, **changes: Any) -> dict[str, Any]:
    progress = RestoreProgress(phase=Phase.REJECTED, message="the request is wrong", phases=phases, **changes)
    return {"requestId": "r", "told": told, "progress": progress.to_wire(), "about": {}}


def test_the_phase_that_was_entered_last_is_told_as_a_cloud_event(events: Callable[[], list[dict[str, Any]]]) -> None:
    failure = Failure(code="RequestRejected", message="no", details=("target: is missing",))
    assert publish_phase(
        subject(errors=(failure,), container="landing-1", job="571e", report={"page": "https://x/report.html"})
    )["ok"]

    [event] = events()
    assert event == {
        "specversion": "1.0",
        "id": event["id"],
        "type": "flexrestore.phase",
        "source": "/flex-restore",
        "subject": "r",
        "time": "2026-04-01T02:31:00Z",
        "datacontenttype": "application/json",
        "sequence": "000002",
        "data": {
            "phase": "Rejected",
            "message": "the request is wrong",
            "startedAt": "2026-04-01T02:30:00Z",
            "errors": [failure.to_wire()],
            "container": "landing-1",
            "job": "571e",
            "report": {"page": "https://x/report.html"},
            "approval": None,
            "cancelled": None,
        },
    }


def test_a_repeated_event_has_the_same_id(events: Callable[[], list[dict[str, Any]]]) -> None:
    publish_phase(subject())
    publish_phase(subject())

    first, second = events()
    assert first == second


def test_a_repeated_activity_counts_and_tells_nothing_again(
    app: Services,  # noqa: ARG001 -- settings first
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(delivery, "send", told.append)
    publish_phase(subject())
    publish_phase(subject())

    counted = [one.value for one in told if getattr(one, "instrument", None) is RESTORES]
    spans = [one for one in told if getattr(one, "name", "") in {"Accepted", "restore"}]
    assert counted == [1]
    assert [span.name for span in spans] == ["Accepted", "restore"]


def test_a_corrected_request_under_its_old_id_has_events_of_its_own(
    events: Callable[[], list[dict[str, Any]]],
) -> None:
    again = tuple(entry.model_copy(update={"at": entry.at.replace("04-01", "04-02")}) for entry in ENTERED)
    publish_phase(subject())
    publish_phase(subject(phases=again))

    first, second = events()
    assert first["sequence"] == second["sequence"]
    assert first["id"] != second["id"]
    assert first["data"]["startedAt"] < second["data"]["startedAt"]


def test_a_phase_that_could_not_be_told_is_told_with_the_next_one_without_a_gap(
    events: Callable[[], list[dict[str, Any]]],
) -> None:
    failure = Failure(code="RequestRejected", message="no")
    publish_phase(subject(told=0, errors=(failure,)))

    told = [(event["sequence"], event["data"]["phase"], event["data"]["errors"]) for event in events()]
    assert told == [("000001", "Accepted", []), ("000002", "Rejected", [failure.to_wire()])]


def test_who_waits_for_approval_tells_until_when(events: Callable[[], list[dict[str, Any]]]) -> None:
    publish_phase(subject(approval=Approval(deadline=datetime(2026, 4, 2, 2, 31, tzinfo=UTC))))

    [event] = events()
    assert event["data"]["approval"] == {"deadline": "2026-04-02T02:31:00Z", "decision": None}


@pytest.mark.parametrize("verdict", Verdict)
def test_a_decision_is_told_with_who_and_why(events: Callable[[], list[dict[str, Any]]], verdict: Verdict) -> None:
    decision = Decision(verdict=verdict, by="dba", reason="not tonight", at=datetime(2026, 4, 1, 9, tzinfo=UTC))
    publish_phase(subject(approval=Approval(deadline=datetime(2026, 4, 2, 2, 31, tzinfo=UTC), decision=decision)))

    [event] = events()
    assert event["data"]["approval"]["decision"] == {
        "verdict": verdict,
        "by": "dba",
        "reason": "not tonight",
        "at": "2026-04-01T09:00:00Z",
    }


def test_a_cancelled_restore_tells_by_whom_and_why(events: Callable[[], list[dict[str, Any]]]) -> None:
    publish_phase(subject(cancellation=Statement(by="dba", reason="wrong server")))

    [event] = events()
    assert event["data"]["cancelled"] == {"by": "dba", "reason": "wrong server"}


def test_a_queue_that_is_not_there_is_made(app: Services, events: Callable[[], list[dict[str, Any]]]) -> None:
    with QueueServiceClient.from_connection_string(app.azurite.connection_string) as service:
        if EVENT_QUEUE in {queue.name for queue in service.list_queues()}:
            service.delete_queue(EVENT_QUEUE)

    assert publish_phase(subject())["ok"]
    assert len(events()) == 1


@pytest.mark.parametrize("sign", ["x", "ü", "\N{RESTROOM}"])
def test_an_event_that_no_message_holds_is_cut_and_keeps_its_form(
    events: Callable[[], list[dict[str, Any]]], sign: str
) -> None:
    failures = tuple(Failure(code="X", message=sign * 4_000, details=(sign * 600,) * 50) for _ in range(20))
    assert publish_phase(subject(errors=failures))["ok"]

    [event] = events()
    assert len(json.dumps(event)) <= 48_000
    assert PhaseEntered.from_wire(event).sequence == "000002"
    assert event["data"]["message"] == "the request is wrong"
    assert "characters left out" in event["data"]["errors"][0]["message"]


def test_a_webhook_that_is_wrongly_configured_keeps_no_event_from_the_queue(
    events: Callable[[], list[dict[str, Any]]], configure: Callable[..., None]
) -> None:
    configure(FLEX_RESTORE_WEBHOOK_URL="https://nobody.example")

    assert publish_phase(subject())["error"]["code"] == "Misconfigured"
    assert len(events()) == 1
