"""How orchestrators call: every answer is an outcome, and only retries that are exhausted make one of an exception."""

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

from shared.contracts.base import Contract, Json, wire
from shared.contracts.outcome import Failure, Outcome
from shared.contracts.progress import FileState
from shared.contracts.watch import Watch
from shared.errors import RestoreCancelled, cut
from shared.topology import WAKE, child_instance

type Steps[T] = Generator[Any, Any, T]

TRY_AGAIN = df.RetryOptions(first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=60)
"""An exception of an activity means try again: a lost worker, a busy service, a server that fails over."""

LOAD_AGAIN = df.RetryOptions(first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=10)
"""A load starts from the beginning each time, and may take hours."""

_BUSY_FOR = 1.0
"""Hours in which a service may say that it is busy, to one step."""

_ASKED_EVERY = 60.0
"""Seconds of such a wait between two looks whether anybody still wants it."""

EXHAUSTED = "RetriesExhausted"
"""The code of a failure that was an exception, or a busy service, to the last try."""


def attempt(
    context: df.DurableOrchestrationContext,
    activity: str,
    subject: Contract | Json,
    retry: df.RetryOptions = TRY_AGAIN,
    *,
    restore: str = "",
) -> Steps[Outcome]:
    """Run an activity, again where it raises, and when a busy service wants to be asked again; its outcome.

    `restore` is the one that this is done for, where nothing else is to be done once it was cancelled: a long wait for
    the service ends then, with that as the outcome.
    """
    give_up = later(context, hours=_BUSY_FOR)
    while True:
        outcome = yield from _outcome(context.call_activity_with_retry(activity, retry, wire(subject)), activity)
        again = context.current_utc_datetime + timedelta(seconds=outcome.retry_after)
        if not outcome.retry_after:
            return outcome
        if again > give_up:
            return exhausted(activity, outcome.error.message if outcome.error else "")
        while restore and context.current_utc_datetime + timedelta(seconds=_ASKED_EVERY) < again:
            yield context.create_timer(context.current_utc_datetime + timedelta(seconds=_ASKED_EVERY))
            running = yield from look(context, "check_running", {"requestId": restore})
            if is_verdict(running):
                return running
        yield context.create_timer(again)


def look(context: df.DurableOrchestrationContext, activity: str, subject: Contract | Json) -> Steps[Outcome]:
    """Run an activity once; its outcome."""
    return (yield from _outcome(context.call_activity(activity, wire(subject)), activity))


def give_back(context: df.DurableOrchestrationContext, activity: str, subject: Contract | Json) -> Steps[Outcome]:
    """Give back what others may wait for in a line, and have who is first look again at once."""
    outcome = yield from attempt(context, activity, subject)
    if outcome.ok:
        yield from look(context, "call_next", outcome.value)
    return outcome


def watched(context: df.DurableOrchestrationContext, name: str, watch: Watch) -> Steps[Outcome]:
    """Wait in a child orchestration until what is watched has ended; its outcome."""
    instance = child_instance(context.instance_id, name)
    return (yield from _outcome(context.call_sub_orchestrator("watch_job", watch.to_wire(), instance), watch.what))


def side_by_side(
    context: df.DurableOrchestrationContext, orchestrator: str, subject: Contract | Json, lanes: int
) -> Steps[Outcome]:
    """Have several child orchestrations do the same work; the first failure among their outcomes, if any."""
    children = [context.call_sub_orchestrator(orchestrator, wire(subject)) for _ in range(lanes)]
    try:
        answers = yield context.task_all(children)
    except Exception as error:  # noqa: BLE001 -- the SDK raises plain Exception for a child that was ended from outside
        return exhausted(orchestrator, str(error))
    outcomes = [Outcome.from_wire(answer) for answer in answers]
    return next((outcome for outcome in outcomes if outcome.error), outcomes[0])


def pause(context: df.DurableOrchestrationContext, seconds: float) -> Steps[None]:
    """Sleep, or until woken: once in a generation, for a second wait would not be seen (docs/design-notes.md)."""
    timer = context.create_timer(context.current_utc_datetime + timedelta(seconds=seconds))
    woken = context.wait_for_external_event(WAKE)
    yield context.task_any([woken, timer])
    if not timer.is_completed:
        timer.cancel()


def is_verdict(outcome: Outcome) -> bool:
    """Whether it is a failure that stays: neither an exception nor a service that wants to be asked again."""
    return outcome.error is not None and outcome.error.code != EXHAUSTED and not outcome.retry_after


def was_cancelled(error: Failure) -> bool:
    """Whether it is that somebody cancelled the restore."""
    return error.code == RestoreCancelled.__name__


def given_up(error: Failure) -> FileState:
    """The state of a file whose import came to this."""
    return FileState.CANCELLED if was_cancelled(error) else FileState.FAILED


def later(context: df.DurableOrchestrationContext, *, hours: float) -> datetime:
    """The time some hours from now."""
    moment: datetime = context.current_utc_datetime + timedelta(hours=hours)
    return moment


def _outcome(task: Any, what: str) -> Steps[Outcome]:
    try:
        answer = yield task
    except Exception as error:  # noqa: BLE001 -- the SDK raises plain Exception when the last try has failed
        return exhausted(what, str(error))
    return Outcome.from_wire(answer)


def exhausted(what: str, why: str) -> Outcome:
    """That something was tried often enough."""
    message = f"{what} did not succeed, however often it was tried: {cut(why, 2_000)}"
    return Outcome(ok=False, error=Failure(code=EXHAUSTED, message=message))
