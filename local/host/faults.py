"""Faults that tests switch on: processes that die at a chosen moment of an activity, activities that run twice or late.

They are ordered by a file of the host's data folder, `faults.json`, so that they outlive a host that a fault kills; a
host without that file has none, and the app cannot tell. What came of them stands in the journal that the file names:
one JSON object a line (`Entry`).

A *call* is what an orchestrator asks for once. A redelivery after the host's death and the attempt after a failed one
are the same call; a fault meets a call once. Calls of an activity are numbered from 1 in the order of their beginning.
"""

import asyncio
import hashlib
import json
import logging
import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Coroutine
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, Self

from pydantic import BaseModel, ConfigDict, Field

from local.host.functions import Function
from local.host.invoker import Invoker
from local.host.pool import WorkerPool
from local.host.protocol import Value
from local.host.store import Activity, Store
from local.host.workers import Worker

logger = logging.getLogger(__name__)

FAULTS_FILE = "faults.json"
"""The file of the data folder that orders faults."""

_PATIENCE = 3.0
"""Seconds for which a worker stands still at most when what it is to outlast does not come."""
_HANDED_OVER = 0.02
"""Seconds in which an activity is handed to its worker."""


class Effect(StrEnum):
    """What happens to a call.

    The last six kill the worker that runs the activity, or the host with all its workers: before the activity is
    handed to the worker, after it has run and before its result is recorded, or after that.
    """

    TWICE = "runs twice, one after the other"
    AT_ONCE = "runs twice at once"
    """The first result counts, while the other execution goes on."""
    LATE = "runs on past its successor's start"
    """Its worker stands still until then; another one runs it too, whose result counts."""
    WORKER_BEFORE = "worker dies before"
    WORKER_AFTER = "worker dies after"
    WORKER_RECORDED = "worker dies after the record"
    HOST_BEFORE = "host dies before"
    HOST_AFTER = "host dies after"
    HOST_RECORDED = "host dies after the record"


class Fault(BaseModel):
    """Something that happens to calls.

    Attributes:
        effect: what.
        activity: the activity's name; empty for any.
        number: which of its calls; None for each.
        seconds: how long a late activity runs before it stands still; 0: it stands still before its first step.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    effect: Effect
    activity: str = ""
    number: int | None = Field(default=None, ge=1)
    seconds: float = Field(default=0.0, ge=0)

    def meets(self, activity: str, number: int) -> bool:
        """Whether it is for that call."""
        return self.activity in {"", activity} and self.number in {None, number}


class Faults(BaseModel):
    """The content of `faults.json`.

    Attributes:
        journal: the file that tells what happened.
        instances: a regular expression, searched for in the id of the orchestration at a call's root.
        faults: what happens; a call meets the first one that is for it.
        longest_timer: seconds after which a timer rings at the latest; None for the timers' own times.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    journal: Path
    instances: str = ""
    faults: tuple[Fault, ...] = ()
    longest_timer: float | None = Field(default=None, gt=0)

    def order(self, data: Path) -> None:
        """Order them of the host with that data folder, running or not, instead of others."""
        draft = data / f"{FAULTS_FILE}.new"
        draft.write_text(self.model_dump_json())
        draft.replace(data / FAULTS_FILE)


def call_off(data: Path) -> None:
    """Order no faults any more."""
    (data / FAULTS_FILE).unlink(missing_ok=True)


class Entry(BaseModel):
    """A line of the journal.

    Attributes:
        activity: its name.
        number: which of its calls.
        instance: the orchestration that asked for it.
        order: what the store knows the call by; each attempt has its own.
        alike: what the attempts of one call have in common.
        what: `begun`, `ended` or `failed`; a fault that is met now; `missed`: a late activity was too fast to be met;
            `settled`: an execution whose result need not count is over.
        seconds: how long it took, when it has ended.
    """

    activity: str
    number: int
    instance: str
    order: str
    alike: str
    what: str
    seconds: float = 0.0

    @classmethod
    def of(cls, activity: Activity) -> Self:
        """The beginning of an activity, its number still unknown."""
        text = json.dumps([activity.instance_id, activity.name, activity.input])
        return cls(
            activity=activity.name,
            number=0,
            instance=activity.instance_id,
            order=f"{activity.execution}:{activity.task_id}",
            alike=hashlib.sha256(text.encode()).hexdigest()[:16],
            what="begun",
        )


def read_journal(path: Path) -> list[Entry]:
    """The entries so far."""
    return [Entry.model_validate_json(line) for line in path.read_text().splitlines()] if path.exists() else []


class Journal:
    """What happened to which call; a host that starts knows it from the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers: dict[str, int] = {}
        self._counts: Counter[str] = Counter()
        self._met: set[tuple[str, int]] = set()
        self._failed: dict[str, int] = {}
        """The number of the call whose last attempt failed, by what the next one has in common with it."""
        for entry in read_journal(path):
            self._learn(entry)

    def begin(self, activity: Activity) -> Entry:
        """Which call an activity is."""
        begun = Entry.of(activity)
        number = self._numbers.get(begun.order) or self._failed.get(begun.alike) or self._counts[activity.name] + 1
        return self.write(begun, "begun", number=number)

    def write(self, entry: Entry, what: str, **more: float) -> Entry:
        """Write what happened; the system has it before this returns, so that it outlives this process."""
        entry = entry.model_copy(update={"what": what, **more})
        with self._path.open("a") as journal:
            journal.write(entry.model_dump_json() + "\n")
        self._learn(entry)
        return entry

    def has_met(self, entry: Entry) -> bool:
        """Whether the call has met its fault."""
        return (entry.activity, entry.number) in self._met

    def _learn(self, entry: Entry) -> None:
        if entry.what == "begun":
            self._numbers[entry.order] = entry.number
            self._counts[entry.activity] = max(self._counts[entry.activity], entry.number)
            self._failed.pop(entry.alike, None)
        elif entry.what == "failed":
            self._failed[entry.alike] = entry.number
        elif entry.what in set(Effect):
            self._met.add((entry.activity, entry.number))


class FaultInjector:
    """Runs activities as `faults.json` has it."""

    def __init__(self, data: Path, pool: WorkerPool, invoker: Invoker, store: Store) -> None:
        self._file = data / FAULTS_FILE
        self._pool = pool
        self._invoker = invoker
        self._store = store
        self._version = (0, 0)
        self._faults: Faults | None = None
        self._journal = Journal(Path(os.devnull))
        self._at_record: dict[int, Callable[[], object]] = {}
        """What is to happen when an activity's result is recorded, by the activity's id."""
        self._standing: list[tuple[str, Worker]] = []
        """Workers that stand still, with the instance whose next activity lets them go on."""
        self._background: set[asyncio.Task[Value | None]] = set()

    async def run(self, activity: Activity, function: Function, value: Value) -> Value | None:
        """Run an activity; errors as with `Invoker.call`."""
        faults = self._current()
        if faults is None or not re.search(faults.instances, self._root(activity.instance_id)):
            return await self._invoker.value(function, value)
        call = _Call(activity.id, self._journal.begin(activity), partial(self._invoker.value, function, value))
        self._let_go(activity.instance_id)
        fault = None
        if not self._journal.has_met(call.entry):
            fits = (one for one in faults.faults if one.meets(activity.name, call.entry.number))
            fault = next(fits, None)
        began = asyncio.get_running_loop().time()
        try:
            returned = await (call.execute() if fault is None else self._meet(fault, call))
        except Exception:
            self._journal.write(call.entry, "failed")
            raise
        self._journal.write(call.entry, "ended", seconds=asyncio.get_running_loop().time() - began)
        return returned

    def recorded(self, activity: Activity) -> None:
        """An activity's result is on disk."""
        if act := self._at_record.pop(activity.id, None):
            act()

    def due(self, fire_at: float, now: float) -> float:
        """When a timer rings."""
        faults = self._current()
        if faults is None or faults.longest_timer is None:
            return fire_at
        return min(fire_at, now + faults.longest_timer)

    async def _meet(  # noqa: PLR0911  one for each effect
        self, fault: Fault, call: "_Call"
    ) -> Value | None:
        self._journal.write(call.entry, fault.effect)
        match fault.effect:
            case Effect.HOST_BEFORE:
                return _die()
            case Effect.HOST_AFTER:
                await call.execute()
                return _die()
            case Effect.HOST_RECORDED:
                self._at_record[call.id] = _die
                return await call.execute()
            case Effect.TWICE:
                await call.execute()
                return await call.execute()
            case Effect.AT_ONCE:
                return await self._at_once(call)
            case Effect.LATE:
                return await self._late(fault, call)
            case _:
                return await self._lose_worker(fault.effect, call)

    async def _lose_worker(self, effect: Effect, call: "_Call") -> Value | None:
        worker = await self._pool.least_busy()
        if effect is Effect.WORKER_BEFORE:
            self._pool.sacrifice(worker)
            return await call.execute(worker)
        returned = await call.execute(worker)
        if effect is Effect.WORKER_AFTER:
            self._pool.sacrifice(worker)
            raise worker.lost()
        self._at_record[call.id] = partial(self._pool.sacrifice, worker)
        return returned

    async def _at_once(self, call: "_Call") -> Value | None:
        executions = [self._in_background(call) for _ in range(2)]
        done, _ = await asyncio.wait(executions, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()

    async def _late(self, fault: Fault, call: "_Call") -> Value | None:
        worker = await self._pool.least_busy()
        if not fault.seconds:
            self._pool.pause(worker)
        first = self._in_background(call, worker)
        if fault.seconds:
            await asyncio.wait([first], timeout=fault.seconds)
            if first.done():
                self._journal.write(call.entry, "missed")
                return first.result()
            self._pool.pause(worker)
        # The one that stands still may hold a lock that the other one waits for.
        patience = asyncio.get_running_loop().call_later(_PATIENCE, self._pool.resume, worker)
        returned = await call.execute()
        patience.cancel()
        self._at_record[call.id] = partial(self._stand, call.entry.instance, worker)
        return returned

    def _stand(self, instance_id: str, worker: Worker) -> None:
        """Let a worker stand still until the instance's next activity has begun, or there will be none."""
        self._standing.append((instance_id, worker))
        asyncio.get_running_loop().call_later(_PATIENCE, self._pool.resume, worker)

    def _let_go(self, instance_id: str) -> None:
        """An activity of the instance begins: what was to outlast that goes on."""
        for entry in [one for one in self._standing if one[0] == instance_id or self._has_ended(one[0])]:
            self._standing.remove(entry)
            asyncio.get_running_loop().call_later(_HANDED_OVER, self._pool.resume, entry[1])

    def _in_background(self, call: "_Call", worker: Worker | None = None) -> asyncio.Task[Value | None]:
        """An execution that goes on even when nobody waits for it any more."""
        task = asyncio.get_running_loop().create_task(call.execute(worker))
        self._background.add(task)
        task.add_done_callback(partial(self._settled, call.entry))
        return task

    def _settled(self, entry: Entry, task: asyncio.Task[Value | None]) -> None:
        self._background.discard(task)
        self._journal.write(entry, "settled")
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.info("An execution that need not count has failed: %s", error)

    def _has_ended(self, instance_id: str) -> bool:
        instance = self._store.instance(instance_id)
        return instance is None or instance.status.is_terminal

    def _root(self, instance_id: str) -> str:
        """The id of the orchestration that the instance works for, by whatever children are between them."""
        instance = self._store.instance(instance_id)
        if instance is None or instance.parent is None:
            return instance_id
        return self._root(instance.parent.instance_id)

    def _current(self) -> Faults | None:
        """What the file says now."""
        try:
            found = self._file.stat()
        except FileNotFoundError:
            self._faults, self._version = None, (0, 0)
            return None
        if (found.st_ino, found.st_mtime_ns) != self._version:
            self._version = (found.st_ino, found.st_mtime_ns)
            self._faults = Faults.model_validate_json(self._file.read_text())
            self._journal = Journal(self._faults.journal)
        return self._faults


class _Call:
    """A call that is about to run; `execute` may be called more than once."""

    def __init__(self, identifier: int, entry: Entry, invoke: "partial[Coroutine[Any, Any, Value | None]]") -> None:
        self.id = identifier
        self.entry = entry
        self._invoke = invoke

    def execute(self, worker: Worker | None = None) -> Coroutine[Any, Any, Value | None]:
        """Run it in that worker, or in the least busy one."""
        return self._invoke(worker=worker)


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a process that has killed itself does not go on")
