"""What a client can do to orchestration instances: start, signal, suspend, resume, terminate, restart, purge."""

import time
import unicodedata
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from local.host.functions import FunctionCatalog
from local.host.history import Event, EventType, control, event_raised, execution_started
from local.host.store import Instance, InstanceFilter, Parent, Status, Store
from local.host.versions import UNVERSIONED, Versions

_TERMINAL = [status for status in Status if status.is_terminal]
_LONGEST_ID = 256


class InvalidStartError(Exception):
    """An orchestration cannot be started like that: an instance may not have that id."""


class UnknownFunctionError(InvalidStartError):
    """There is no orchestrator of that name."""


class InstanceStateError(Exception):
    """The instance cannot be suspended or resumed in its state."""


class InstanceExistsError(Exception):
    """An instance of that id exists in a status that a new one may not replace."""


class InstanceNotFoundError(Exception):
    """There is no instance of that id."""


class InstanceGoneError(Exception):
    """The instance has ended."""


class Instances:
    """The instances of a task hub. `wake` is called with an instance's id when there is work for it."""

    def __init__(
        self,
        store: Store,
        functions: FunctionCatalog,
        *,
        replace_running: bool,
        wake: Callable[[str], None],
        versions: Versions = UNVERSIONED,
    ) -> None:
        self._store = store
        self._functions = functions
        self._replace_running = replace_running
        self._wake = wake
        self._versions = versions

    def get(self, instance_id: str) -> Instance:
        """The instance of an id.

        Raises:
            InstanceNotFoundError: there is none.
        """
        instance = self._store.instance(instance_id)
        if instance is None:
            raise InstanceNotFoundError(f"No instance with ID '{instance_id}' found.")
        return instance

    def running(self, instance_id: str) -> Instance:
        """The instance of an id, which has not ended.

        Raises:
            InstanceNotFoundError: there is none.
            InstanceGoneError: it has ended.
        """
        instance = self.get(instance_id)
        if instance.status.is_terminal:
            raise InstanceGoneError(f"The instance '{instance_id}' has ended: {instance.status}.")
        return instance

    def matching(self, wanted: InstanceFilter) -> list[Instance]:
        """The instances that fit a filter, by id."""
        return self._store.instances(wanted)

    def history(self, instance_id: str) -> list[str]:
        """The events of an instance, as JSON texts."""
        return self._store.history(instance_id)

    def start(self, name: str, instance_id: str | None, document: str | None, version: str | None = None) -> Instance:
        """Start an orchestration; `document` is its input's JSON text.

        Raises:
            UnknownFunctionError: the app has no such orchestrator.
            InvalidStartError: the id is none.
            InstanceExistsError: the id is taken.
        """
        if self._functions.find("orchestrationTrigger", name) is None:
            raise UnknownFunctionError(unknown_function("orchestrator", name, self._functions))
        _check_id(instance_id or "")
        with self._store.transaction():
            instance = create(
                self._store,
                Start(name, instance_id or uuid.uuid4().hex, document, version or self._versions.default),
                replace_running=self._replace_running,
            )
        self._wake(instance.instance_id)
        return instance

    def restart(self, instance_id: str, *, new_id: bool) -> Instance:
        """Start an instance's orchestrator again with the same input.

        Raises:
            InstanceNotFoundError: there is none.
            UnknownFunctionError: the app has its orchestrator no more.
            InstanceExistsError: it is to keep its id and has not ended.
        """
        instance = self.get(instance_id)
        return self.start(instance.name, None if new_id else instance_id, instance.input)

    def raise_event(self, instance_id: str, name: str, document: str) -> None:
        """Send an external event; `document` is its data's JSON text.

        Raises:
            InstanceNotFoundError: there is no such instance.
            InstanceGoneError: it has ended.
        """
        self._post(instance_id, event_raised(name, document, time.time()))

    def terminate(self, instance_id: str, reason: str) -> None:
        """End an instance; what runs for it runs on, to nothing. Errors as with `raise_event`."""
        self._post(instance_id, control(EventType.EXECUTION_TERMINATED, reason, time.time()))

    def suspend(self, instance_id: str, reason: str) -> None:
        """Halt an instance; its events are kept. Errors as with `raise_event`, and `InstanceStateError`."""
        self._check_state(instance_id, "suspend", is_suspended=False)
        self._post(instance_id, control(EventType.EXECUTION_SUSPENDED, reason, time.time()))

    def resume(self, instance_id: str, reason: str) -> None:
        """Let a suspended instance go on. Errors as with `suspend`."""
        self._check_state(instance_id, "resume", is_suspended=True)
        self._post(instance_id, control(EventType.EXECUTION_RESUMED, reason, time.time()))

    def purge(self, instance_id: str) -> int:
        """Delete an instance that has ended; the number of deleted ones, 0 or 1."""
        instance = self._store.instance(instance_id)
        return 0 if instance is None or not instance.status.is_terminal else self._delete([instance])

    def purge_matching(self, wanted: InstanceFilter) -> int:
        """Delete the ended instances that fit a filter; how many there were."""
        statuses = [status for status in wanted.statuses or _TERMINAL if status in _TERMINAL]
        return self._delete(self._store.instances(replace(wanted, statuses=statuses))) if statuses else 0

    def _delete(self, instances: list[Instance]) -> int:
        with self._store.transaction():
            for instance in instances:
                self._store.delete_instance(instance.instance_id)
        return len(instances)

    def _post(self, instance_id: str, event: Event) -> None:
        with self._store.transaction():
            self.running(instance_id)
            self._store.post(instance_id, event, time.time())
        self._wake(instance_id)

    def _check_state(self, instance_id: str, verb: str, *, is_suspended: bool) -> None:
        status = self.running(instance_id).status
        if (status is Status.SUSPENDED) is not is_suspended:
            raise InstanceStateError(
                f"Cannot {verb} the orchestration instance {instance_id} because instance is in the {status} state."
            )


@dataclass(frozen=True, slots=True)
class Start:
    """An orchestration to be started; `document` is its input's JSON text."""

    name: str
    instance_id: str
    document: str | None
    version: str | None = None
    parent: Parent | None = None


def create(store: Store, start: Start, *, replace_running: bool) -> Instance:
    """Write a new instance and its first event, in the caller's transaction.

    Raises:
        InstanceExistsError: the id is taken.
    """
    existing = store.instance(start.instance_id)
    if existing is not None:
        if not (existing.status.is_terminal or replace_running):
            raise InstanceExistsError(f"An Orchestration instance with the status {existing.status} already exists.")
        store.delete_instance(start.instance_id)
    now = time.time()
    instance = Instance(
        instance_id=start.instance_id,
        name=start.name,
        execution=uuid.uuid4().hex,
        status=Status.PENDING,
        input=start.document,
        output=None,
        custom_status=None,
        parent=start.parent,
        created=now,
        updated=now,
    )
    store.add_instance(instance)
    started = execution_started(start.name, start.document, now, start.version)
    store.post(start.instance_id, started, now, instance.execution)
    return instance


def _check_id(instance_id: str) -> None:
    """The rules of the durable extension's DurableClient.cs."""
    if instance_id.startswith("@"):
        raise InvalidStartError("Orchestration instance ids must not start with @.")
    if any(character in "/\\#?" or unicodedata.category(character) == "Cc" for character in instance_id):
        raise InvalidStartError("Orchestration instance ids must not contain /, \\, #, ?, or control characters.")
    if len(instance_id) > _LONGEST_ID:
        raise InvalidStartError(f"Instance ID lengths must not exceed {_LONGEST_ID} characters.")


def unknown_function(kind: str, name: str, functions: FunctionCatalog) -> str:
    """The text for a function that the app does not have; `kind` is orchestrator or activity."""
    trigger = {"orchestrator": "orchestrationTrigger", "activity": "activityTrigger"}[kind]
    known = ", ".join(f"'{function.durable_name}'" for function in functions.of(trigger)) or "none"
    return (
        f"The function '{name}' doesn't exist, is disabled, or is not an {kind} function. "
        f"Additional info: The following are the known {kind} functions: {known}."
    )
