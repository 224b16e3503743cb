"""A durable engine without processes: real turns on a real store, the real SDK called in this process, a set clock."""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import azure.durable_functions as df

from local.host import instances, turns
from local.host.database import Database
from local.host.functions import Binding, Function, FunctionCatalog
from local.host.history import task_completed, task_failed
from local.host.instances import Instances
from local.host.protocol import Value
from local.host.store import Activity, Instance, Store
from local.host.turns import Effects, Turns
from local.host.workers import FunctionFailedError

Orchestrator = Callable[[df.DurableOrchestrationContext], Any]
START = 1_700_000_000.0


class Rehearsal:
    """Runs orchestrators; the caller decides what completes when.

    `activities` are those that wait for a result, `woken` the instances that wait for a turn.
    """

    def __init__(
        self,
        store: Store,
        orchestrators: Mapping[str, Orchestrator],
        activities: list[str],
        *,
        replace_running: bool = False,
    ) -> None:
        self.store = store
        self.now = START
        self.activities: list[Activity] = []
        self.woken: dict[str, None] = {}
        self._handlers = {name: df.Orchestrator.create(function) for name, function in orchestrators.items()}
        catalog = FunctionCatalog(
            [_function(name, "orchestrationTrigger") for name in orchestrators]
            + [_function(name, "activityTrigger") for name in activities]
        )
        self.instances = Instances(store, catalog, replace_running=replace_running, wake=self.wake)
        self._turns = Turns(store, catalog, self._invoke)
        self.lose_next_turn: Exception | None = None

    def wake(self, instance_id: str) -> None:
        """Have an instance take a turn when turns are taken next."""
        self.woken[instance_id] = None

    async def _invoke(self, function: Function, trigger: Value) -> Value | None:
        if self.lose_next_turn is not None:
            error, self.lose_next_turn = self.lose_next_turn, None
            raise error
        try:
            with warnings.catch_warnings(action="ignore"):  # in a worker process they are no errors either
                return Value("json", self._handlers[function.name](SimpleNamespace(body=trigger.data)))
        except Exception as error:  # noqa: BLE001 - the worker library turns every error into a message
            raise FunctionFailedError(f"{type(error).__name__}: {error}", "") from None

    def start(self, name: str, document: object = None, instance_id: str = "main") -> None:
        """Start an orchestration as the SDK's client does, with JSON in JSON."""
        self.instances.start(name, instance_id, json.dumps(json.dumps(document)))

    def turn(self, instance_id: str = "main") -> None:
        """Let an instance take one turn."""
        self.woken.pop(instance_id, None)
        turn = self._turns.take(instance_id)
        try:
            turn.send(None)
        except StopIteration as end:
            effects: Effects = end.value
        else:
            raise AssertionError("a turn with an SDK in this process never waits")
        self.activities += effects.activities
        for woken in effects.woken:
            self.wake(woken)

    def settle(self) -> None:
        """Turns, until nothing more happens by itself."""
        while self.woken:
            self.turn(next(iter(self.woken)))

    def complete(self, activity: Activity, result: object) -> None:
        """Give an activity its result; an exception is a failure."""
        self.activities.remove(activity)
        self.store.delete_activity(activity.id)
        if isinstance(result, Exception):
            event = task_failed(activity.task_id, f"Activity function '{activity.name}' failed: {result}", "", self.now)
        else:
            event = task_completed(activity.task_id, json.dumps(result), self.now)
        self.store.post(activity.instance_id, event, self.now, activity.execution)
        self.wake(activity.instance_id)

    def complete_all(self, result: Callable[[Any], object]) -> None:
        """Give all waiting activities their results, and take turns, until there are none."""
        self.settle()
        while self.activities:
            for activity in list(self.activities):
                self.complete(activity, result(json.loads(activity.input or "null")))
            self.settle()

    def fire_next_timer(self) -> bool:
        """Set the clock to the earliest timer; whether there is one."""
        due = self.store.next_timer(self.now)
        if due is None:
            return False
        for instance_id in self.store.instances_due(self.now, due):
            self.wake(instance_id)
        self.now = due
        return True

    def instance(self, instance_id: str = "main") -> Instance:
        """The instance of that id.

        Raises:
            LookupError: there is none.
        """
        instance = self.store.instance(instance_id)
        if instance is None:
            raise LookupError(f"no instance {instance_id} was started")
        return instance

    def output(self, instance_id: str = "main") -> Any:
        """What the instance ended with.

        Raises:
            LookupError: it has not ended.
        """
        instance = self.instance(instance_id)
        if not instance.status.is_terminal:
            raise LookupError(f"instance {instance_id} is {instance.status}")
        return json.loads(instance.output or "null")


def _function(name: str, trigger: str) -> Function:
    return Function(name, name, Binding("x", trigger, {}), (), ())


@contextmanager
def rehearsal(
    activities: list[str], orchestrators: Mapping[str, Orchestrator], *, replace_running: bool = False
) -> Iterator[Rehearsal]:
    """An engine whose clock stands until it is set."""
    database = Database(Path(":memory:"))
    running = Rehearsal(Store(database), orchestrators, activities, replace_running=replace_running)
    clock = SimpleNamespace(time=lambda: running.now)
    try:
        with patch.object(turns, "time", clock), patch.object(instances, "time", clock):
            yield running
    finally:
        database.close()
