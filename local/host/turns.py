"""One turn of an orchestration: from what is due in its inbox to what it orders, written in one transaction."""

import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from local.host.faults import FaultInjector
from local.host.functions import Function, FunctionCatalog
from local.host.history import (
    Event,
    EventType,
    child_completed,
    child_failed,
    dumps,
    event,
    execution_started,
    timer_fired,
    timestamp,
)
from local.host.instances import InstanceExistsError, Start, create, unknown_function
from local.host.invoker import FAILURE_MARK
from local.host.outputs import OutputError
from local.host.protocol import Value
from local.host.replay import ActivityOrder, ChildOrder, Order, Outcome, ReplayError, TimerOrder, replay
from local.host.store import Activity, Instance, Message, Parent, Status, Store
from local.host.versions import UNVERSIONED, Versions
from local.host.workers import FunctionFailedError, FunctionTimeoutError

logger = logging.getLogger(__name__)

Invoke = Callable[[Function, Value], Awaitable[Value | None]]

_CONTROLS = {EventType.EXECUTION_TERMINATED, EventType.EXECUTION_SUSPENDED, EventType.EXECUTION_RESUMED}
# What the SDK may use of the protocol: 1 is what old SDKs look at, 2 adds long timers, which need no limit here.
_SCHEMA = {"upperSchemaVersion": 1, "upperSchemaVersionNew": 2}


@dataclass(slots=True)
class Effects:
    """What a turn leaves to be done: instances to wake, activities to run, and whether timers were set."""

    woken: set[str] = field(default_factory=set)
    activities: list[Activity] = field(default_factory=list)
    timers: bool = False


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What the SDK and the replay say: the tasks to order, and how the execution goes on or ends."""

    outcome: Outcome
    is_done: bool = False
    output: str | None = None
    error: str | None = None
    custom_status: str | None = None


CUSTOM_STATUS_BYTES = 16 * 1024
"""What the durable extension takes of a custom status."""


class Turns:
    """Takes turns; the caller sees to it that an instance takes one at a time."""

    def __init__(
        self,
        store: Store,
        functions: FunctionCatalog,
        invoke: Invoke,
        versions: Versions = UNVERSIONED,
        faults: FaultInjector | None = None,
    ) -> None:
        self._store = store
        self._functions = functions
        self._invoke = invoke
        self._versions = versions
        self._faults = faults

    async def take(self, instance_id: str) -> Effects:
        """Take one turn.

        Raises:
            WorkerLostError: the worker ended in the middle; nothing was written, take the turn again.
        """
        now = time.time()
        instance = self._store.instance(instance_id)
        messages = self._store.due_messages(instance_id, now)
        if instance is None or instance.status.is_terminal:
            with self._store.transaction():
                self._store.delete_messages(messages)
            return Effects()
        fresh = [message for message in messages if message.execution in {None, instance.execution}]
        work = [message for message in fresh if message.event["EventType"] not in _CONTROLS]
        controls = [message.event for message in fresh if message.event["EventType"] in _CONTROLS]
        for control in controls:
            if control["EventType"] == EventType.EXECUTION_TERMINATED:
                return self._terminate(instance, control, now)
        instance = _controlled(instance, controls)
        if instance.status is Status.SUSPENDED or not work:
            kept = {message.id for message in work}
            with self._store.transaction():
                self._store.update_instance(replace(instance, updated=now) if controls else instance)
                self._store.delete_messages(message for message in messages if message.id not in kept)
            return Effects()
        played = self._store.history(instance_id)
        new = [event(EventType.ORCHESTRATOR_STARTED, now), *(message.event for message in work)]
        history = [*json.loads(f"[{','.join(played)}]"), *new]
        version = _version(history)
        if self._versions.accepts(version):
            verdict = await self._decide(instance, _payload(instance, played, new), history)
        elif self._versions.failure == "Fail":
            verdict = _Verdict(Outcome(), error="Orchestration version did not comply with Worker Versioning")
        else:
            text = "Instance %s has version %s: it waits until host.json's defaultVersion (%s) allows it"
            logger.warning(text, instance_id, version, self._versions.default)
            return Effects()
        return self._commit(instance, messages, len(played), new, verdict)

    async def _decide(self, instance: Instance, payload: str, history: list[Event]) -> _Verdict:
        function = self._functions.find("orchestrationTrigger", instance.name)
        if function is None:
            return _Verdict(Outcome(), error=unknown_function("orchestrator", instance.name, self._functions))
        try:
            returned = await self._invoke(function, Value("string", payload))
        except (FunctionTimeoutError, OutputError) as error:
            return _Verdict(Outcome(), error=_failure(instance, str(error)))
        except FunctionFailedError as error:
            _, mark, text = error.message.partition(FAILURE_MARK)
            if not mark:
                return _Verdict(Outcome(), error=_failure(instance, error.message))
            state = json.loads(text)
        else:
            state = json.loads(returned.data) if returned is not None else {"isDone": True, "actions": [[]]}
        try:
            _check_custom_status(state)
            outcome = replay(_actions(state), history)
            self._check_names(outcome.orders)
        except ReplayError as error:
            return _Verdict(Outcome(), error=_failure(instance, str(error)))
        return _Verdict(
            outcome,
            is_done=outcome.is_finished and bool(state.get("isDone")),
            output=dumps(state.get("output")),
            error=_failure(instance, state["error"]) if outcome.is_finished and state.get("error") else None,
            custom_status=dumps(state["customStatus"]) if "customStatus" in state else None,
        )

    def _check_names(self, orders: list[Order]) -> None:
        for order in orders:
            if isinstance(order, ActivityOrder) and self._functions.find("activityTrigger", order.name) is None:
                raise ReplayError(unknown_function("activity", order.name, self._functions))
            if isinstance(order, ChildOrder) and self._functions.find("orchestrationTrigger", order.name) is None:
                raise ReplayError(unknown_function("orchestrator", order.name, self._functions))

    def _commit(
        self, instance: Instance, messages: list[Message], position: int, new: list[Event], verdict: _Verdict
    ) -> Effects:
        effects = Effects()
        current = self._store.instance(instance.instance_id)
        if current is None or current.execution != instance.execution:
            return effects  # another start replaced it meanwhile, as overridableExistingInstanceStates allows
        now = time.time()
        instance = replace(
            instance,
            status=Status.RUNNING,
            updated=now,
            custom_status=verdict.custom_status or instance.custom_status,
        )
        with self._store.transaction():
            self._store.delete_messages(messages)
            scheduled = [self._place(instance, order, now, effects) for order in verdict.outcome.orders]
            self._store.cancel_timers(instance.instance_id, instance.execution, verdict.outcome.canceled_timers)
            if verdict.is_done and verdict.outcome.continue_as_new is not None:
                self._continue_as_new(instance, verdict.outcome, now, effects)
                return effects
            events = [*new, *scheduled, event(EventType.ORCHESTRATOR_COMPLETED, now)]
            if verdict.error is not None:
                self._end(instance, Status.FAILED, dumps(verdict.error), now, effects)
                events.append(event(EventType.EXECUTION_FAILED, now, Reason=verdict.error))
            elif verdict.is_done:
                self._end(instance, Status.COMPLETED, verdict.output, now, effects)
                events.append(event(EventType.EXECUTION_COMPLETED, now, Result=verdict.output))
            else:
                self._store.update_instance(instance)
            self._store.append_history(instance.instance_id, position, events)
        return effects

    def _place(self, instance: Instance, order: Order, now: float, effects: Effects) -> Event:
        """Write what was ordered; the event that notes it in the history."""
        if isinstance(order, ActivityOrder):
            effects.activities.append(self._store.add_activity(instance, order.task_id, order.name, order.input))
            return event(EventType.TASK_SCHEDULED, now, order.task_id, Name=order.name, Input=order.input)
        if isinstance(order, TimerOrder):
            fired = timer_fired(order.task_id, order.fire_at)
            due = order.fire_at if self._faults is None else self._faults.due(order.fire_at, now)
            self._store.set_timer(instance.instance_id, instance.execution, order.task_id, due, fired)
            effects.timers = True
            if due <= now:
                effects.woken.add(instance.instance_id)  # the alarm looks for later ones only
            return event(EventType.TIMER_CREATED, now, order.task_id, FireAt=timestamp(order.fire_at))
        return self._place_child(instance, order, now, effects)

    def _place_child(self, instance: Instance, order: ChildOrder, now: float, effects: Effects) -> Event:
        child_id = order.instance_id or f"{instance.execution}:{order.task_id:04x}"
        parent = Parent(instance.instance_id, instance.execution, order.task_id)
        start = Start(order.name, child_id, dumps(order.input), order.version or self._versions.default, parent)
        try:
            create(self._store, start, replace_running=False)
            effects.woken.add(child_id)
        except InstanceExistsError as error:
            failed = child_failed(order.task_id, str(error), now)
            self._store.post(instance.instance_id, failed, now, instance.execution)
            effects.woken.add(instance.instance_id)
        return event(EventType.CHILD_CREATED, now, order.task_id, Name=order.name, InstanceId=child_id)

    def _continue_as_new(self, instance: Instance, outcome: Outcome, now: float, effects: Effects) -> None:
        for name in outcome.unawaited:
            # azure-functions-durable-python issue 331: the Python SDK has no preserveUnprocessedEvents.
            logger.warning(
                "Event %s of instance %s came before continue_as_new and nothing awaited it: dropped, as Azure does",
                name,
                instance.instance_id,
            )
        action: dict[str, Any] = outcome.continue_as_new or {}
        document = dumps(action.get("input"))
        fresh = replace(instance, execution=uuid.uuid4().hex, input=document)
        self._store.cancel_timers(instance.instance_id, instance.execution)
        self._store.clear_history(instance.instance_id)
        self._store.update_instance(fresh)
        started = execution_started(instance.name, document, now, outcome.version)
        # Before the events that wait in the inbox, which belong to the new execution.
        self._store.post(instance.instance_id, started, 0.0, fresh.execution)
        effects.woken.add(instance.instance_id)

    def _end(self, instance: Instance, status: Status, output: str | None, now: float, effects: Effects) -> None:
        """Write an instance's end, and tell its parent."""
        self._store.update_instance(replace(instance, status=status, output=output, updated=now))
        self._store.clear_inbox(instance.instance_id)
        parent = instance.parent
        if parent is None:
            return
        if status is Status.COMPLETED:
            told = child_completed(parent.task_id, output, now)
        else:
            told = child_failed(parent.task_id, json.loads(output or '""'), now)
        self._store.post(parent.instance_id, told, now, parent.execution)
        effects.woken.add(parent.instance_id)

    def _terminate(self, instance: Instance, control: Event, now: float) -> Effects:
        effects = Effects()
        with self._store.transaction():
            self._end(instance, Status.TERMINATED, dumps(control["Input"]), now, effects)
            position = len(self._store.history(instance.instance_id))
            self._store.append_history(instance.instance_id, position, [control])
        return effects


def _controlled(instance: Instance, controls: list[Event]) -> Instance:
    for control in controls:
        suspends = control["EventType"] == EventType.EXECUTION_SUSPENDED
        if suspends or instance.status is Status.SUSPENDED:
            instance = replace(instance, status=Status.SUSPENDED if suspends else Status.RUNNING)
    return instance


def _version(history: list[Event]) -> str | None:
    """The version with which an execution was started."""
    version: str | None = next(item for item in history if item["EventType"] == EventType.EXECUTION_STARTED)["Version"]
    return version


def _payload(instance: Instance, played: list[str], new: list[Event]) -> str:
    """The context that the SDK gets. Played events are inserted as the texts they are stored as."""
    context = {
        "input": json.loads(instance.input) if instance.input is not None else None,
        "instanceId": instance.instance_id,
        "isReplaying": bool(played),
        "parentInstanceId": instance.parent and instance.parent.instance_id,
        **_SCHEMA,
    }
    history = ",".join([*played, *(dumps(item) for item in new)])
    return f'{{"history":[{history}],{dumps(context)[1:]}'


def _actions(state: dict[str, Any]) -> list[dict[str, Any]]:
    """The actions of the orchestrator's state: one list within a list, since schema version 1."""
    return [action for actions in state.get("actions", []) for action in actions]


def _failure(instance: Instance, reason: str) -> str:
    return f"Orchestrator function '{instance.name}' failed: {reason}"


def _check_custom_status(state: Event) -> None:
    """Azure keeps 16 KB of a custom status, counted in UTF-16, and fails the orchestration beyond that."""
    size = len(dumps(state.get("customStatus")).encode("utf-16-le", "surrogatepass"))
    if size > CUSTOM_STATUS_BYTES:
        limit = CUSTOM_STATUS_BYTES // 1024
        raise ReplayError(f"the custom status has {size} bytes in UTF-16; Azure takes {limit} KB, so show less")
