"""Events on their way to the webhook: signed, tried again later, put aside at last, and holding nobody."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import azure.functions as func
import pytest
from azure.storage.queue import QueueClient

from activities.events import publish_phase
from local.servers.azurite import Azurite
from local.servers.ports import free_port
from shared.contracts.progress import Phase, PhaseEntry, RestoreProgress
from shared.storage import events as outgoing
from shared.topology import EVENT_QUEUE, WEBHOOK_QUEUE
from triggers.webhook import delivery_due

ADDRESS_KEY = "sig-that-nobody-may-read"
KEYS = (bytes(range(32)), bytes(range(32, 64)))
SECRETS = " ".join(f"whsec_{base64.b64encode(key).decode()}" for key in KEYS)
POISON = f"{WEBHOOK_QUEUE}-poison"
type Configure = Callable[..., None]
type Take = Callable[[str], list[dict[str, Any]]]


class Webhook(ThreadingHTTPServer):
    """A ticketing system's own endpoint; it answers what it was told to, and 204 from then on."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[int] = []
        self.answering = threading.Event()
        self.answering.set()
        self.received: list[tuple[str, Any, bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook?code={ADDRESS_KEY}"


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.received.append((self.path, self.headers, body))
        self.server.answering.wait(30)
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def webhook(storage: object, configure: Configure) -> Iterator[Webhook]:  # noqa: ARG001 -- settings first
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        configure(
            FLEX_RESTORE_VAULT="/subscriptions/s/resourceGroups/g/providers/p/backupVaults/v",
            FLEX_RESTORE_LANDING_ACCOUNT="/subscriptions/s/providers/p/storageAccounts/a",
            FLEX_RESTORE_WEBHOOK_URL=server.url,
            FLEX_RESTORE_WEBHOOK_HOSTS='["127.0.0.1"]',
            FLEX_RESTORE_WEBHOOK_SECRETS=SECRETS,
        )
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def take(azurite: Azurite) -> Take:
    """Take what can be seen in a queue."""

    def take(name: str) -> list[dict[str, Any]]:
        with QueueClient.from_connection_string(azurite.connection_string, name) as queue:
            found = list(queue.receive_messages(visibility_timeout=60))
            for message in found:
                queue.delete_message(message)
            return [json.loads(message.content) for message in found]

    return take


@pytest.fixture
def waiting(azurite: Azurite) -> Callable[[], int]:
    """The number of messages for the webhook, those that are hidden until later included."""

    def waiting() -> int:
        with QueueClient.from_connection_string(azurite.connection_string, WEBHOOK_QUEUE) as queue:
            return queue.get_queue_properties().approximate_message_count or 0

    return waiting


@pytest.fixture
def deliver(take: Take) -> Callable[[], int]:
    """Do what the host does: hand the messages to the function; how many there were."""

    def deliver() -> int:
        messages = take(WEBHOOK_QUEUE)
        for message in messages:
            asyncio.run(delivery_due(func.QueueMessage(id="m", body=json.dumps(message))))
        return len(messages)

    return deliver


def publish(request_id: str = "r") -> None:
    phases = (PhaseEntry(phase=Phase.ACCEPTED, at="2026-04-01T02:30:00+00:00"),)
    progress = RestoreProgress(phase=Phase.ACCEPTED, message="ümläut", phases=phases)
    assert publish_phase({"requestId": request_id, "told": 0, "progress": progress.to_wire()})["ok"]


def test_a_restore_does_not_wait_for_the_webhook(webhook: Webhook, waiting: Callable[[], int]) -> None:
    publish()

    assert webhook.received == []
    assert waiting() == 1


def test_a_webhook_that_does_not_answer_takes_no_thread_of_a_restore(
    webhook: Webhook, wait: Callable[..., Any]
) -> None:
    """However many events wait for it: the pool that triggers read storage with is free."""
    message = func.QueueMessage(id="m", body=json.dumps({"event": {"id": "i", "subject": "s"}}))
    webhook.answering.clear()

    async def deliver_and_work() -> None:
        deliveries = asyncio.gather(*(delivery_due(message) for _ in range(40)))
        try:
            await asyncio.sleep(0)
            async with asyncio.timeout(10):
                await asyncio.to_thread(wait, lambda: webhook.received, "the first offer")
        finally:
            webhook.answering.set()
            await deliveries

    asyncio.run(deliver_and_work())
    assert len(webhook.received) == 40


def test_the_webhook_gets_what_the_queue_gets_once(
    webhook: Webhook, deliver: Callable[[], int], take: Take, waiting: Callable[[], int]
) -> None:
    publish()
    deliver()

    [(path, headers, body)] = webhook.received
    assert path == f"/hook?code={ADDRESS_KEY}"
    assert headers["Content-Type"] == "application/cloudevents+json"
    assert [json.loads(body)] == take(EVENT_QUEUE)
    assert waiting() == 0


def test_each_secret_signs_id_time_and_body(webhook: Webhook, deliver: Callable[[], int]) -> None:
    publish()
    deliver()

    [(_, headers, body)] = webhook.received
    assert headers["webhook-id"] == json.loads(body)["id"]
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in KEYS]
    assert headers["webhook-signature"] == f"v1,{wanted[0]} v1,{wanted[1]}"


@pytest.mark.parametrize("status", [307, 302, 400, 404, 429, 500, 503])
def test_what_it_does_not_take_is_put_off_and_no_redirect_is_followed(
    webhook: Webhook, deliver: Callable[[], int], waiting: Callable[[], int], status: int
) -> None:
    webhook.answers = [status]
    publish()
    deliver()

    assert len(webhook.received) == 1
    assert deliver() == 0, "it is hidden for now"
    assert waiting() == 1


def test_it_is_offered_again_and_put_aside_after_the_last_try(
    webhook: Webhook,
    deliver: Callable[[], int],
    take: Take,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(outgoing, "PAUSES", (0, 0))
    webhook.answers = [500] * 9
    publish()
    assert [deliver() for _ in range(4)] == [1, 1, 1, 0]

    [event] = take(EVENT_QUEUE)
    assert [json.loads(body) for _, _, body in webhook.received] == [event] * 3
    assert take(POISON) == [{"event": event, "tries": 0}]
    assert f"did not take event {event['id']} about r in 3 tries: status 500" in caplog.text


def test_an_event_that_it_never_wants_is_put_aside_at_once(
    webhook: Webhook, deliver: Callable[[], int], take: Take, waiting: Callable[[], int]
) -> None:
    webhook.answers = [410]
    publish()
    deliver()

    assert len(take(POISON)) == 1
    assert waiting() == 0


def test_one_that_it_does_not_take_holds_up_no_other(webhook: Webhook, deliver: Callable[[], int]) -> None:
    webhook.answers = [500]
    publish("one")
    publish("two")
    deliver()
    deliver()

    assert [json.loads(body)["subject"] for _, _, body in webhook.received] == ["one", "two"]


def test_an_event_for_a_webhook_that_is_no_longer_configured_is_dropped_and_logged(
    webhook: Webhook,
    configure: Configure,
    deliver: Callable[[], int],
    waiting: Callable[[], int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    publish()
    configure(FLEX_RESTORE_WEBHOOK_URL="")
    deliver()

    assert webhook.received == []
    assert waiting() == 0
    assert "is not delivered" in caplog.text


@pytest.mark.parametrize("answers", [[], [500], [410], [307], None], ids=str)
def test_no_log_line_tells_the_webhooks_address_or_a_secret(
    webhook: Webhook,
    configure: Configure,
    deliver: Callable[[], int],
    caplog: pytest.LogCaptureFixture,
    answers: list[int] | None,
) -> None:
    """The key of a webhook stands in its address. Without answers there is nobody at the address."""
    caplog.set_level(logging.DEBUG)
    webhook.answers = list(answers or [])
    if answers is None:
        configure(FLEX_RESTORE_WEBHOOK_URL=f"http://127.0.0.1:{free_port()}/hook?code={ADDRESS_KEY}")
    publish()
    assert deliver() == 1

    assert ("the webhook did not take" in caplog.text) is (answers != [])
    assert ADDRESS_KEY not in caplog.text
    assert not [secret for secret in SECRETS.split() if secret in caplog.text]
