"""Turns at a target server: who comes late takes none, and who gives one back wakes the next."""

import asyncio
from typing import Any

import pytest
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from activities.instances import call_next, check_import
from activities.landing import close_landing, release_landing, reserve_landing
from activities.targets import enter_target, leave_target
from shared import decisions
from shared.contracts.importing import LandingRef
from shared.contracts.plan import BackupInstanceRef, Plan, TargetRef
from shared.contracts.request import read_request
from shared.storage import imports, waiting
from shared.storage.ledger import Ledger
from shared.topology import LANDING_CONTAINERS
from shared.vault import instances

pytestmark = pytest.mark.usefixtures("app")


class Engine:
    """The durable client, as far as these activities ask it."""

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.known: dict[str, Any] = {}

    async def raise_event(self, instance_id: str, _name: str, _data: Any) -> None:
        self.woken.append(instance_id)

    async def get_status(self, instance_id: str) -> Any:
        return DurableOrchestrationStatus.from_json(self.known.get(instance_id, "not found"))


def restore(request_id: str) -> dict[str, Any]:
    """A restore whose files have landed: where."""
    asked = {"requestId": request_id, "source": {"container": LANDING_CONTAINERS[0], "backupName": "b"}}
    target = TargetRef(alias="drill", host="h", version="18.6")
    Ledger(request_id).write("plan", Plan(request=read_request({**asked, "target": "drill"}), target=target))
    return LandingRef(request_id=request_id, container=LANDING_CONTAINERS[0], reserved=False).to_wire()


def called(given_back: dict[str, Any]) -> list[str]:
    """Who is woken when something was given back."""
    assert given_back["ok"], given_back
    engine = Engine()
    assert asyncio.run(call_next(given_back["value"], engine))["ok"]
    return engine.woken


def reserve(request_id: str, instance: BackupInstanceRef) -> bool:
    subject = {"requestId": request_id, "priority": "normal", "mode": "full", "instance": instance.to_wire()}
    return bool(reserve_landing(subject)["value"]["ended"])


def test_an_import_whose_restore_has_ended_meanwhile_takes_no_place_and_stands_in_no_line() -> None:
    """Nobody would give it back."""
    where = restore("late")
    decisions.close(Ledger("late"))

    assert enter_target(where)["error"]["code"] == "RestoreEnded"
    assert imports.importing("drill") == {}
    assert waiting.first(imports.line("drill")) == []


def test_who_leaves_a_target_wakes_the_import_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.targets.import_limit", lambda _: 1)
    first, second = restore("first"), restore("second")
    assert enter_target(first)["value"]["ended"]
    assert not enter_target(second)["value"]["ended"]

    assert called(leave_target(first)) == ["second:import"]


@pytest.mark.parametrize("ending", ["closed", "released before it was closed"])
def test_who_gives_back_a_datasource_wakes_the_next(ending: str) -> None:
    """A restore that the vault refuses gives back its container without a backup job that ends."""
    orders = instances.resolve("orders")
    assert reserve("a", orders)
    assert not reserve("b", orders)
    where = LandingRef(request_id="a", container=LANDING_CONTAINERS[0], reserved=True).to_wire()
    ended = {"requestId": "a", "phase": "Rejected", "brought": ""}

    assert called(close_landing(where) if ending == "closed" else release_landing(ended)) == ["b:landing"]


def test_an_import_that_waits_for_its_turn_says_so_to_its_restore() -> None:
    engine = Engine()
    at = "2026-04-01T02:30:00Z"
    engine.known["r:import"] = {
        "name": "import_set",
        "instanceId": "r:import",
        "runtimeStatus": "Running",
        "createdTime": at,
        "lastUpdatedTime": at,
        "customStatus": {"waiting": "restore INC-7 imports into drill"},
    }
    seen = asyncio.run(check_import({"instanceId": "r:import"}, engine))

    assert (seen["value"]["ended"], seen["value"]["status"]) == (False, "restore INC-7 imports into drill")
