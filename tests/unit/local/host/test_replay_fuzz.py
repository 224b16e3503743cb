"""Random orchestrators, run by the real SDK and this engine, with completions in random order and batches.

The two number tasks independently and must agree: if they did not, a result would reach the wrong task, a task would
be ordered twice, or the orchestration would never end. Meanwhile instances are suspended and resumed, turns are lost
with their workers, and what lost a `task_any` or belongs to the time before a continue_as_new completes late.
"""

import collections
import functools
import itertools
import json
import math
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df
import pytest
from azure.durable_functions.models.history import HistoryEvent
from azure.durable_functions.models.TaskOrchestrationExecutor import TaskOrchestrationExecutor

from local.host.history import EventType
from local.host.store import Activity, InstanceFilter, Status
from local.host.workers import WorkerLostError

SECONDS = float(os.environ.get("HOST_FUZZ_SECONDS", "40"))
ENOUGH = math.inf if "HOST_FUZZ_SECONDS" in os.environ else 2000
"""Programs after which a run that nobody has asked to be longer ends."""
SEED = int(os.environ.get("HOST_FUZZ_SEED", "20240611"))
MAX_STEPS = 2000
FAR = 1e6
"""Seconds of the timers that guard something; all others are shorter by far."""


@dataclass(frozen=True)
class Expression:
    """Something to yield: a leaf with an identity, or a compound of children."""

    kind: str
    identity: int = 0
    failures: int = 0
    attempts: int = 0
    children: tuple["Expression", ...] = ()


Program = list[list[Expression]]
"""Statements, and a continue_as_new after each list of them but the last."""


class Programs:
    """Makes random programs. Nothing inside a compound fails for good: there the SDK and Azure themselves disagree."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._identities = itertools.count()

    def program(self) -> Program:
        """A small one: many small programs meet more orders of completion than few large ones."""
        generations = self._chance.choice([1, 1, 1, 2, 3])
        return [[self._statement() for _ in range(self._chance.choice([1, 1, 2, 3]))] for _ in range(generations)]

    def _statement(self) -> Expression:
        kind = self._chance.random()
        if kind < 0.15:
            attempts = self._chance.randint(1, 3)
            return Expression("retry", next(self._identities), attempts, attempts)
        if kind < 0.3:
            return Expression("guarded", children=(self._expression(depth=1),))
        return self._expression(depth=0)

    def _expression(self, depth: int) -> Expression:
        compounds = ["all", "any"] if depth < 2 else []
        kind = self._chance.choice(
            ["act", "act", "retry", "retry", "timer", "event", "child", "child_retry", *compounds]
        )
        if kind in compounds:
            count = self._chance.randint(1, 3)
            return Expression(kind, children=tuple(self._expression(depth + 1) for _ in range(count)))
        failures = self._chance.choice([0, 0, 1, 2]) if kind in {"retry", "child_retry"} else 0
        return Expression(kind, next(self._identities), failures, failures + self._chance.randint(1, 2))


Describe = Callable[[Any], Any]
Describes = tuple[Describe, ...]
Built = tuple[Any, Describe]


def _build(context: df.DurableOrchestrationContext, expression: Expression) -> Built:
    """The SDK's task of an expression, and what makes a plain value of its result."""
    kind, identity = expression.kind, expression.identity
    if expression.children:
        tasks, describe = zip(*(_build(context, child) for child in expression.children), strict=True)
        return _BUILDERS[kind](context, list(tasks), describe)
    options = df.RetryOptions(1000, max(expression.attempts, 1))
    child_id = f"child{identity}" if identity % 2 else None
    makers: dict[str, Callable[[], Any]] = {
        "act": lambda: context.call_activity("act", identity),
        "retry": lambda: context.call_activity_with_retry("act", options, identity),
        "timer": lambda: context.create_timer(context.current_utc_datetime + timedelta(seconds=identity % 5 + 1)),
        "event": lambda: context.wait_for_external_event(f"event{identity}"),
        "child": lambda: context.call_sub_orchestrator("child", identity, child_id),
        "child_retry": lambda: context.call_sub_orchestrator_with_retry("child", options, identity, child_id),
    }
    return makers[kind](), lambda result: result


def _all(context: df.DurableOrchestrationContext, tasks: list[Any], describe: Describes) -> Built:
    return context.task_all(tasks), lambda results: [one(result) for one, result in zip(describe, results, strict=True)]


def _any(context: df.DurableOrchestrationContext, tasks: list[Any], describe: Describes) -> Built:
    def first(winner: Any) -> list[Any]:
        index = next(i for i, task in enumerate(tasks) if task is winner)
        return [index, describe[index](winner.result)]

    return context.task_any(tasks), first


def _guarded(context: df.DurableOrchestrationContext, tasks: list[Any], describe: Describes) -> Built:
    timer = context.create_timer(context.current_utc_datetime + timedelta(seconds=FAR))

    def in_time(winner: Any) -> Any:
        if winner is timer:
            return "late"
        timer.cancel()
        return describe[0](winner.result)

    return context.task_any([*tasks, timer]), in_time


_BUILDERS = {"all": _all, "any": _any, "guarded": _guarded}


def _child(context: df.DurableOrchestrationContext) -> Any:
    return (yield context.call_activity("act", context.get_input()))


def _check(expression: Expression, value: Any) -> None:
    """That a value is one that the expression can have."""
    kind = expression.kind
    if kind == "all":
        for child, part in zip(expression.children, value, strict=True):
            _check(child, part)
    elif kind == "any":
        index, part = value
        _check(expression.children[index], part)
    elif kind == "guarded":
        if value != "late":
            _check(expression.children[0], value)
    elif kind == "timer":
        assert value is None
    elif expression.failures and expression.failures == expression.attempts:
        assert f"no {expression.identity}" in value
    else:
        assert value == expression.identity * 10


def _leaves(expressions: Any) -> list[Expression]:
    return [leaf for item in expressions for leaf in (_leaves(item.children) if item.children else [item])]


class Fuzz:
    """One bench for all programs."""

    def __init__(self, new_bench: Callable[..., Any]) -> None:
        self._program: Program = []
        self._bench = new_bench("act", main=self._main, child=_child)

    def _main(self, context: df.DurableOrchestrationContext) -> Any:
        generation, values = context.get_input()
        for step, expression in enumerate(self._program[generation]):
            context.set_custom_status([generation, step])
            task, describe = _build(context, expression)
            try:
                values.append(describe((yield task)))
            except Exception as error:  # noqa: BLE001 - the SDK raises nothing more precise
                values.append(str(error))
        if generation + 1 < len(self._program):
            context.continue_as_new([generation + 1, values])
            return None
        return values

    def check(self, program: Program, chance: random.Random) -> None:
        """Run a program; all that can be said of its end must be so."""
        self._program = program
        run = Run(self._bench, program, chance)
        run.to_the_end()
        main = self._bench.instance()
        assert main.status == "Completed", main.output
        statements = [statement for generation in program for statement in generation]
        for expression, value in zip(statements, json.loads(main.output), strict=True):
            _check(expression, value)
        assert json.loads(main.custom_status) == [len(program) - 1, len(program[-1]) - 1]
        _check_history([json.loads(text) for text in self._bench.store.history("main")])
        for leaf in _leaves(statements):
            assert run.tries[leaf.identity] <= leaf.failures + 1, "tried again after a success"
        run.aftermath()
        assert self._bench.instance() == main
        assert not self._bench.store.activities()
        assert not self._bench.store.instances_with_messages(math.inf)
        self._bench.instances.purge_matching(InstanceFilter())
        assert not self._bench.store.instances(InstanceFilter()), "children that have not ended"


_SCHEDULED = {EventType.TASK_SCHEDULED, EventType.CHILD_CREATED, EventType.TIMER_CREATED}


def _check_history(events: list[dict[str, Any]]) -> None:
    scheduled = [event["EventId"] for event in events if event["EventType"] in _SCHEDULED]
    ended = [event.get("TaskScheduledId", event.get("TimerId")) for event in events]
    ended = [task_id for task_id in ended if task_id is not None]
    assert len(scheduled) == len(set(scheduled)), "an id ordered twice"
    assert len(ended) == len(set(ended)), "an id completed twice"
    assert set(ended) <= set(scheduled)


class Run:
    """One program on a bench, driven at random."""

    def __init__(self, bench: Any, program: Program, chance: random.Random) -> None:
        self._bench = bench
        self._chance = chance
        self._program = program
        self._leaves = {leaf.identity: leaf for generation in program for leaf in _leaves(generation)}
        # Those of a later execution would be dropped now: they are raised when the custom status says it has begun.
        self._events = [[leaf.identity for leaf in _leaves(part) if leaf.kind == "event"] for part in program]
        self._where = (0, -1)
        self._is_over = False
        self.tries: Counter[int] = Counter()

    def to_the_end(self) -> None:
        self._bench.start("main", [0, []])
        steps = [self._turn, self._complete, self._complete, self._fire, self._raise]
        for _ in range(MAX_STEPS):
            self._chance.choice(steps if self._chance.random() < 0.97 else [self._disturb])()
            if self._is_over:
                return
        raise AssertionError(f"stuck after {MAX_STEPS} steps: {self._bench.store.history('main')}")

    def aftermath(self) -> None:
        """All that still runs for the instance, or for its children, ends."""
        self._bench.settle()
        while self._bench.activities:
            self._complete()
            self._bench.settle()

    def _turn(self) -> None:
        if not self._bench.woken:
            return
        instance_id = self._chance.choice(list(self._bench.woken))
        try:
            self._bench.turn(instance_id)
        except WorkerLostError:
            self._bench.wake(instance_id)
        if instance_id == "main":
            self._look()

    def _look(self) -> None:
        main = self._bench.instance()
        self._is_over = main.status.is_terminal
        if main.custom_status is None or self._is_over:
            return
        generation, step = self._where = tuple(json.loads(main.custom_status))
        if self._program[generation][step].kind != "guarded":
            assert self._bench.store.next_timer(self._bench.now + FAR / 2) is None, "a cancelled timer is still there"

    def _complete(self) -> None:
        if not self._bench.activities:
            return
        activity: Activity = self._chance.choice(self._bench.activities)
        identity = json.loads(activity.input or "")
        self.tries[identity] += 1
        failed = self.tries[identity] <= self._leaves[identity].failures
        self._bench.complete(activity, RuntimeError(f"no {identity}") if failed else identity * 10)

    def _fire(self) -> None:
        # Rarely while there is other work, so that timers do not always win.
        if not (self._bench.activities or self._bench.woken) or self._chance.random() < 0.2:
            self._bench.fire_next_timer()

    def _raise(self) -> None:
        generation, step = self._where
        if step >= 0 and (events := self._events[generation]):
            identity = events.pop(self._chance.randrange(len(events)))
            self._bench.instances.raise_event("main", f"event{identity}", json.dumps(identity * 10))

    def _disturb(self) -> None:
        if self._chance.random() < 0.5:
            self._bench.lose_next_turn = WorkerLostError("worker process 1 ended")
        elif self._bench.instance().status is Status.SUSPENDED:
            self._bench.instances.resume("main", "go on")
        else:
            self._bench.instances.suspend("main", "wait")


@pytest.fixture
def cheap_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what would take most of the time here: the SDK makes the same type and reads all times in each turn."""
    cached = functools.cache(collections.namedtuple)  # noqa: PYI024 - what the SDK itself calls
    monkeypatch.setattr(sys.modules[HistoryEvent.__module__], "dt_parse", datetime.fromisoformat)
    monkeypatch.setattr(sys.modules[TaskOrchestrationExecutor.__module__], "namedtuple", cached)


@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.usefixtures("cheap_sdk")
def test_random_orchestrators_end_with_the_right_results(new_bench: Callable[..., Any]) -> None:
    fuzz = Fuzz(new_bench)
    deadline = time.monotonic() + SECONDS
    for seed in itertools.count(SEED):
        if time.monotonic() > deadline or seed - SEED == ENOUGH:
            break
        chance = random.Random(seed)  # noqa: S311 - a fuzz has to be repeatable
        program = Programs(chance).program()
        try:
            fuzz.check(program, chance)
        except BaseException:
            print(f"HOST_FUZZ_SEED={seed}\n{program}")  # noqa: T201 - how to repeat a failure
            raise
    print(f"replay fuzz: {seed - SEED} programs from HOST_FUZZ_SEED={SEED}")  # noqa: T201 - how much was tried
