"""The durable engine: decides when which instance takes its turn, runs activities, and fires timers.

All state is in the store; what is kept here is only a plan of what to do next, made again from the store at the start.
Nothing polls: work is woken by the transaction that made it, and one alarm stands for the earliest timer.
"""

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Coroutine
from typing import Any

from local.host.config import Durable
from local.host.faults import FaultInjector
from local.host.functions import FunctionCatalog
from local.host.history import Event, task_completed, task_failed
from local.host.instances import Instances, unknown_function
from local.host.outputs import OutputError
from local.host.protocol import Value
from local.host.store import Activity, Store
from local.host.turns import Effects, Invoke, Turns
from local.host.versions import Versions
from local.host.workers import FunctionFailedError, FunctionTimeoutError, WorkerLostError

logger = logging.getLogger(__name__)

# asyncio's clocks do not go further than some days at once; the alarm is set again when it rings early.
_LONGEST_ALARM = 3600.0
_WRITE_AGAIN_SECONDS = 1.0


class Engine:
    """Runs the orchestrations of one store."""

    def __init__(
        self,
        store: Store,
        functions: FunctionCatalog,
        invoke: Invoke,
        config: Durable,
        faults: FaultInjector | None = None,
    ) -> None:
        versions = Versions(config.default_version, config.version_match_strategy, config.version_failure_strategy)
        self.instances = Instances(
            store,
            functions,
            versions=versions,
            replace_running=config.overridable_existing_instance_states == "AnyState",
            wake=self.wake,
        )
        self._store = store
        self._functions = functions
        self._invoke = invoke
        self._faults = faults
        self._turns = Turns(store, functions, invoke, versions, faults)
        self._max_turns = config.max_concurrent_orchestrator_functions
        self._max_activities = config.max_concurrent_activity_functions
        self._ready: deque[str] = deque()
        self._is_ready: set[str] = set()
        self._in_turn: set[str] = set()
        self._woken_in_turn: set[str] = set()
        self._waiting_activities: deque[Activity] = deque()
        self._running_activities = 0
        self._fired_until = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopped = True

    def start(self) -> None:
        """Go on with what the store holds: due messages, activities without a result, timers."""
        self._is_stopped = False
        self._fired_until = time.time()
        for instance_id in self._store.instances_with_messages(self._fired_until):
            self.wake(instance_id)
        self._waiting_activities.extend(self._store.activities())
        self._start_activities()
        self._set_alarm()

    async def stop(self) -> None:
        """Stop where we are: turns that are not written are taken again, activities are run again."""
        self._is_stopped = True
        if self._alarm is not None:
            self._alarm.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self, instance_id: str) -> None:
        """Let an instance take a turn as soon as it can."""
        if instance_id in self._in_turn:
            self._woken_in_turn.add(instance_id)
        elif instance_id not in self._is_ready:
            self._is_ready.add(instance_id)
            self._ready.append(instance_id)
            self._start_turns()

    def _start_turns(self) -> None:
        while self._ready and len(self._in_turn) < self._max_turns and not self._is_stopped:
            instance_id = self._ready.popleft()
            self._is_ready.discard(instance_id)
            self._in_turn.add(instance_id)
            self._spawn(self._take_turn(instance_id))

    async def _take_turn(self, instance_id: str) -> None:
        try:
            effects = await self._turns.take(instance_id)
            await self._store.committed()
            self._apply(effects)
        except WorkerLostError:
            logger.warning("The turn of instance %s was lost with its worker and is taken again", instance_id)
            self._woken_in_turn.add(instance_id)
        except sqlite3.Error as error:
            text = "The turn of instance %s could not be written and is taken again: %s"
            logger.error(text, instance_id, error)  # noqa: TRY400 - the disk's trouble, not the code's
            await asyncio.sleep(_WRITE_AGAIN_SECONDS)
            self._woken_in_turn.add(instance_id)
        finally:
            self._in_turn.discard(instance_id)
            if instance_id in self._woken_in_turn:
                self._woken_in_turn.discard(instance_id)
                self.wake(instance_id)
            self._start_turns()

    def _apply(self, effects: Effects) -> None:
        self._waiting_activities.extend(effects.activities)
        self._start_activities()
        for instance_id in effects.woken:
            self.wake(instance_id)
        if effects.timers:
            self._set_alarm()

    def _start_activities(self) -> None:
        while self._waiting_activities and self._running_activities < self._max_activities and not self._is_stopped:
            self._running_activities += 1
            self._spawn(self._run_activity(self._waiting_activities.popleft()))

    async def _run_activity(self, activity: Activity) -> None:
        try:
            await self._write_result(activity, await self._result_of(activity))
            if self._faults is not None:
                self._faults.recorded(activity)
        finally:
            self._running_activities -= 1
            self._start_activities()

    async def _write_result(self, activity: Activity, result: Event) -> None:
        """Write a result, however often it takes: running the activity again would do its work twice."""
        while True:
            try:
                with self._store.transaction():
                    self._store.delete_activity(activity.id)
                    self._store.post(activity.instance_id, result, time.time(), activity.execution)
                self.wake(activity.instance_id)
                await self._store.committed()
            except sqlite3.Error as error:
                text = "The result of activity %s could not be written and is tried again: %s"
                logger.error(text, activity.name, error)  # noqa: TRY400 - the disk's trouble, not the code's
                await asyncio.sleep(_WRITE_AGAIN_SECONDS)
            else:
                return

    async def _result_of(self, activity: Activity) -> Event:
        function = self._functions.find("activityTrigger", activity.name)
        if function is None:
            # It was there when it was ordered: the app has changed in between.
            reason = unknown_function("activity", activity.name, self._functions)
            return task_failed(activity.task_id, reason, "", time.time())
        try:
            value = Value("string", activity.input or "null")
            if self._faults is None:
                returned = await self._invoke(function, value)
            else:
                returned = await self._faults.run(activity, function, value)
        except FunctionFailedError as error:
            reason, details = error.message, error.stack
        except (FunctionTimeoutError, OutputError, WorkerLostError) as error:
            # The extension fails the activity too, so that retry options decide; redelivery is for a lost host.
            reason, details = str(error), ""
        else:
            return task_completed(activity.task_id, returned.data if returned is not None else None, time.time())
        return task_failed(
            activity.task_id, f"Activity function '{activity.name}' failed: {reason}", details, time.time()
        )

    def _set_alarm(self) -> None:
        """Ring at the earliest timer that has not fired."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._fire_overdue()
        due = self._store.next_timer(self._fired_until)
        if due is not None and not self._is_stopped:
            delay = min(max(due - time.time(), 0.0), _LONGEST_ALARM)
            self._alarm = asyncio.get_running_loop().call_later(delay, self._set_alarm)

    def _fire_overdue(self) -> None:
        now = time.time()
        for instance_id in self._store.instances_due(self._fired_until, now):
            self.wake(instance_id)
        self._fired_until = now

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.critical("The engine failed", exc_info=task.exception())
