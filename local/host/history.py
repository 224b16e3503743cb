"""History events of the durable protocol, as the SDK reads them.

The SDK needs EventType, EventId, IsPlayed and Timestamp in every event; ExecutionStarted needs Version; a completed
task needs Result even when it is null; the first two events must be OrchestratorStarted and ExecutionStarted.
"""

import json
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

Event = dict[str, Any]

# Error text beyond this is cut: it is kept in each history and sent to the worker on each turn.
_MAX_DETAILS = 8 * 1024


class EventType(IntEnum):
    """Kinds of history events, with the numbers of the protocol."""

    EXECUTION_STARTED = 0
    EXECUTION_COMPLETED = 1
    EXECUTION_FAILED = 2
    EXECUTION_TERMINATED = 3
    TASK_SCHEDULED = 4
    TASK_COMPLETED = 5
    TASK_FAILED = 6
    CHILD_CREATED = 7
    CHILD_COMPLETED = 8
    CHILD_FAILED = 9
    TIMER_CREATED = 10
    TIMER_FIRED = 11
    ORCHESTRATOR_STARTED = 12
    ORCHESTRATOR_COMPLETED = 13
    EVENT_RAISED = 15
    CONTINUE_AS_NEW = 16
    EXECUTION_SUSPENDED = 19
    EXECUTION_RESUMED = 20


# The names that the management API shows, which are those of the Durable Task Framework.
TYPE_NAMES = {
    EventType.EXECUTION_STARTED: "ExecutionStarted",
    EventType.EXECUTION_COMPLETED: "ExecutionCompleted",
    EventType.EXECUTION_FAILED: "ExecutionFailed",
    EventType.EXECUTION_TERMINATED: "ExecutionTerminated",
    EventType.TASK_SCHEDULED: "TaskScheduled",
    EventType.TASK_COMPLETED: "TaskCompleted",
    EventType.TASK_FAILED: "TaskFailed",
    EventType.CHILD_CREATED: "SubOrchestrationInstanceCreated",
    EventType.CHILD_COMPLETED: "SubOrchestrationInstanceCompleted",
    EventType.CHILD_FAILED: "SubOrchestrationInstanceFailed",
    EventType.TIMER_CREATED: "TimerCreated",
    EventType.TIMER_FIRED: "TimerFired",
    EventType.ORCHESTRATOR_STARTED: "OrchestratorStarted",
    EventType.ORCHESTRATOR_COMPLETED: "OrchestratorCompleted",
    EventType.EVENT_RAISED: "EventRaised",
    EventType.CONTINUE_AS_NEW: "ContinueAsNew",
    EventType.EXECUTION_SUSPENDED: "ExecutionSuspended",
    EventType.EXECUTION_RESUMED: "ExecutionResumed",
}


def timestamp(moment: float) -> str:
    """A time in seconds since the epoch as the protocol writes it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def moment(text: str) -> float:
    """A time of the protocol in seconds since the epoch; a time without a zone is UTC."""
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


dumps = json.JSONEncoder(separators=(",", ":")).encode
"""Compact JSON."""


def event(kind: EventType, at: float, event_id: int = -1, **fields: object) -> Event:
    """A new event that no turn has seen yet."""
    return {"EventType": int(kind), "EventId": event_id, "IsPlayed": False, "Timestamp": timestamp(at), **fields}


def execution_started(name: str, document: str | None, at: float, version: str | None = None) -> Event:
    """The start of an orchestration; `document` is the input's JSON text."""
    return event(EventType.EXECUTION_STARTED, at, Name=name, Input=document, Version=version)


def task_completed(task_id: int, result: str | None, at: float) -> Event:
    """An activity's result, as JSON text."""
    return event(EventType.TASK_COMPLETED, at, TaskScheduledId=task_id, Result=result)


def task_failed(task_id: int, reason: str, details: str, at: float) -> Event:
    """An activity's failure."""
    return event(EventType.TASK_FAILED, at, TaskScheduledId=task_id, Reason=_cut(reason), Details=_cut(details))


def child_completed(task_id: int, result: str | None, at: float) -> Event:
    """A child orchestration's result, as JSON text."""
    return event(EventType.CHILD_COMPLETED, at, TaskScheduledId=task_id, Result=result)


def child_failed(task_id: int, reason: str, at: float) -> Event:
    """A child orchestration's failure, or its termination."""
    return event(EventType.CHILD_FAILED, at, TaskScheduledId=task_id, Reason=_cut(reason), Details="")


def timer_fired(task_id: int, fire_at: float) -> Event:
    """A timer that is due."""
    return event(EventType.TIMER_FIRED, fire_at, TimerId=task_id, FireAt=timestamp(fire_at))


def event_raised(name: str, document: str, at: float) -> Event:
    """An external event; `document` is the body's JSON text."""
    return event(EventType.EVENT_RAISED, at, Name=name, Input=document)


def control(kind: EventType, reason: str, at: float) -> Event:
    """A suspension, resumption or termination; the SDK never sees these."""
    return event(kind, at, Input=reason)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_DETAILS else text[:_MAX_DETAILS] + "…"
