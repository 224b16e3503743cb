"""One restore of a datasource at a time: who waits for it holds no landing container, and others pass."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from activities.landing import close_landing, release_landing, reserve_landing
from local.environment import Services
from local.vault.faults import JobFault
from shared.contracts.importing import LandingRef
from shared.contracts.plan import BackupInstanceRef
from shared.contracts.vaultjobs import RestoreOrder
from shared.contracts.watch import Sighting
from shared.decisions import close
from shared.storage import reservations
from shared.storage.ledger import Ledger
from shared.topology import LANDING_CONTAINERS
from shared.vault import instances, operations

FIRST, SECOND = LANDING_CONTAINERS
type Configure = Callable[..., None]
type Wait = Callable[[Callable[[], Any], str], Any]


@pytest.fixture
def orders(app: Services) -> BackupInstanceRef:  # noqa: ARG001 -- settings first
    return instances.resolve("orders")


@pytest.fixture
def history(app: Services) -> BackupInstanceRef:  # noqa: ARG001 -- settings first
    return instances.resolve("history")


def reserve(request_id: str, instance: BackupInstanceRef, priority: str = "normal") -> Sighting:
    subject = {"requestId": request_id, "priority": priority, "mode": "full", "instance": instance.to_wire()}
    outcome = reserve_landing(subject)
    assert outcome["ok"], outcome
    return Sighting.from_wire(outcome["value"])


def release(request_id: str) -> None:
    assert release_landing({"requestId": request_id, "phase": "Failed", "brought": ""})["ok"]


def test_a_second_restore_of_the_datasource_waits_without_a_container_and_others_pass(
    orders: BackupInstanceRef, history: BackupInstanceRef
) -> None:
    assert reserve("a", orders).value == {"container": FIRST}
    seen = reserve("b", orders)
    assert (seen.ended, seen.status) == (False, "restore a is about to restore orders-prod")
    assert reserve("c", history).value == {"container": SECOND}
    assert [held.request_id for held in reservations.every()] == ["a", "c"]

    close_landing(LandingRef(request_id="a", container=FIRST, reserved=True).to_wire())
    assert reserve("b", orders).status.startswith(f"{FIRST} is reserved by restore a")
    release("a")
    assert reserve("b", orders).value == {"container": FIRST}


def test_who_waits_for_a_datasource_is_served_by_priority_and_then_by_time(orders: BackupInstanceRef) -> None:
    reserve("a", orders)
    for request_id, priority in (("low", "low"), ("first", "normal"), ("second", "normal")):
        assert not reserve(request_id, orders, priority).ended
    release("a")

    assert reserve("second", orders).status == "restore first is first"
    assert reserve("low", orders, "low").status == "restore first is first; restore second is first"
    assert reserve("first", orders).ended


def test_a_restore_that_is_given_up_leaves_the_line(orders: BackupInstanceRef) -> None:
    reserve("a", orders)
    reserve("b", orders)
    reserve("c", orders)
    release("b")
    release("a")

    assert reserve("c", orders).ended


def test_somebody_elses_job_is_waited_for_and_named(
    app: Services, order: RestoreOrder, orders: BackupInstanceRef, history: BackupInstanceRef, wait: Wait
) -> None:
    app.vault.inject(JobFault(outcome="Hang", after_files=0))
    operations.start_restore(order)
    seen = reserve("b", orders)

    assert not seen.ended
    assert f"(restore {order.request_id}) runs on orders-prod" in seen.status
    assert reservations.every() == []
    assert reserve("c", history).ended
    app.vault.clear_faults()
    wait(lambda: reserve("b", orders).ended, "the datasource's turn")


def test_a_busy_datasource_is_a_refusal_where_restores_are_not_to_wait(
    orders: BackupInstanceRef, configure: Configure
) -> None:
    configure(FLEX_RESTORE_BUSY_DATASOURCE="fail")
    reserve("a", orders)
    subject = {"requestId": "b", "priority": "normal", "mode": "full", "instance": orders.to_wire()}
    outcome = reserve_landing(subject)

    assert outcome["error"]["code"] == "DatasourceBusy"
    assert outcome["error"]["message"].startswith("restore a is about to restore orders-prod. Send the request again")
    assert [held.request_id for held in reservations.every()] == ["a"]


def test_an_ended_restore_whose_container_stays_reserved_holds_no_datasource(orders: BackupInstanceRef) -> None:
    """Whether its job still runs, the vault's list tells."""
    reserve("a", orders)
    close(Ledger("a"))

    assert reserve("b", orders).value == {"container": SECOND}


def test_a_look_that_is_taken_again_answers_the_same_whoever_came_meanwhile(orders: BackupInstanceRef) -> None:
    """A final reservation is never withdrawn, not even when a rival's shows beside it for a moment."""
    first = reserve("a", orders)
    reservations.reserve("b", datasource=orders.datasource_id)

    assert reserve("a", orders) == first
    assert not reserve("b", orders).ended
    assert [held.request_id for held in reservations.every()] == ["a"]


def test_of_many_at_once_one_gets_the_datasource_and_all_come_to_their_turn(orders: BackupInstanceRef) -> None:
    names = [f"r{number}" for number in range(4)]
    ready = Barrier(len(names))

    def one(name: str) -> bool:
        ready.wait(10)
        return reserve(name, orders).ended

    served: list[str] = []
    with ThreadPoolExecutor(len(names)) as threads:
        for _ in range(20):
            winners = [name for name, won in zip(names, threads.map(one, names), strict=True) if won]
            assert len(winners) <= 1
            assert {held.request_id for held in reservations.every()} == set(winners)
            for name in winners:
                release(name)
                names.remove(name)
                ready = Barrier(max(1, len(names)))
            served += winners
            if not names:
                break

    assert sorted(served) == ["r0", "r1", "r2", "r3"]
