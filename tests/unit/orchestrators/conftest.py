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
class Timer(Call):
    """A timer; when it ends by itself, time has passed."""

    due: datetime
    is_completed: bool = False
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class First:
    """What ends first: an event that wakes, or a timer."""

    timer: Timer


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
    timers: list[Timer] = field(default_factory=list)
    woken: bool = False
    """Whether an event comes before every timer."""
    current_utc_datetime: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def get_input(self) -> dict[str, Any]:
        return self.subject

    def call_activity_with_retry(self, name: str, _retry: object, subject: Any) -> Call:
        return Call(name, subject)

    def call_activity(self, name: str, subject: Any) -> Call:
        return Call(name, subject)

    def call_sub_orchestrator(self, name: str, subject: Any, _instance_id: str | None = None) -> Call:
        return Call(f"{name}:{subject['check']}" if name == "watch_job" else name, subject)

    def create_timer(self, due: datetime) -> Timer:
        self.timers.append(Timer("timer", None, due))
        return self.timers[-1]

    def wait_for_external_event(self, name: str) -> Call:
        return Call(name, None)

    def task_any(self, calls: list[Any]) -> First:
        return First(next(call for call in calls if isinstance(call, Timer)))

    def task_all(self, calls: list[Call]) -> Together:
        return Together(calls)

    def set_custom_status(self, status: dict[str, Any]) -> None:
        self.statuses.append(status)

    def continue_as_new(self, subject: dict[str, Any]) -> None:
        self.continued_with = subject

    def run_on(self, orchestrator: Callable[[Any], Generator[Any, Any, Any]]) -> Any:
        """Run it to its end, over as many generations as it takes."""
        while True:
            self.continued_with = None
            answer = self.run(orchestrator)
            if self.continued_with is None:
                return answer
            self.subject = self.continued_with

    def _sleep(self, timer: Timer) -> None:
        if not self.woken:
            self.slept.append((timer.due - self.current_utc_datetime).total_seconds())
            self.current_utc_datetime = timer.due
            timer.is_completed = True

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
                match step:
                    case First():
                        self._sleep(step.timer)
                    case Together():
                        answer = [self._answer(call) for call in step.calls]
                    case _:
                        answer = self._answer(step)
            except LostWorkerError as error:
                failed = error

    def _answer(self, call: Call) -> Any:
        self.calls.append(call)
        answer = self.answers.get(call.name, {"ok": True, "value": _VALUES.get(call.name, {})})
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(call.subject) if callable(answer) else answer

    def last(self, name: str) -> Any:
        """What the activity was called with last."""
        return next(call.subject for call in reversed(self.calls) if call.name == name)

    def names(self) -> list[str]:
        return [call.name for call in self.calls if call.name not in _EVERYWHERE]

    def phases(self) -> list[str]:
        return [call.subject["progress"]["phases"][-1]["phase"] for call in self.calls if call.name == "publish_phase"]


_EVERYWHERE = {"publish_phase", "check_running", "call_next", "enter_target", "leave_target"}
"""Activities of each phase, which a test of the steps need not name."""


_VALUES = {"enter_target": {"ended": True}}
"""What activities answer that a test says nothing of."""


class LostWorkerError(Exception):
    """What the SDK raises when the retries of an activity are exhausted."""


@pytest.fixture
def drive() -> type[Drive]:
    return Drive


@pytest.fixture
def lost_worker() -> LostWorkerError:
    return LostWorkerError("the worker died")
