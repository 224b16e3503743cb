"""How orchestrators call: every answer is an outcome, and only retries that are exhausted make one of an exception."""

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

from shared.contracts.base import Contract, Json
from shared.contracts.outcome import Failure, Outcome
from shared.contracts.watch import Watch
from shared.errors import cut

type Steps[T] = Generator[Any, Any, T]

TRY_AGAIN = df.RetryOptions(first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=20)
"""An exception of an activity means try again: a lost worker, a busy service, a server that restarts."""

EXHAUSTED = "RetriesExhausted"
"""The code of a failure that was an exception to the last try."""


def attempt(context: df.DurableOrchestrationContext, activity: str, subject: Contract | Json) -> Steps[Outcome]:
    """Run an activity, again where it raises; its outcome."""
    try:
        answer = yield context.call_activity_with_retry(activity, TRY_AGAIN, _plain(subject))
    except Exception as error:  # noqa: BLE001 -- the SDK raises plain Exception when retries are exhausted
        message = f"{activity} did not succeed in {TRY_AGAIN.max_number_of_attempts} tries: {cut(str(error), 2_000)}"
        return Outcome(ok=False, error=Failure(code=EXHAUSTED, message=message))
    return Outcome.from_wire(answer)


def watched(context: df.DurableOrchestrationContext, name: str, watch: Watch) -> Steps[Outcome]:
    """Wait in a child orchestration until what is watched has ended; its outcome."""
    answer = yield context.call_sub_orchestrator("watch_job", watch.to_wire(), f"{context.instance_id}.{name}")
    return Outcome.from_wire(answer)


def later(context: df.DurableOrchestrationContext, *, hours: float) -> str:
    """The time some hours from now, as watches carry it."""
    moment: datetime = context.current_utc_datetime + timedelta(hours=hours)
    return moment.isoformat()


def _plain(subject: Contract | Json) -> Json:
    return subject.to_wire() if isinstance(subject, Contract) else subject
