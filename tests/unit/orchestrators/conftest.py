"""A driver for orchestrators: answers their calls as the test says, and records what they did."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

type Answer = Callable[[dict[str, Any]], Any]


@dataclass
class Call:
    name: str
    subject: Any


@dataclass
class Together:
    calls: list[Call]


@dataclass
class Drive:
    """Runs one orchestration: its calls are answered by name; a list answers one call after the other."""

    subject: dict[str, Any]
    answers: dict[str, Any]
    instance_id: str = "INC-1"
    calls: list[Call] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    continued_with: dict[str, Any] | None = None
    slept: list[float] = field(default_factory=list)
    current_utc_datetime: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def get_input(self) -> dict[str, Any]:
        return self.subject

    def call_activity_with_retry(self, name: str, _retry: object, subject: Any) -> Call:
        return Call(name, subject)

    def call_activity(self, name: str, subject: Any) -> Call:
        return Call(name, subject)

    def call_sub_orchestrator(self, name: str, subject: Any, _instance_id: str | None = None) -> Call:
        return Call(f"{name}:{subject['check']}" if name == "watch_job" else name, subject)

    def create_timer(self, due: datetime) -> Call:
        self.slept.append((due - self.current_utc_datetime).total_seconds())
        self.current_utc_datetime = due
        return Call("timer", None)

    def task_all(self, calls: list[Call]) -> Together:
        return Together(calls)

    def set_custom_status(self, status: dict[str, Any]) -> None:
        self.statuses.append(status)

    def continue_as_new(self, subject: dict[str, Any]) -> None:
        self.continued_with = subject

    def run(self, orchestrator: Callable[[Any], Generator[Any, Any, Any]]) -> Any:
        steps = orchestrator(self)
        answer: Any = None
        failed: Exception | None = None
        while True:
            try:
                step = steps.throw(failed) if failed else steps.send(answer)
            except StopIteration as end:
                return end.value
            answer, failed = None, None
            try:
                answer = (
                    [self._answer(call) for call in step.calls] if isinstance(step, Together) else self._answer(step)
                )
            except LostWorkerError as error:
                failed = error

    def _answer(self, call: Call) -> Any:
        if call.name == "timer":
            return None
        self.calls.append(call)
        answer = self.answers.get(call.name, {"ok": True, "value": {}})
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(call.subject) if callable(answer) else answer

    def names(self) -> list[str]:
        return [call.name for call in self.calls if call.name != "publish_phase"]

    def phases(self) -> list[str]:
        return [call.subject["progress"]["phases"][-1]["phase"] for call in self.calls if call.name == "publish_phase"]


class LostWorkerError(Exception):
    """What the SDK raises when the retries of an activity are exhausted."""


@pytest.fixture
def drive() -> type[Drive]:
    return Drive


@pytest.fixture
def lost_worker() -> LostWorkerError:
    return LostWorkerError("the worker died")
