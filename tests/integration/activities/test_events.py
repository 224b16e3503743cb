"""`publish_phase`: each phase is told to the queue and offered to the webhook, and no secret is told to the log."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from azure.storage.queue import QueueServiceClient

from activities.events import publish_phase
from local.environment import Services
from local.servers.ports import free_port
from shared.contracts.outcome import Failure
from shared.contracts.progress import Phase, PhaseEntry, RestoreProgress
from shared.storage import events as outgoing
from shared.topology import EVENT_QUEUE

SECRET = "sig-that-nobody-may-read"
ENTERED = (
    PhaseEntry(phase=Phase.ACCEPTED, at="2026-04-01T02:30:00+00:00"),
    PhaseEntry(phase=Phase.REJECTED, at="2026-04-01T02:31:00+00:00"),
)
type Configure = Callable[..., None]


class Webhook(ThreadingHTTPServer):
    """A ticketing system's own endpoint; it answers what it was told to, and 204 from then on."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[int] = []
        self.received: list[tuple[str, str, dict[str, Any]]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook?code={SECRET}"


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((self.path, self.headers["Content-Type"], body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def webhook(app: Services, configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:  # noqa: ARG001 -- settings first
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        configure(FLEX_RESTORE_WEBHOOK_URL=server.url)
        monkeypatch.setattr(outgoing, "_PAUSES", (0.0,) * len(outgoing._PAUSES))
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def events(app: Services) -> Callable[[], list[dict[str, Any]]]:
    """The events in the queue."""

    def events() -> list[dict[str, Any]]:
        with QueueServiceClient.from_connection_string(app.azurite.connection_string) as service:
            messages = service.get_queue_client(EVENT_QUEUE).receive_messages(visibility_timeout=60)
            return [json.loads(message.content) for message in messages]

    return events


def subject(**changes: Any) -> dict[str, Any]:
    progress = RestoreProgress(phase=Phase.REJECTED, message="the request is wrong", phases=ENTERED, **changes)
    return {"requestId": "r", "progress": progress.to_wire()}


def test_the_phase_that_was_entered_last_is_told_as_a_cloud_event(events: Callable[[], list[dict[str, Any]]]) -> None:
    failure = Failure(code="RequestRejected", message="no", details=("target: is missing",))
    assert publish_phase(subject(errors=(failure,), container="landing-1", job="571e"))["ok"]

    [event] = events()
    assert {name: event[name] for name in ("specversion", "id", "type", "source", "subject", "time")} == {
        "specversion": "1.0",
        "id": "r/2-Rejected",
        "type": "flexrestore.phase",
        "source": "/flex-restore",
        "subject": "r",
        "time": "2026-04-01T02:31:00+00:00",
    }
    assert event["data"] == {
        "phase": "Rejected",
        "message": "the request is wrong",
        "errors": [failure.to_wire()],
        "container": "landing-1",
        "job": "571e",
    }


def test_a_repeated_event_has_the_same_id(events: Callable[[], list[dict[str, Any]]]) -> None:
    publish_phase(subject())
    publish_phase(subject())

    assert [event["id"] for event in events()] == ["r/2-Rejected"] * 2


def test_a_queue_that_is_not_there_is_made(app: Services, events: Callable[[], list[dict[str, Any]]]) -> None:
    with QueueServiceClient.from_connection_string(app.azurite.connection_string) as service:
        if EVENT_QUEUE in {queue.name for queue in service.list_queues()}:
            service.delete_queue(EVENT_QUEUE)

    assert publish_phase(subject())["ok"]
    assert len(events()) == 1


def test_an_event_that_no_message_holds_is_cut_and_still_told(events: Callable[[], list[dict[str, Any]]]) -> None:
    failures = tuple(Failure(code="X", message="ü" * 4_000) for _ in range(20))
    assert publish_phase(subject(errors=failures))["ok"]

    [event] = events()
    assert event["id"] == "r/2-Rejected"
    assert "characters left out" in event["data"]["cut"]


def test_the_webhook_gets_what_the_queue_gets(webhook: Webhook, events: Callable[[], list[dict[str, Any]]]) -> None:
    publish_phase(subject())

    [(path, kind, body)] = webhook.received
    assert path == f"/hook?code={SECRET}"
    assert kind == "application/cloudevents+json"
    assert [body] == events()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_webhook_that_fails_once_is_offered_the_event_again(
    webhook: Webhook, events: Callable[[], list[dict[str, Any]]], status: int
) -> None:
    webhook.answers = [status]
    assert publish_phase(subject())["ok"]

    assert [body["id"] for _, _, body in webhook.received] == ["r/2-Rejected"] * 2
    assert len(events()) == 1


@pytest.mark.parametrize("answers", [[404], [500] * 9], ids=["refuses", "keeps failing"])
def test_a_webhook_that_does_not_take_it_stops_nothing_and_is_told_in_the_log(
    webhook: Webhook,
    events: Callable[[], list[dict[str, Any]]],
    caplog: pytest.LogCaptureFixture,
    answers: list[int],
) -> None:
    webhook.answers = answers
    assert publish_phase(subject())["ok"]

    assert len(events()) == 1
    assert "the webhook did not take event r/2-Rejected" in caplog.text


@pytest.mark.parametrize("answers", [[], [500], [404], [500] * 9, None], ids=str)
def test_no_log_line_tells_the_webhooks_address(
    webhook: Webhook, configure: Configure, caplog: pytest.LogCaptureFixture, answers: list[int] | None
) -> None:
    """The key of a webhook stands in its address. Without answers there is nobody at the address."""
    caplog.set_level(logging.INFO)
    webhook.answers = answers or []
    if answers is None:
        configure(FLEX_RESTORE_WEBHOOK_URL=f"http://127.0.0.1:{free_port()}/hook?code={SECRET}")

    assert publish_phase(subject())["ok"]
    assert SECRET not in caplog.text
