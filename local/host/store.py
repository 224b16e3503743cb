"""The durable state of orchestrations: instances, their histories, their inboxes, and activities to run."""

import itertools
import json
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass
from enum import StrEnum
from typing import Any

from local.host.database import Database
from local.host.history import Event, dumps


class Status(StrEnum):
    """Runtime statuses, with the names of the management API."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    COMPLETED = "Completed"
    FAILED = "Failed"
    TERMINATED = "Terminated"

    @property
    def is_terminal(self) -> bool:
        """Whether an instance in this status has ended."""
        return self in {Status.COMPLETED, Status.FAILED, Status.TERMINATED}


@dataclass(frozen=True, slots=True)
class Parent:
    """The task of another orchestration that waits for this one."""

    instance_id: str
    execution: str
    task_id: int


@dataclass(frozen=True, slots=True)
class Instance:
    """An orchestration. `execution` names one run of it: a start, or the part after a continue_as_new.

    `input`, `output` and `custom_status` are JSON texts; times are seconds since the epoch.
    """

    instance_id: str
    name: str
    execution: str
    status: Status
    input: str | None
    output: str | None
    custom_status: str | None
    parent: Parent | None
    created: float
    updated: float


@dataclass(frozen=True, slots=True)
class Message:
    """An event that waits for an instance's next turn; `execution` is the one it is for, None for any."""

    id: int
    execution: str | None
    event: Event


@dataclass(frozen=True, slots=True)
class Activity:
    """An activity to run, or running."""

    id: int
    instance_id: str
    execution: str
    task_id: int
    name: str
    input: str | None


@dataclass(frozen=True, slots=True)
class InstanceFilter:
    """Which instances to list; times in seconds since the epoch. `after` is the id of the last one known already."""

    created_from: float | None = None
    created_to: float | None = None
    statuses: Sequence[str] = ()
    prefix: str | None = None
    after: str | None = None
    limit: int | None = None


class Store:
    """Reads and writes of the durable tables; what belongs together is written in one `transaction`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._execute = database.execute
        self.committed = database.committed
        # Counted here, so that no id is used again while somebody may still speak of it.
        self._message_ids = itertools.count(self._last_id("inbox") + 1)
        self._activity_ids = itertools.count(self._last_id("activities") + 1)

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing of what is written inside; on disk after `committed`."""
        return self._database.transaction()

    def add_instance(self, instance: Instance) -> None:
        """Write a new instance."""
        parent = instance.parent
        self._execute(
            "INSERT INTO instances VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                instance.instance_id,
                instance.name,
                instance.execution,
                instance.status,
                instance.input,
                instance.output,
                instance.custom_status,
                parent and parent.instance_id,
                parent and parent.execution,
                parent and parent.task_id,
                instance.created,
                instance.updated,
            ),
        )

    def update_instance(self, instance: Instance) -> None:
        """Write what a turn can change of an instance."""
        self._execute(
            "UPDATE instances SET execution = ?, status = ?, input = ?, output = ?, custom_status = ?, updated = ?"
            " WHERE instance_id = ?",
            (
                instance.execution,
                instance.status,
                instance.input,
                instance.output,
                instance.custom_status,
                instance.updated,
                instance.instance_id,
            ),
        )

    def instance(self, instance_id: str) -> Instance | None:
        """The instance of an id."""
        row = self._execute("SELECT * FROM instances WHERE instance_id = ?", (instance_id,)).fetchone()
        return row and _instance(row)

    def instances(self, wanted: InstanceFilter) -> list[Instance]:
        """The instances that fit a filter, by id."""
        clauses = {
            "created >= ?": wanted.created_from,
            "created <= ?": wanted.created_to,
            "instance_id > ?": wanted.after,
        }
        conditions = [text for text, value in clauses.items() if value is not None]
        values: list[Any] = [value for value in clauses.values() if value is not None]
        if wanted.statuses:
            conditions.append(f"status IN ({', '.join('?' * len(wanted.statuses))})")
            values += wanted.statuses
        if wanted.prefix:
            conditions.append("substr(instance_id, 1, ?) = ?")
            values += [len(wanted.prefix), wanted.prefix]
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        limit = -1 if wanted.limit is None else wanted.limit
        rows = self._execute(f"SELECT * FROM instances {where} ORDER BY instance_id LIMIT ?", [*values, limit])
        return [_instance(row) for row in rows]

    def delete_instance(self, instance_id: str) -> None:
        """Delete an instance with its history and inbox; activities of it that still run come to nothing."""
        for table in ("instances", "history", "inbox"):
            self._execute(f"DELETE FROM {table} WHERE instance_id = ?", (instance_id,))

    def history(self, instance_id: str) -> list[str]:
        """The events of an instance's current execution, as JSON texts."""
        rows = self._execute("SELECT event FROM history WHERE instance_id = ? ORDER BY position", (instance_id,))
        return [row[0] for row in rows]

    def append_history(self, instance_id: str, position: int, events: Iterable[Event]) -> None:
        """Add events from a position on; from now on they are played ones."""
        self._database.executemany(
            "INSERT INTO history VALUES (?, ?, ?)",
            [(instance_id, position + i, dumps({**item, "IsPlayed": True})) for i, item in enumerate(events)],
        )

    def clear_history(self, instance_id: str) -> None:
        """Forget an instance's events: a new execution begins."""
        self._execute("DELETE FROM history WHERE instance_id = ?", (instance_id,))

    def post(self, instance_id: str, event: Event, due: float, execution: str | None = None) -> None:
        """Put an event into an instance's inbox."""
        self._execute(
            "INSERT INTO inbox (id, instance_id, execution, due, event) VALUES (?, ?, ?, ?, ?)",
            (next(self._message_ids), instance_id, execution, due, dumps(event)),
        )

    def set_timer(self, instance_id: str, execution: str, task_id: int, due: float, event: Event) -> None:
        """Put a timer's event into an instance's inbox, for later."""
        self._execute(
            "INSERT INTO inbox VALUES (?, ?, ?, ?, ?, ?)",
            (next(self._message_ids), instance_id, execution, due, task_id, dumps(event)),
        )

    def cancel_timers(self, instance_id: str, execution: str, task_ids: Iterable[int] | None = None) -> None:
        """Take timers of an execution back: those of the given ids, or all."""
        text = "DELETE FROM inbox WHERE instance_id = ? AND execution = ? AND timer_id IS NOT NULL"
        if task_ids is None:
            self._execute(text, (instance_id, execution))
        else:
            rows = [(instance_id, execution, task_id) for task_id in task_ids]
            self._database.executemany(f"{text} AND timer_id = ?", rows)

    def due_messages(self, instance_id: str, now: float) -> list[Message]:
        """What an instance's next turn is about, in the order in which it happened."""
        rows = self._execute(
            "SELECT id, execution, event FROM inbox WHERE instance_id = ? AND (timer_id IS NULL OR due <= ?)"
            " ORDER BY due, id",
            (instance_id, now),
        )
        return [Message(row[0], row[1], json.loads(row[2])) for row in rows]

    def delete_messages(self, messages: Iterable[Message]) -> None:
        """Take messages out of the inbox: a turn has dealt with them."""
        self._database.executemany("DELETE FROM inbox WHERE id = ?", [(message.id,) for message in messages])

    def clear_inbox(self, instance_id: str) -> None:
        """Empty an instance's inbox: it has ended."""
        self._execute("DELETE FROM inbox WHERE instance_id = ?", (instance_id,))

    def instances_due(self, after: float, until: float) -> list[str]:
        """The instances with a timer in a span of time, the beginning excluded."""
        rows = self._execute(
            "SELECT DISTINCT instance_id FROM inbox WHERE timer_id IS NOT NULL AND due > ? AND due <= ?",
            (after, until),
        )
        return [row[0] for row in rows]

    def next_timer(self, after: float) -> float | None:
        """The time of the first timer after a time."""
        row = self._execute("SELECT min(due) FROM inbox WHERE timer_id IS NOT NULL AND due > ?", (after,)).fetchone()
        due: float | None = row[0]
        return due

    def instances_with_messages(self, now: float) -> list[str]:
        """The instances whose inbox has something due."""
        rows = self._execute("SELECT DISTINCT instance_id FROM inbox WHERE timer_id IS NULL OR due <= ?", (now,))
        return [row[0] for row in rows]

    def add_activity(self, instance: Instance, task_id: int, name: str, document: str | None) -> Activity:
        """Note an activity to run; it stays noted until its result is in an inbox."""
        activity = Activity(next(self._activity_ids), instance.instance_id, instance.execution, task_id, name, document)
        self._execute("INSERT INTO activities VALUES (?, ?, ?, ?, ?, ?)", astuple(activity))
        return activity

    def activities(self) -> list[Activity]:
        """The activities that have no result, oldest first."""
        return [Activity(*row) for row in self._execute("SELECT * FROM activities ORDER BY id")]

    def delete_activity(self, activity_id: int) -> None:
        """Forget an activity: it has a result."""
        self._execute("DELETE FROM activities WHERE id = ?", (activity_id,))

    def _last_id(self, table: str) -> int:
        last: int = self._execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]
        return last


def _instance(row: tuple[Any, ...]) -> Instance:
    instance_id, name, execution, status, input_, output, custom, parent, parent_execution, parent_task, *times = row
    return Instance(
        instance_id,
        name,
        execution,
        Status(status),
        input_,
        output,
        custom,
        Parent(parent, parent_execution, parent_task) if parent is not None else None,
        *times,
    )
