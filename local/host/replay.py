"""The replay of an orchestrator's actions against its history: what has it ordered that is not known yet?

The SDK (azure-functions-durable 1.7) returns all actions of the orchestration on each turn and leaves retries to the
engine: CallActivityWithRetry is one action, but each attempt takes a new task id, and so does the timer after each
failed attempt, the last one included. Ids therefore depend on the order in which completions arrived, and a diff of
actions against history cannot find what is new. So the actions are walked as the Durable extension walks them
(OutOfProcOrchestrationShim): each is a coroutine over small synchronous futures, the history is fed in order and
resolves them, and a task that was ordered but is not in the history is new.

Like the extension, and unlike the SDK, WhenAll waits for all of its children even when one has failed.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Generator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from local.host.history import Event, EventType, moment, timestamp

Action = dict[str, Any]


class ActionType(IntEnum):
    """Kinds of actions, with the numbers of the protocol."""

    CALL_ACTIVITY = 0
    CALL_ACTIVITY_WITH_RETRY = 1
    CALL_CHILD = 2
    CALL_CHILD_WITH_RETRY = 3
    CONTINUE_AS_NEW = 4
    CREATE_TIMER = 5
    WAIT_FOR_EVENT = 6
    CALL_ENTITY = 7
    CALL_HTTP = 8
    SIGNAL_ENTITY = 9
    WHEN_ANY = 11
    WHEN_ALL = 12


_LAST_MOMENT = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


class ReplayError(Exception):
    """The actions cannot be carried out; the orchestration fails with this text."""


@dataclass(frozen=True, slots=True)
class ActivityOrder:
    """A new activity to run."""

    task_id: int
    name: str
    input: str | None


@dataclass(frozen=True, slots=True)
class TimerOrder:
    """A new timer; `fire_at` in seconds since the epoch."""

    task_id: int
    fire_at: float


@dataclass(frozen=True, slots=True)
class ChildOrder:
    """A new child orchestration; without an instance id the engine gives it one."""

    task_id: int
    name: str
    instance_id: str | None
    input: str | None
    version: str | None


Order = ActivityOrder | TimerOrder | ChildOrder


@dataclass(slots=True)
class Outcome:
    """What a replay found.

    `is_finished` says that every action has been awaited to its end; only then can the orchestration end, whatever
    the SDK says. `unawaited` are external events that nothing has waited for; `version` is that of the instance.
    """

    orders: list[Order] = field(default_factory=list)
    canceled_timers: list[int] = field(default_factory=list)
    unawaited: list[str] = field(default_factory=list)
    continue_as_new: Action | None = None
    version: str | None = None
    is_finished: bool = False


class _Future:
    """A result that may be there already; waiters go on synchronously when it comes."""

    def __init__(self) -> None:
        self.is_done = False
        self.is_success = False
        self._waiters: list[Callable[[], None]] = []

    def resolve(self, is_success: bool) -> None:
        if self.is_done:
            return
        self.is_done, self.is_success = True, is_success
        for waiter in self._waiters:
            waiter()

    def then(self, waiter: Callable[[], None]) -> None:
        if self.is_done:
            waiter()
        else:
            self._waiters.append(waiter)

    def __await__(self) -> Generator["_Future", None, bool]:
        if not self.is_done:
            yield self
        return self.is_success


def _run(coroutine: Coroutine[_Future, None, bool]) -> _Future:
    """Start a coroutine over futures; the future of its result."""
    result = _Future()

    def advance() -> None:
        try:
            awaited = coroutine.send(None)
        except StopIteration as end:
            result.resolve(end.value)
        else:
            awaited.then(advance)

    advance()
    return result


_SCHEDULED = {EventType.TASK_SCHEDULED, EventType.CHILD_CREATED, EventType.TIMER_CREATED}
_COMPLETIONS = {
    EventType.TASK_COMPLETED: ("TaskScheduledId", True),
    EventType.TASK_FAILED: ("TaskScheduledId", False),
    EventType.CHILD_COMPLETED: ("TaskScheduledId", True),
    EventType.CHILD_FAILED: ("TaskScheduledId", False),
    EventType.TIMER_FIRED: ("TimerId", True),
}


def replay(actions: Iterable[Action], history: Iterable[Event]) -> Outcome:
    """Walk the actions of an orchestration through its history, the new events included.

    Raises:
        ReplayError: an action is not supported, or actions and history disagree.
    """
    return _Replay(list(actions), list(history)).outcome()


class _Replay:
    def __init__(self, actions: list[Action], history: list[Event]) -> None:
        self._actions = actions
        self._history = history
        self._unclaimed = {item["EventId"]: item for item in history if item["EventType"] in _SCHEDULED}
        self._next_id = 0
        self._now = 0.0
        self._tasks: dict[int, _Future] = {}
        self._waiting: defaultdict[str, list[_Future]] = defaultdict(list)
        self._buffered: defaultdict[str, deque[Event]] = defaultdict(deque)
        self._outcome = Outcome()

    def outcome(self) -> Outcome:
        main: _Future | None = None
        for item in self._history:
            kind = item["EventType"]
            if kind == EventType.ORCHESTRATOR_STARTED:
                self._now = moment(item["Timestamp"])
            elif kind == EventType.EXECUTION_STARTED:
                self._outcome.version = item.get("Version")
                main = _run(self._walk())
            elif kind == EventType.EVENT_RAISED:
                self._raise(item)
            elif kind in _COMPLETIONS:
                key, is_success = _COMPLETIONS[kind]
                task = self._tasks.get(item[key])
                if task is not None:
                    task.resolve(is_success)
        if self._unclaimed:
            raise ReplayError(_disagreement(next(iter(self._unclaimed.values())), "was not ordered this time"))
        self._outcome.unawaited = [name for name, events in self._buffered.items() for _ in events]
        self._outcome.is_finished = main is not None and main.is_done
        return self._outcome

    def _raise(self, item: Event) -> None:
        name = item["Name"]
        waiting = self._waiting[name]
        if waiting:
            waiting.pop().resolve(is_success=True)  # the youngest waiter first, in the SDK as in the extension
        else:
            self._buffered[name].append(item)

    async def _walk(self) -> bool:
        for action in self._actions:
            await self._invoke(action)
        return True

    def _invoke(self, action: Action) -> _Future:
        """Carry out one action; what it orders, it orders before this returns."""
        kind = action["actionType"]
        if kind in {ActionType.WHEN_ALL, ActionType.WHEN_ANY}:
            children = [self._invoke(child) for child in action["compoundActions"]]
            return _run(_all(children)) if kind == ActionType.WHEN_ALL else _any(children)
        if kind in {ActionType.CALL_ACTIVITY_WITH_RETRY, ActionType.CALL_CHILD_WITH_RETRY}:
            return _run(self._retry(action))
        if kind == ActionType.WAIT_FOR_EVENT:
            return self._wait_for_event(action["externalEventName"])
        if kind == ActionType.CREATE_TIMER:
            return self._timer(moment(action["fireAt"]), is_canceled=bool(action.get("isCanceled")))
        if kind == ActionType.CONTINUE_AS_NEW:
            self._outcome.continue_as_new = action
            return _done()
        return self._attempt(action)

    def _attempt(self, action: Action) -> _Future:
        kind = action["actionType"]
        if kind in {ActionType.CALL_ACTIVITY, ActionType.CALL_ACTIVITY_WITH_RETRY}:
            name = action["functionName"]
            return self._order(EventType.TASK_SCHEDULED, name, lambda i: ActivityOrder(i, name, action.get("input")))
        if kind in {ActionType.CALL_CHILD, ActionType.CALL_CHILD_WITH_RETRY}:
            return self._order(
                EventType.CHILD_CREATED,
                action["functionName"],
                lambda i: ChildOrder(
                    i, action["functionName"], action.get("instanceId"), action.get("input"), action.get("version")
                ),
            )
        unsupported = {ActionType.CALL_HTTP, ActionType.CALL_ENTITY, ActionType.SIGNAL_ENTITY}
        what = f"context.{ActionType(kind).name.lower()}" if kind in unsupported else f"the action {kind}"
        raise ReplayError(f"{what} is not supported by this host")

    async def _retry(self, action: Action) -> bool:
        options = action["retryOptions"]
        interval = options["firstRetryIntervalInMilliseconds"] / 1000
        for _ in range(options["maxNumberOfAttempts"]):
            if await self._attempt(action):
                return True
            await self._timer(self._now + interval)
        return False

    def _timer(self, fire_at: float, *, is_canceled: bool = False) -> _Future:
        if fire_at > _LAST_MOMENT:
            raise ReplayError(f"a timer of {fire_at - self._now:.0f} seconds ends after the year 9999")
        # A known timer keeps its own time: the clock of a retry is only right in the turn that orders it.
        future = self._order(EventType.TIMER_CREATED, None, lambda i: TimerOrder(i, fire_at))
        if is_canceled:
            self._outcome.canceled_timers.append(self._next_id - 1)
        return future

    def _wait_for_event(self, name: str) -> _Future:
        if self._buffered[name]:
            self._buffered[name].popleft()
            return _done()
        future = _Future()
        self._waiting[name].append(future)
        return future

    def _order(self, kind: EventType, name: str | None, order: Callable[[int], Order]) -> _Future:
        task_id, self._next_id = self._next_id, self._next_id + 1
        known = self._unclaimed.pop(task_id, None)
        if known is None:
            self._outcome.orders.append(order(task_id))
        elif known["EventType"] != kind or known.get("Name") != name:
            raise ReplayError(_disagreement(known, f"is now {kind.name} {name or ''}"))
        self._tasks[task_id] = future = _Future()
        return future


async def _all(children: list[_Future]) -> bool:
    results = [await child for child in children]
    return all(results)


def _any(children: list[_Future]) -> _Future:
    first = _Future()
    for child in children:
        child.then(lambda: first.resolve(is_success=True))
    return first


def _done() -> _Future:
    future = _Future()
    future.resolve(is_success=True)
    return future


def _disagreement(known: Event, what: str) -> str:
    kind = EventType(known["EventType"]).name
    return (
        f"Non-Deterministic workflow detected: task {known['EventId']} of the history ({kind} {known.get('Name') or ''}"
        f" of {timestamp(moment(known['Timestamp']))}) {what}"
    )
