"""A history as the management API shows it.

The rules are those of DurableClient.cs of the durable extension: a task is shown once it has ended, with the time at
which it was scheduled; the beginnings and ends of turns are left out.
"""

import json
from collections.abc import Iterable
from typing import Any

from local.host.history import TYPE_NAMES, Event, EventType

_TURNS = {EventType.ORCHESTRATOR_STARTED, EventType.ORCHESTRATOR_COMPLETED}
_SCHEDULES = {EventType.TASK_SCHEDULED, EventType.CHILD_CREATED}
_ENDS = {EventType.TASK_COMPLETED, EventType.TASK_FAILED, EventType.CHILD_COMPLETED, EventType.CHILD_FAILED}
_NEVER_SHOWN = {"EventType", "EventId", "IsPlayed", "Version"}


def timeline(events: Iterable[Event], *, show_input: bool, show_output: bool) -> list[dict[str, Any]]:
    """The events as the API shows them, with or without inputs and results."""
    scheduled: dict[int, int] = {}
    shown: list[dict[str, Any] | None] = []
    for event in events:
        kind = EventType(event["EventType"])
        if kind in _TURNS:
            continue
        item = _shown(kind, event)
        if kind in _SCHEDULES:
            scheduled[event["EventId"]] = len(shown)
        elif kind in _ENDS:
            place = scheduled.get(item.pop("TaskScheduledId"))
            order = shown[place] if place is not None else None
            if place is not None and order is not None:
                shown[place] = None
                item.update(ScheduledTime=order["Timestamp"], FunctionName=order["Name"], Input=order.get("Input"))
        shown.append(item)
    hidden = {*(() if show_input else ("Input",)), *(() if show_output else ("Result",))}
    return [{name: value for name, value in item.items() if name not in hidden} for item in shown if item is not None]


def _shown(kind: EventType, event: Event) -> dict[str, Any]:
    item = {"EventType": TYPE_NAMES[kind], **{name: event[name] for name in event if name not in _NEVER_SHOWN}}
    if kind is EventType.EXECUTION_STARTED:
        item["FunctionName"] = item.pop("Name")
    elif kind is EventType.TIMER_FIRED:
        item.pop("TimerId")
    elif kind is EventType.EXECUTION_COMPLETED:
        item["OrchestrationStatus"] = "Completed"
    elif kind is EventType.EXECUTION_FAILED:
        # The Durable Task Framework has one event for both ends.
        item.update(EventType="ExecutionCompleted", OrchestrationStatus="Failed", Result=item.pop("Reason"))
        return item
    if isinstance(item.get("Result"), str):
        item["Result"] = json.loads(item["Result"])
    return item
