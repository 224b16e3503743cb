"""What a worker answers when a function ends in an unusual way."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from local.host import worker
from local.host.protocol import FrameReader

Invoke = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def answers(monkeypatch: pytest.MonkeyPatch, invoke: Invoke) -> list[dict[str, Any]]:
    """What the host hears of an invocation."""
    monkeypatch.setattr(worker, "invoke", invoke)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        asyncio.run(worker.answer(worker.Channel(theirs), {"id": 1, "function": "f"}))
        theirs.close()
        return FrameReader().feed(ours.recv(1 << 16))


def test_a_result_that_cannot_cross_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async def invoke(message: dict[str, Any]) -> dict[str, Any]:
        return {"type": "done", "id": message["id"], "return": ["http", {"headers": {"x": object()}}], "outputs": {}}

    (answer,) = answers(monkeypatch, invoke)
    assert (answer["type"], answer["id"]) == ("failed", 1)
    assert answer["message"] == "TypeError: object cannot cross between host and worker"


def test_a_function_that_awaits_what_was_cancelled_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def invoke(_message: dict[str, Any]) -> dict[str, Any]:
        raise asyncio.CancelledError

    (answer,) = answers(monkeypatch, invoke)
    assert (answer["type"], answer["id"]) == ("failed", 1)
    assert answer["message"].startswith("CancelledError")


def test_a_process_that_ends_does_not_say_that_its_functions_have_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def invoke(_message: dict[str, Any]) -> dict[str, Any]:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        raise AssertionError("cancelled")

    with pytest.raises(asyncio.CancelledError):
        answers(monkeypatch, invoke)
