"""How an activity answers: what it returns is a success, a permanent error is a failure, the rest means try again.

A service that says how long to wait is an answer too, so that the orchestration sleeps and no thread does.
"""

import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import wraps
from time import monotonic
from typing import Any

import azure.durable_functions as df

from shared.contracts.base import Contract, Json, wire
from shared.contracts.outcome import busy, failure, success
from shared.contracts.progress import Phase
from shared.errors import PermanentError, ServiceBusy
from shared.telemetry.about import about
from shared.telemetry.metrics import ACTIVITY_SECONDS, add
from shared.telemetry.spans import Work, working

_log = logging.getLogger(__name__)

type Activity = Callable[[dict[str, Any]], Contract | Json | None]
type ClientActivity = Callable[[dict[str, Any], df.DurableOrchestrationClient], Coroutine[Any, Any, dict[str, Any]]]

PHASES = {
    "make_plan": Phase.PLANNING,
    "start_validation": Phase.PLANNING,
    "check_operation": Phase.PLANNING,
    "check_approval": Phase.AWAITING_APPROVAL,
    "reserve_landing": Phase.AWAITING_LANDING,
    "settle_landing": Phase.AWAITING_LANDING,
    "start_restore": Phase.RESTORING,
    "find_job": Phase.RESTORING,
    "check_job": Phase.RESTORING,
    "close_landing": Phase.RESTORING,
    "open_import": Phase.IMPORTING,
    "check_import": Phase.IMPORTING,
    "survey_landing": Phase.IMPORTING,
    "enter_target": Phase.IMPORTING,
    "leave_target": Phase.IMPORTING,
    "import_roles": Phase.IMPORTING,
    "run_script": Phase.IMPORTING,
    "load_database": Phase.IMPORTING,
    "load_pieces": Phase.IMPORTING,
    "verify_database": Phase.IMPORTING,
    "promote_database": Phase.IMPORTING,
    "discard_database": Phase.IMPORTING,
    "verify_restore": Phase.VERIFYING,
}
"""The phases whose work these activities do; files are imported while the restore itself may still be Restoring."""


def plain[F: Callable[..., Any]](activity: F) -> F:
    """The activity with annotations that the Python worker takes: it refuses parametrized ones."""
    activity.__annotations__ = {**activity.__annotations__, "subject": dict, "return": dict}
    return activity


def answering(work: Activity) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """An activity that answers an outcome."""

    @plain
    @wraps(work)
    def activity(subject: dict[str, Any]) -> dict[str, Any]:
        with _told(work.__name__, subject) as told:
            try:
                value = work(subject)
            except PermanentError as error:
                _log.warning("%s: %s: %s", work.__name__, error.code, error.text)
                told.failed(error.code)
                return failure(error)
            except ServiceBusy as error:
                if not error.retry_after:
                    raise
                _log.info("%s: again in %s s: %s", work.__name__, error.retry_after, error.text)
                told.failed(type(error).__name__)
                return busy(error)
            return success(wire(value))

    return activity


def answering_with_client(work: ClientActivity) -> ClientActivity:
    """An activity that holds the durable client, and makes its outcome itself."""

    @plain
    @wraps(work)
    async def activity(subject: dict[str, Any], client: df.DurableOrchestrationClient) -> dict[str, Any]:
        with _told(work.__name__, subject) as told:
            answer = await work(subject, client)
            told.answered(answer)
            return answer

    return activity


@contextmanager
def _told(activity: str, subject: Json) -> Iterator[Work]:
    """The lines of its log say what it is about; a span and a measurement say what came of it."""
    began, work = monotonic(), Work()
    try:
        with about(**_about(activity, subject)), working(activity, work):
            yield work
    finally:
        add(ACTIVITY_SECONDS, monotonic() - began, activity=activity, outcome=work.outcome)


def _about(activity: str, subject: Json) -> dict[str, str]:
    """What an activity's input tells of it."""
    parts = [part for part in (subject, subject.get("job"), subject.get("request")) if isinstance(part, dict)]
    instance = str(subject.get("instanceId") or "")
    file: Json = next((part["file"] for part in parts if isinstance(part.get("file"), dict)), {})
    progress = subject.get("progress") or {}
    return {
        "restore": next(
            (str(part["requestId"]) for part in parts if part.get("requestId")), instance.partition(":")[0]
        ),
        "phase": str(subject.get("phase") or progress.get("phase") or PHASES.get(activity, "")),
        "file": str(file.get("name") or ""),
        "database": str(file.get("database") or ""),
    }
