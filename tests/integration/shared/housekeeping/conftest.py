"""Restores that ended some days ago, as they leave their records; and an engine that says what is at work."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus
from azure.storage.blob import BlobServiceClient

from activities import housekeeping
from shared.contracts.events import HousekeepingData
from shared.contracts.files import Listing
from shared.contracts.plan import Plan, RecoveryPointRef, TargetRef
from shared.contracts.progress import Phase, PhaseEntry, RestoreProgress
from shared.contracts.request import read_request
from shared.contracts.status import About
from shared.contracts.vaultjobs import RestoreOrder
from shared.storage import landing, register
from shared.storage.accounts import queue_service
from shared.storage.ledger import Ledger, remember_set
from shared.topology import APP_STORAGE, EVENT_QUEUE, LANDING_CONTAINERS

FIRST = LANDING_CONTAINERS[0]
OVER = {"Completed", "Failed", "Terminated"}


@dataclass
class Engine:
    """The durable client, as far as housekeeping asks it."""

    instances: dict[str, dict[str, Any]] = field(default_factory=dict)
    woken: list[str] = field(default_factory=list)

    def add(self, instance: str, status: str = "Running", days: float = 0, **shown: Any) -> None:
        at = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        name = "restore" if ":" not in instance else "watch_job"
        known = {"name": name, "instanceId": instance, "runtimeStatus": status, "createdTime": at}
        self.instances[instance] = {**known, "lastUpdatedTime": at, **shown}

    async def get_status(self, instance: str, **_options: bool) -> DurableOrchestrationStatus:
        return DurableOrchestrationStatus.from_json(self.instances.get(instance, "not found"))

    async def get_status_by(
        self,
        created_time_from: datetime | None = None,
        created_time_to: datetime | None = None,
        runtime_status: list[df.OrchestrationRuntimeStatus] | None = None,
        instance_id_prefix: str = "",
    ) -> list[DurableOrchestrationStatus]:
        """The first hundred, as the SDK reads them."""
        every = [DurableOrchestrationStatus.from_json(one) for one in self.instances.values()]
        return [
            one
            for one in every
            if one.instance_id.startswith(instance_id_prefix)
            and (created_time_from is None or one.created_time >= created_time_from)
            and (created_time_to is None or one.created_time <= created_time_to)
            and (runtime_status is None or one.runtime_status in runtime_status)
        ][:100]

    async def raise_event(self, instance: str, _name: str, _data: Any) -> None:
        self.woken.append(instance)

    async def purge_instance_history(self, instance: str) -> None:
        known = self.instances.get(instance)
        assert known is None or known["runtimeStatus"] in OVER, f"{instance} was purged while it ran"
        self.instances.pop(instance, None)


@dataclass
class House:
    """A house to keep: what restores have left in it, and the chores."""

    engine: Engine
    storage: BlobServiceClient

    def restore(
        self,
        request_id: str,
        phase: Phase = Phase.COMPLETED,
        days: float = 100,
        order: RestoreOrder | None = None,
        **request: Any,
    ) -> Ledger:
        """The row and the plan of a restore that entered its last phase so many days ago."""
        at = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        asked = {
            "requestId": request_id,
            "source": {"backupInstance": "orders"},
            "target": "drill",
            **request,
        }
        progress = RestoreProgress(phase=phase, phases=(PhaseEntry(phase=phase, at=at),))
        register.enter(request_id, About.of(asked), progress)
        ledger = Ledger(request_id)
        target = TargetRef(alias="drill", host="127.0.0.1", version="18.6")
        plan = Plan(request=read_request(asked), target=target)
        if order is not None:
            point = RecoveryPointRef(id=order.recovery_point, time=datetime.now(UTC))
            plan = plan.model_copy(update={"instance": order.instance, "recovery_point": point})
        ledger.write("plan", plan)
        return ledger

    def bring(self, request_id: str, *names: str, container: str = FIRST, backup: str = "b") -> Listing:
        """Files that the restore's job has brought."""
        for name in names:
            self.storage.get_blob_client(container, name).upload_blob(b"x", overwrite=True)
        listing = landing.list_files(container, backup, closed=True)
        Ledger(request_id).write("listing", listing)
        remember_set(container, backup, request_id)
        return listing

    def names(self, container: str = FIRST) -> set[str]:
        return set(self.storage.get_container_client(container).list_blob_names())

    def keep(self, chore: str, began: str = "", **subject: Any) -> HousekeepingData:
        """Carry out a chore in a round of its own."""
        outcome = self.call(chore, {"began": began or datetime.now(UTC).isoformat(), **subject})
        assert outcome["ok"], outcome
        return HousekeepingData.from_wire(outcome["value"])

    def events(self) -> list[dict[str, Any]]:
        """The events in the queue, which are taken from it."""
        with queue_service(APP_STORAGE).get_queue_client(EVENT_QUEUE) as queue, suppress(ResourceNotFoundError):
            messages = list(queue.receive_messages(max_messages=32))
            for message in messages:
                queue.delete_message(message)
            return [json.loads(message.content) for message in messages]
        return []

    def call(self, activity: str, subject: dict[str, Any]) -> dict[str, Any]:
        work: Callable[..., Coroutine[Any, Any, dict[str, Any]]] = getattr(housekeeping, activity)
        return asyncio.run(work(subject, self.engine))


@pytest.fixture
def house(app: object, storage: BlobServiceClient) -> House:  # noqa: ARG001 -- settings first
    return House(Engine(), storage)
