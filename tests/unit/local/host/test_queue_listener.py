"""The queue listener's limits and delays, on a queue in memory and a clock that only waiting moves."""

import asyncio
import itertools
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from azure.core.exceptions import ServiceRequestError

from local.host.config import Extensions, Queues
from local.host.functions import Binding, Function
from local.host.triggers.queue import QueueListener
from local.host.triggers.services import TriggerServices
from local.host.workers import WorkerLostError


class ClockLoop(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time: when nothing is left to do, its clock jumps to what is next."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Jump(self))

    def time(self) -> float:
        return self.now


class _Jump(selectors.SelectSelector):
    def __init__(self, loop: ClockLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "everything waits, and nothing is due"
        self._loop.now += timeout
        return super().select(0)


class MemoryQueue:
    """What of a queue's client the listener uses."""

    def __init__(self, name: str) -> None:
        self.queue_name = name
        self.messages: list[SimpleNamespace] = []
        self.polls: list[float] = []
        self.is_down = False

    def put(self, *texts: str) -> None:
        for text in texts:
            message = SimpleNamespace(id=text, content=text, dequeue_count=0, pop_receipt="", visible_at=0.0)
            message.inserted_on = message.expires_on = message.next_visible_on = None
            self.messages.append(message)

    async def receive_messages(self, *, max_messages: int, visibility_timeout: int, **_: Any) -> AsyncIterator[Any]:
        now = asyncio.get_running_loop().time()
        self.polls.append(now)
        if self.is_down:
            raise ServiceRequestError("down")
        for message in [message for message in self.messages if message.visible_at <= now][:max_messages]:
            message.dequeue_count += 1
            message.visible_at = now + visibility_timeout
            yield message

    async def update_message(self, message: Any, *, visibility_timeout: int) -> Any:
        message.visible_at = asyncio.get_running_loop().time() + visibility_timeout
        return message

    async def delete_message(self, message: Any) -> None:
        self.messages.remove(message)

    async def create_queue(self) -> None:
        """It is there."""

    async def send_message(self, text: str) -> None:
        self.put(text)


class Bench:
    """Runs a listener for a time of its clock. `call` is the function, which gets a message's text."""

    def __init__(self, config: Queues, call: Callable[[Any], Awaitable[None]], **options: str) -> None:
        self.queues = {name: MemoryQueue(name) for name in ("q", "q-poison")}
        self._call = call
        self._function = Function("id", "handle", Binding("msg", "queueTrigger", {"queueName": "q", **options}), (), ())
        storage = SimpleNamespace(queue=lambda _connection, name: self.queues[name])
        self._services = TriggerServices(
            Extensions(queues=config), cast("Any", storage), cast("Any", self), cast("Any", None), asyncio.Semaphore()
        )

    async def call(self, _function: Function, value: Any, *_: Any) -> None:
        await self._call(value.data)

    def run(self, seconds: float) -> None:
        async def run() -> None:
            listening = asyncio.create_task(QueueListener(self._function, self._services).run())
            await asyncio.sleep(seconds)
            listening.cancel()
            await asyncio.wait([listening])

        with asyncio.Runner(loop_factory=ClockLoop) as runner:
            runner.run(run())


def config(**values: Any) -> Queues:
    return Queues.model_validate({"messageEncoding": "none", **values})


class Timed:
    """A function that notes when it is called, takes one time after the other, and first fails as often as told."""

    def __init__(self, *seconds: float, failures: int = 0) -> None:
        self.calls: list[float] = []
        self.running = 0
        self.most = 0
        self._seconds = itertools.cycle(seconds or (0.0,))
        self._failures = failures

    async def __call__(self, _text: str) -> None:
        self.calls.append(asyncio.get_running_loop().time())
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(next(self._seconds))
        self.running -= 1
        if len(self.calls) <= self._failures:
            raise WorkerLostError("gone")


def test_polls_of_an_empty_queue_become_rare_up_to_the_longest_interval() -> None:
    bench = Bench(config(maxPollingInterval="00:00:03"), Timed())
    bench.run(30)
    polls = bench.queues["q"].polls
    gaps = [later - earlier for earlier, later in itertools.pairwise(polls)]
    assert gaps == sorted(gaps)
    assert gaps[0] < 0.3
    assert abs(gaps[-1] - 3) < 0.01


def test_the_longest_interval_is_kept_to_after_a_message_too() -> None:
    bench = Bench(config(maxPollingInterval="00:00:00.1"), Timed())
    bench.queues["q"].put("a")
    bench.run(2)
    polls = bench.queues["q"].polls
    assert max(later - earlier for earlier, later in itertools.pairwise(polls)) < 0.11


def test_a_message_that_failed_comes_again_after_the_visibility_timeout() -> None:
    function = Timed(failures=1)
    bench = Bench(config(visibilityTimeout="00:00:40"), function)
    bench.queues["q"].put("a")
    bench.run(60)
    first, second = function.calls
    assert 40 <= second - first < 40 + 3
    assert bench.queues["q"].messages == []


def test_a_message_is_tried_as_often_as_max_dequeue_count_says_and_then_poison() -> None:
    function = Timed(failures=99)
    bench = Bench(config(maxDequeueCount=3), function)
    bench.queues["q"].put("a")
    bench.run(60)
    assert len(function.calls) == 3
    assert bench.queues["q"].messages == []
    assert [message.content for message in bench.queues["q-poison"].messages] == ["a"]


def test_a_message_that_was_tried_often_enough_before_this_host_is_poison_without_another_try() -> None:
    function = Timed()
    bench = Bench(config(maxDequeueCount=3), function)
    bench.queues["q"].put("a")
    bench.queues["q"].messages[0].dequeue_count = 3
    bench.run(1)
    assert function.calls == []
    assert [message.content for message in bench.queues["q-poison"].messages] == ["a"]


def test_a_message_that_is_not_base64_is_poison_at_once_and_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    function = Timed()
    bench = Bench(config(messageEncoding="base64"), function)
    bench.queues["q"].put("{}")
    bench.run(1)
    assert function.calls == []
    assert [message.content for message in bench.queues["q-poison"].messages] == ["{}"]
    assert "host.json extensions.queues.messageEncoding is base64" in caplog.text


@pytest.mark.parametrize(("options", "expected"), [({}, []), ({"dataType": "BINARY"}, [b"\xff"])])
def test_a_message_that_is_no_text_is_for_functions_that_ask_for_bytes(options: Any, expected: list[bytes]) -> None:
    given: list[bytes] = []

    async def take(value: bytes) -> None:
        given.append(value)

    bench = Bench(config(messageEncoding="base64", maxDequeueCount=2), take, **options)
    bench.queues["q"].put("/w==")
    bench.run(10)
    assert given == expected
    assert bool(bench.queues["q-poison"].messages) is not bool(expected)


@pytest.mark.parametrize(("batch", "threshold", "most"), [(1, 0, 1), (4, 0, 4), (4, 2, 6), (2, 5, 7), (32, 0, 32)])
def test_no_more_run_at_once_than_a_batch_and_the_threshold_and_as_many_do(
    batch: int, threshold: int, most: int
) -> None:
    function = Timed(0.5, 1.0, 1.7)
    bench = Bench(config(batchSize=batch, newBatchThreshold=threshold), function)
    bench.queues["q"].put(*(str(number) for number in range(40)))
    bench.run(60)
    assert (function.most, len(function.calls)) == (most, 40)


def test_an_outage_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(config(), Timed())
    bench.queues["q"].is_down = True
    bench.run(30)
    assert len(bench.queues["q"].polls) > 10
    assert [record.message for record in caplog.records] == [
        "Queue q cannot be read, and will be tried until it can: down"
    ]
