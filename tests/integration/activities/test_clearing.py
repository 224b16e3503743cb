"""The landing container of a cancelled restore is cleared by an instance of its own, which is started once."""

import asyncio
from typing import Any

import pytest
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from activities.instances import open_clearing
from shared.contracts.files import Reservation
from shared.contracts.plan import Plan, RecoveryPointRef, TargetRef
from shared.contracts.request import read_request
from shared.contracts.vaultjobs import RestoreOrder
from shared.storage import reservations
from shared.storage.ledger import Ledger


class Engine:
    """The durable client, as far as this activity asks it."""

    def __init__(self) -> None:
        self.instances: dict[str, str] = {}
        self.started: list[str] = []

    async def start_new(self, _orchestrator: str, instance_id: str, _subject: Any) -> None:
        self.started.append(instance_id)
        self.instances[instance_id] = "Running"

    async def get_status(self, instance_id: str, **_options: bool) -> DurableOrchestrationStatus:
        if instance_id not in self.instances:
            return DurableOrchestrationStatus.from_json("not found")
        at = "2026-04-01T02:30:00Z"
        state = {"name": "clear_landing", "instanceId": instance_id, "createdTime": at, "lastUpdatedTime": at}
        return DurableOrchestrationStatus.from_json({**state, "runtimeStatus": self.instances[instance_id]})


@pytest.fixture
def cancelled(order: RestoreOrder) -> dict[str, Any]:
    """A restore that was cancelled while the vault writes into its container."""
    asked = {"requestId": order.request_id, "source": {"backupInstance": "orders"}, "target": "drill"}
    plan = Plan(request=read_request(asked), target=TargetRef(alias="drill", host="h", version="18.6"))
    point = RecoveryPointRef(id=order.recovery_point, time="2026-04-01T02:30:00Z")
    plan = plan.model_copy(update={"instance": order.instance, "recovery_point": point})
    Ledger(order.request_id).write("plan", plan)
    assert isinstance(reservations.reserve(order.request_id), Reservation)
    return {"requestId": order.request_id, "container": order.container}


def test_it_is_started_once(cancelled: dict[str, Any]) -> None:
    engine = Engine()
    first, again = (asyncio.run(open_clearing(cancelled, engine)) for _ in range(2))

    assert (first["value"], again["value"]) == ({"started": True}, {"started": False})
    assert engine.started == [f"{cancelled['requestId']}:clearing"]


def test_a_repeated_attempt_that_comes_after_its_end_is_content(cancelled: dict[str, Any]) -> None:
    """The container is free by then: nobody is told that the vault may still write into it."""
    engine = Engine()
    asyncio.run(open_clearing(cancelled, engine))
    reservations.release(cancelled["container"], cancelled["requestId"])
    engine.instances = dict.fromkeys(engine.instances, "Completed")

    assert asyncio.run(open_clearing(cancelled, engine)) == {"ok": True, "value": {"started": False}}


def test_a_container_that_the_restore_does_not_own_is_not_cleared(cancelled: dict[str, Any]) -> None:
    engine = Engine()
    reservations.release(cancelled["container"], cancelled["requestId"])

    assert asyncio.run(open_clearing(cancelled, engine))["error"]["code"] == "LandingFailed"
    assert engine.started == []
