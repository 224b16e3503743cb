"""The queue `restore-requests`: a ticketing system's way in."""

import asyncio
import base64
import binascii
import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from shared.contracts.events import DuplicateData, MessageRejected, RejectionData, RequestDuplicate, event_id
from shared.contracts.progress import Phase
from shared.contracts.request import FIELDS, REQUEST_ID_PATTERN, read_request
from shared.errors import RequestRejected, cut
from shared.instances import progress_of, start_restore_once
from shared.redaction import hidden, without_secrets
from shared.storage.events import publish
from shared.telemetry.about import about
from shared.telemetry.metrics import QUEUE_AGE, add
from shared.telemetry.spans import Work, working

_log = logging.getLogger(__name__)


async def request_queued(message: func.QueueMessage, client: df.DurableOrchestrationClient) -> None:
    """Start the restore that a message asks for.

    A message is never retried because of what it says: one that names no request becomes an event, any other error is
    found by the restore itself, which is Rejected then.
    """
    work = Work()
    with working("request_queued", work, "consumer"):
        try:
            request = decode(message.get_body())
            request_id = _request_id(request)
        except RequestRejected as error:
            _log.warning("message %s was rejected: %s", message.id, error.details)
            work.failed(error.code)
            outcome = "rejected"
            await asyncio.to_thread(publish, _rejection(message, error))
        else:
            with about(restore=request_id):
                outcome = await _start(message, client, request_id, request)
        work.attributes["flexrestore.request"] = outcome
    if message.insertion_time is not None:
        add(QUEUE_AGE, max(0, (datetime.now(UTC) - message.insertion_time).total_seconds()), request=outcome)


async def _start(
    message: func.QueueMessage, client: df.DurableOrchestrationClient, request_id: str, request: dict[str, Any]
) -> str:
    """Start the restore, once; a word for what the message was."""
    existing = await start_restore_once(client, request_id, without_secrets(request, FIELDS))
    if existing is None:
        return "started"
    _log.info("restore %s exists; message %s starts nothing", request_id, message.id)
    await asyncio.to_thread(publish, _duplicate(message, request_id, progress_of(existing).phase))
    return "duplicate"


async def request_poisoned(message: func.QueueMessage) -> None:
    """Tell the ticketing system of a message that could not be handled in any of its tries."""
    error = RequestRejected("The message could not be handled, though it was tried several times; see the app's log.")
    with working("request_poisoned", Work(), "consumer"):
        await asyncio.to_thread(publish, _rejection(message, error))


def decode(body: bytes) -> dict[str, Any]:
    """The JSON object of a message: plain, or base64 as many clients send it.

    Raises:
        RequestRejected: it is neither.
    """
    for text in (body, _unwrapped(body)):
        try:
            request = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(request, dict):
            return request
    raise RequestRejected(
        "The message is no JSON object.", details=["(the whole message): is no JSON object, nor base64 of one"]
    )


def _unwrapped(body: bytes) -> bytes:
    try:
        return base64.b64decode(body.strip(), validate=True)
    except binascii.Error:
        return b""


def _readable(body: bytes) -> str:
    """A message for people, without secrets: of an object the fields of a request, of anything else its text."""
    try:
        return json.dumps(without_secrets(decode(body), FIELDS), ensure_ascii=False)
    except RequestRejected:
        return hidden(body.decode("utf-8", "replace"))


def _request_id(request: dict[str, Any]) -> str:
    """The request's id, which everything else about a bad request can be told under."""
    request_id = request.get("requestId")
    if isinstance(request_id, str) and re.fullmatch(REQUEST_ID_PATTERN, request_id):
        return request_id
    return read_request(request).request_id


def _rejection(message: func.QueueMessage, error: RequestRejected) -> MessageRejected:
    return MessageRejected(
        id=event_id("message", str(message.id)),
        subject=str(message.id),
        time=datetime.now(UTC),
        data=RejectionData(
            message=error.text,
            errors=tuple(error.details),
            body=cut(_readable(message.get_body()), 1_000),
        ),
    )


def _duplicate(message: func.QueueMessage, request_id: str, phase: Phase) -> RequestDuplicate:
    return RequestDuplicate(
        id=event_id("message", str(message.id)),
        subject=request_id,
        time=datetime.now(UTC),
        data=DuplicateData(phase=phase, message=f"restore {request_id} was started by an earlier request"),
    )
