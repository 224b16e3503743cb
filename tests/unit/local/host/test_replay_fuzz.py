"""Random orchestrators, run by the real SDK and this engine, with completions in random order and batches.

The two number tasks independently and must agree: if they did not, a result would reach the wrong task, a task would
be ordered twice, or the orchestration would never end.
"""

import itertools
import json
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

SECONDS = float(os.environ.get("HOST_FUZZ_SECONDS", "8"))
SEED = int(os.environ.get("HOST_FUZZ_SEED", "20240611"))
MAX_STEPS = 2000


@dataclass(frozen=True)
class Expression:
    """Something to yield: a leaf with an identity, or a compound of children."""

    kind: str
    identity: int = 0
    failures: int = 0
    attempts: int = 0
    children: tuple["Expression", ...] = ()


class Programs:
    """Makes random programs. Nothing inside a compound fails for good: there the SDK and Azure themselves disagree."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._identities = itertools.count()

    def program(self) -> list[Expression]:
        return [self._statement() for _ in range(self._chance.randint(1, 4))]

    def _statement(self) -> Expression:
        if self._chance.random() < 0.15:
            attempts = self._chance.randint(1, 3)
            return Expression("retry", next(self._identities), attempts, attempts)
        return self._expression(depth=0)

    def _expression(self, depth: int) -> Expression:
        compounds = ["all", "any"] if depth < 2 else []
        kind = self._chance.choice(
            ["act", "act", "retry", "retry", "timer", "event", "child", "child_retry", *compounds]
        )
        if kind in compounds:
            count = self._chance.randint(1, 4)
            return Expression(kind, children=tuple(self._expression(depth + 1) for _ in range(count)))
        failures = self._chance.randint(0, 2) if kind in {"retry", "child_retry"} else 0
        return Expression(kind, next(self._identities), failures, failures + self._chance.randint(1, 2))


Describe = Callable[[Any], Any]


def _build(context: df.DurableOrchestrationContext, expression: Expression) -> tuple[Any, Describe]:
    """The SDK's task of an expression, and what makes a plain value of its result."""
    kind, identity = expression.kind, expression.identity
    if kind in {"all", "any"}:
        tasks, describe = zip(*(_build(context, child) for child in expression.children), strict=True)
        if kind == "all":
            return context.task_all(list(tasks)), lambda results: [
                one(result) for one, result in zip(describe, results, strict=True)
            ]
        children = list(tasks)
        return context.task_any(children), lambda winner: _winner(children, describe, winner)
    options = df.RetryOptions(1000, max(expression.attempts, 1))
    makers: dict[str, Callable[[], Any]] = {
        "act": lambda: context.call_activity("act", identity),
        "retry": lambda: context.call_activity_with_retry("act", options, identity),
        "timer": lambda: context.create_timer(context.current_utc_datetime + timedelta(seconds=identity % 5 + 1)),
        "event": lambda: context.wait_for_external_event(f"event{identity}"),
        "child": lambda: context.call_sub_orchestrator("child", identity),
        "child_retry": lambda: context.call_sub_orchestrator_with_retry("child", options, identity),
    }
    return makers[kind](), lambda result: result


def _winner(children: list[Any], describe: tuple[Describe, ...], winner: Any) -> list[Any]:
    index = next(i for i, child in enumerate(children) if child is winner)
    return [index, describe[index](winner.result)]


def _orchestrator(program: list[Expression]) -> Callable[[df.DurableOrchestrationContext], Any]:
    def main(context: df.DurableOrchestrationContext) -> Any:
        values = []
        for expression in program:
            task, describe = _build(context, expression)
            try:
                values.append(describe((yield task)))
            except Exception as error:  # noqa: BLE001 - the SDK raises nothing more precise
                values.append(str(error))
        return values

    return main


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
    elif kind == "timer":
        assert value is None
    elif expression.failures and expression.failures == expression.attempts:
        assert f"no {expression.identity}" in value
    else:
        assert value == expression.identity * 10


def _leaves(expressions: Any) -> list[Expression]:
    return [leaf for item in expressions for leaf in (_leaves(item.children) if item.children else [item])]


class Run:
    """One program on a bench, driven at random."""

    def __init__(self, bench: Any, program: list[Expression], chance: random.Random) -> None:
        self._bench = bench
        self._chance = chance
        self._leaves = {leaf.identity: leaf for leaf in _leaves(program)}
        self._events = [leaf.identity for leaf in self._leaves.values() if leaf.kind == "event"]
        self.tries: Counter[int] = Counter()

    def to_the_end(self) -> Any:
        self._bench.start("main")
        for _ in range(MAX_STEPS):
            if self._bench.instance().status.is_terminal:
                return self._bench.output()
            self._chance.choice([self._turn, self._turn, self._complete, self._complete, self._fire, self._raise])()
        raise AssertionError(f"stuck after {MAX_STEPS} steps: {self._bench.store.history('main')}")

    def _turn(self) -> None:
        if self._bench.woken:
            self._bench.turn(self._chance.choice(list(self._bench.woken)))

    def _complete(self) -> None:
        if not self._bench.activities:
            return
        activity = self._chance.choice(self._bench.activities)
        identity = json.loads(activity.input)
        self.tries[identity] += 1
        failed = self.tries[identity] <= self._leaves[identity].failures
        self._bench.complete(activity, RuntimeError(f"no {identity}") if failed else identity * 10)

    def _fire(self) -> None:
        # Rarely while there is other work, so that timers do not always win.
        if not (self._bench.activities or self._bench.woken) or self._chance.random() < 0.2:
            self._bench.fire_next_timer()

    def _raise(self) -> None:
        if self._events and not self._bench.instance().status.is_terminal:
            identity = self._events.pop(self._chance.randrange(len(self._events)))
            self._bench.instances.raise_event("main", f"event{identity}", json.dumps(identity * 10))


def test_random_orchestrators_end_with_the_right_results(
    new_bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The SDK reads all timestamps again on each turn, with a parser that would take four fifths of the time here.
    monkeypatch.setattr(sys.modules[HistoryEvent.__module__], "dt_parse", datetime.fromisoformat)
    deadline = time.monotonic() + SECONDS
    for seed in itertools.count(SEED):
        if time.monotonic() > deadline:
            break
        chance = random.Random(seed)  # noqa: S311 - a fuzz has to be repeatable
        program = Programs(chance).program()
        bench = new_bench("act", main=_orchestrator(program), child=_child)
        run = Run(bench, program, chance)
        try:
            values = run.to_the_end()
            assert bench.instance().status == "Completed", values
            for expression, value in zip(program, values, strict=True):
                _check(expression, value)
            for leaf in _leaves(program):
                assert run.tries[leaf.identity] <= leaf.failures + 1, "tried again after a success"
        except BaseException:
            print(f"HOST_FUZZ_SEED={seed}\n{program}")  # noqa: T201 - how to repeat a failure
            raise
    print(f"{seed - SEED} programs")  # noqa: T201 - how much was tried
