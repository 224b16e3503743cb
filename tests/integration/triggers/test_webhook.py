"""Events on their way to webhooks: signed, tried again later, put aside at last, and holding nobody."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import azure.functions as func
import pytest
from azure.storage.queue import QueueClient
from jsonschema import Draft202012Validator

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
        self.retry_after = ""
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
        if self.server.retry_after:
            self.send_header("Retry-After", self.server.retry_after)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def running() -> Iterator[Webhook]:
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def webhook(storage: object, configure: Configure) -> Iterator[Webhook]:  # noqa: ARG001 -- settings first
    """The default webhook."""
    with running() as server:
        configure(
            FLEX_RESTORE_VAULT="/subscriptions/s/resourceGroups/g/providers/p/backupVaults/v",
            FLEX_RESTORE_LANDING_ACCOUNT="/subscriptions/s/providers/p/storageAccounts/a",
            FLEX_RESTORE_WEBHOOK_URL=server.url,
            FLEX_RESTORE_WEBHOOK_HOSTS='["127.0.0.1"]',
            FLEX_RESTORE_WEBHOOK_SECRETS=SECRETS,
        )
        yield server


@pytest.fixture
def audit(webhook: Webhook, configure: Configure) -> Iterator[Webhook]:  # noqa: ARG001 -- settings first
    """A webhook that is named so; there is another one, whose name no test gives."""
    with running() as server:
        configure(FLEX_RESTORE_WEBHOOKS=json.dumps({"audit": server.url, "other": "http://127.0.0.1:1"}))
        yield server


@pytest.fixture
def take(azurite: Azurite, event_schema: Draft202012Validator) -> Take:
    """Take what can be seen in a queue: events, as the published schema says, or deliveries of such."""

    def take(name: str) -> list[dict[str, Any]]:
        with QueueClient.from_connection_string(azurite.connection_string, name) as queue:
            found = list(queue.receive_messages(visibility_timeout=60, messages_per_page=32))
            for message in found:
                queue.delete_message(message)
        assert ADDRESS_KEY not in str([message.content for message in found])
        contents = [json.loads(message.content) for message in found]
        for content in contents:
            event_schema.validate(content.get("event", content))
        return contents

    return take


@pytest.fixture
def waiting(azurite: Azurite) -> Callable[[], int]:
    """The number of messages for webhooks, those that are hidden until later included."""

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


def publish(request_id: str = "r", notify: Any = None) -> None:
    phases = (PhaseEntry(phase=Phase.ACCEPTED, at="2026-04-01T02:30:00+00:00"),)
    progress = RestoreProgress(phase=Phase.ACCEPTED, message="ümläut", phases=phases)
    subject = {"requestId": request_id, "notify": notify, "told": 0, "progress": progress.to_wire(), "about": {}}
    assert publish_phase(subject)["ok"]


def heard(webhook: Webhook) -> list[str]:
    """What a webhook was told of, in order."""
    return [json.loads(body)["subject"] for _, _, body in webhook.received]


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
    assert take(POISON) == [{"event": event, "webhook": "", "tries": 0}]
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

    assert heard(webhook) == ["one", "two"]


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


def test_the_events_of_a_restore_go_to_the_webhooks_that_it_names_besides_the_default_one(
    webhook: Webhook, audit: Webhook, deliver: Callable[[], int], take: Take
) -> None:
    publish("one", notify=["audit", "audit"])
    publish("two")
    assert deliver() == 3

    assert heard(webhook) == ["one", "two"]
    assert heard(audit) == ["one"]
    [(_, headers, body)] = audit.received
    assert json.loads(body) == take(EVENT_QUEUE)[0] == json.loads(webhook.received[0][2])
    assert headers["webhook-signature"].count("v1,") == len(KEYS)


def test_without_a_default_webhook_named_ones_are_told(
    webhook: Webhook, audit: Webhook, configure: Configure, deliver: Callable[[], int]
) -> None:
    configure(FLEX_RESTORE_WEBHOOK_URL="")
    publish("one", notify=["audit"])
    assert deliver() == 1

    assert (heard(webhook), heard(audit)) == ([], ["one"])


@pytest.mark.parametrize("refusing", ["webhook", "audit"])
def test_what_one_webhook_refuses_is_not_repeated_to_another(
    webhook: Webhook,
    audit: Webhook,
    deliver: Callable[[], int],
    take: Take,
    monkeypatch: pytest.MonkeyPatch,
    refusing: str,
) -> None:
    monkeypatch.setattr(outgoing, "PAUSES", (0,))
    webhooks = {"webhook": webhook, "audit": audit}
    webhooks[refusing].answers = [503, 503]
    publish(notify=["audit"])
    assert [deliver() for _ in range(3)] == [2, 1, 0]

    assert {name: len(one.received) for name, one in webhooks.items()} == {"webhook": 1, "audit": 1, refusing: 2}
    [aside] = take(POISON)
    assert (aside["webhook"], aside["tries"]) == (refusing.removeprefix("webhook"), 0)


def test_what_was_put_aside_goes_to_its_own_webhook_when_it_is_moved_back(
    webhook: Webhook, audit: Webhook, azurite: Azurite, deliver: Callable[[], int], take: Take
) -> None:
    audit.answers = [410]
    publish(notify=["audit"])
    deliver()
    [aside] = take(POISON)
    with QueueClient.from_connection_string(azurite.connection_string, WEBHOOK_QUEUE) as queue:
        queue.send_message(json.dumps(aside))
    deliver()

    assert (len(webhook.received), len(audit.received)) == (1, 2)


def test_a_delivery_that_an_earlier_version_has_left_goes_to_the_default_webhook(
    webhook: Webhook, audit: Webhook
) -> None:
    message = func.QueueMessage(id="m", body=json.dumps({"event": {"id": "i", "subject": "s"}, "tries": 1}))
    asyncio.run(delivery_due(message))

    assert (heard(webhook), heard(audit)) == (["s"], [])


def test_a_webhook_that_does_not_answer_takes_no_thread_of_another(
    webhook: Webhook, audit: Webhook, wait: Callable[..., Any]
) -> None:
    def message(name: str) -> func.QueueMessage:
        body = {"event": {"id": "i", "subject": "s"}, "webhook": name}
        return func.QueueMessage(id="m", body=json.dumps(body))

    audit.answering.clear()

    async def deliver_both() -> None:
        stuck = asyncio.gather(*(delivery_due(message("audit")) for _ in range(20)))
        try:
            async with asyncio.timeout(10):
                await asyncio.to_thread(wait, lambda: audit.received, "the first offer")
                await delivery_due(message(""))
        finally:
            audit.answering.set()
            await stuck

    asyncio.run(deliver_both())
    assert (len(webhook.received), len(audit.received)) == (1, 20)


@pytest.mark.parametrize(
    "notify", [["nobody", "audit"], ["audit", 7, None, f"https://x/{ADDRESS_KEY}"]], ids=["unknown", "no names"]
)
def test_of_a_request_that_is_rejected_for_its_names_those_hear_that_are_right(
    webhook: Webhook, audit: Webhook, deliver: Callable[[], int], caplog: pytest.LogCaptureFixture, notify: list[Any]
) -> None:
    publish(notify=notify)
    assert deliver() == 2

    assert (heard(webhook), heard(audit)) == (["r"], ["r"])
    assert ("is for a webhook that is not configured: nobody" in caplog.text) is ("nobody" in notify)
    assert ADDRESS_KEY not in caplog.text


@pytest.mark.parametrize("notify", [None, "audit", {"audit": 1}, 7])
def test_a_list_of_names_that_is_none_keeps_no_event_from_the_default_webhook(
    webhook: Webhook, audit: Webhook, deliver: Callable[[], int], notify: Any
) -> None:
    publish(notify=notify)
    assert deliver() == 1

    assert (heard(webhook), heard(audit)) == (["r"], [])


def test_an_event_for_a_name_that_was_taken_out_is_dropped_and_logged(
    webhook: Webhook,
    audit: Webhook,
    configure: Configure,
    deliver: Callable[[], int],
    waiting: Callable[[], int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    publish(notify=["audit"])
    configure(FLEX_RESTORE_WEBHOOKS="{}")
    deliver()

    assert (heard(webhook), heard(audit)) == (["r"], [])
    assert waiting() == 0
    assert "is not delivered: webhook audit is no longer configured" in caplog.text


@pytest.fixture
def put_off(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
    """For how many seconds messages were hidden when they were put into the queue."""
    seen: list[int] = []
    put = outgoing._put

    def noting(name: str, content: dict[str, Any], visible_after: int = 0) -> None:
        put(name, content, visible_after)
        if content.get("tries"):
            seen.append(visible_after)

    monkeypatch.setattr(outgoing, "_put", noting)
    return lambda: seen


def from_now(**pause: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(**pause), usegmt=True)


def as_asctime(date: str) -> str:
    return datetime.strptime(date, "%a, %d %b %Y %H:%M:%S %Z").strftime("%a %b %d %H:%M:%S %Y")  # noqa: DTZ007


@pytest.mark.parametrize("status", [429, 503, 400, 307])
def test_the_next_try_comes_no_earlier_than_a_webhook_asks(
    webhook: Webhook, deliver: Callable[[], int], put_off: Callable[[], list[int]], status: int
) -> None:
    webhook.answers, webhook.retry_after = [status], "600"
    publish()
    deliver()

    [seconds] = put_off()
    assert 600 <= seconds <= 720
    assert deliver() == 0, "it is hidden for now"


@pytest.mark.parametrize("form", [str, as_asctime])
def test_it_may_ask_with_a_date(
    webhook: Webhook, deliver: Callable[[], int], put_off: Callable[[], list[int]], form: Callable[[str], str]
) -> None:
    webhook.answers, webhook.retry_after = [503], form(from_now(hours=1))
    publish()
    deliver()

    [seconds] = put_off()
    assert 3_590 <= seconds <= 4_320


@pytest.mark.parametrize(
    "wish",
    ["soon", "-5", "1.5", "0", "2", "5 minutes", "\N{SUPERSCRIPT TWO}", "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 99 Nov"],
)
def test_what_asks_for_nothing_or_less_changes_nothing(
    webhook: Webhook, deliver: Callable[[], int], put_off: Callable[[], list[int]], wish: str
) -> None:
    webhook.answers, webhook.retry_after = [503], wish
    publish()
    deliver()

    [seconds] = put_off()
    assert 5 <= seconds <= 6


@pytest.mark.parametrize("wish", ["86401", "9" * 5_000, from_now(days=30), "Fri, 31 Dec 9999 23:59:59 GMT"], ids=len)
def test_it_is_left_alone_for_a_day_at_most(
    webhook: Webhook, deliver: Callable[[], int], put_off: Callable[[], list[int]], wish: str
) -> None:
    webhook.answers, webhook.retry_after = [429], wish
    publish()
    deliver()

    [seconds] = put_off()
    assert 86_400 <= seconds <= 86_400 * 6 / 5


def test_what_it_asks_for_adds_no_try(
    webhook: Webhook, deliver: Callable[[], int], take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "PAUSES", ())
    webhook.answers, webhook.retry_after = [503], "1"
    publish()
    deliver()

    assert len(take(POISON)) == 1


def test_after_the_pause_that_it_asked_for_it_is_offered_again(
    webhook: Webhook, deliver: Callable[[], int], wait: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "PAUSES", (0,))
    webhook.answers, webhook.retry_after = [429], "2"
    publish()
    deliver()
    began = time.monotonic()
    wait(deliver, "the second offer")

    assert time.monotonic() - began > 1
    assert len(webhook.received) == 2


@pytest.mark.parametrize("answers", [[], [500], [410], [307], None], ids=str)
def test_no_log_line_tells_the_webhooks_address_or_a_secret(
    webhook: Webhook,
    audit: Webhook,
    configure: Configure,
    deliver: Callable[[], int],
    caplog: pytest.LogCaptureFixture,
    answers: list[int] | None,
) -> None:
    """The key of a webhook stands in its address. Without answers there is nobody at the address."""
    caplog.set_level(logging.DEBUG)
    webhook.answers, audit.answers = list(answers or []), list(answers or [])
    if answers is None:
        address = f"http://127.0.0.1:{free_port()}/hook?code={ADDRESS_KEY}"
        configure(FLEX_RESTORE_WEBHOOK_URL=address, FLEX_RESTORE_WEBHOOKS=json.dumps({"audit": address}))
    publish(notify=["audit"])
    assert deliver() == 2

    for name in ("the webhook", "webhook audit"):
        assert (f"{name} did not take" in caplog.text) is (answers != [])
    assert ADDRESS_KEY not in caplog.text
    assert not [secret for secret in SECRETS.split() if secret in caplog.text]
