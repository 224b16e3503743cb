"""Restores that do not go on are told once, whatever crashes meanwhile; the dead get their end written."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.contracts.events import Event
from shared.contracts.progress import Phase
from shared.decisions import end
from shared.housekeeping import stuck
from shared.storage import register, reservations
from shared.storage.events import publish
from shared.storage.ledger import Ledger
from shared.topology import LANDING_CONTAINERS

FIRST = LANDING_CONTAINERS[0]
RUNNING = [phase for phase in Phase if not phase.is_terminal]


def row(request_id: str) -> Phase:
    return next(one.phase for one in register.restores() if one.request_id == request_id)


def test_a_restore_that_is_too_long_in_a_phase_is_told_once(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    for phase in RUNNING:
        house.restore(phase.value, phase, days=2)
        house.engine.add(phase.value)
    for _ in range(3):
        house.keep("report_stuck")
    told = sorted((event["subject"], event["data"]["phase"], event["data"]["ended"]) for event in house.events())

    assert told == sorted((phase.value, phase.value, None) for phase in RUNNING)
    assert [row(phase.value) for phase in RUNNING] == RUNNING
    assert end(Ledger("Importing")) is None
    lines = sorted(record.getMessage() for record in caplog.records if record.name == stuck.__name__)
    assert [" ".join(line.split()[:6]) for line in lines] == sorted(
        f"restore {phase.value} does not go on:" for phase in RUNNING
    )


def test_a_restore_that_just_entered_its_phase_is_not_stuck(house: Any) -> None:
    for phase in RUNNING:
        house.restore(phase.value, phase, days=0)
        house.engine.add(phase.value)
    house.keep("report_stuck")

    assert house.events() == []


def test_the_limit_of_a_phase_is_the_operators(house: Any, configure: Callable[..., None]) -> None:
    configure(FLEX_RESTORE_PHASE_LIMITS_HOURS='{"Importing": 100}')
    house.restore("r", Phase.IMPORTING, days=2)
    house.engine.add("r")
    house.keep("report_stuck")

    assert house.events() == []


def test_each_phase_is_told_of_its_own(house: Any) -> None:
    house.engine.add("r")
    house.restore("r", Phase.PLANNING, days=3)
    house.keep("report_stuck")
    house.restore("r", Phase.IMPORTING, days=2)
    house.keep("report_stuck")

    assert len({event["id"] for event in house.events()}) == 2


@pytest.mark.parametrize(
    ("status", "shown", "ended"),
    [
        ("Terminated", {"output": "by hand"}, Phase.CANCELLED),
        ("Failed", {"output": "the host lost it"}, Phase.FAILED),
        ("Completed", {"output": {"phase": "PartiallyFailed"}}, Phase.PARTIALLY_FAILED),
        (None, {}, Phase.FAILED),
    ],
)
def test_a_restore_that_nothing_works_for_is_told_once_and_gets_its_end(
    house: Any, status: str | None, shown: dict[str, Any], ended: Phase
) -> None:
    house.restore("r", Phase.IMPORTING, days=0 if status else 2)
    if status:
        house.engine.add("r", status, customStatus={"phase": "Importing"}, **shown)
    for _ in range(3):
        house.keep("report_stuck")
    (event,) = house.events()

    assert (event["data"]["phase"], event["data"]["ended"]) == ("Importing", ended.value)
    assert row("r") is ended
    assert end(Ledger("r")) is not None


def test_a_restore_that_the_engine_does_not_know_may_be_at_work_in_another_task_hub(house: Any) -> None:
    """A deployment slot with a hub of its own must not end the restores of the app."""
    house.restore("r", Phase.RESTORING, days=0.9)
    reservations.reserve("r")
    house.keep("report_stuck")

    assert house.events() == []
    assert row("r") is Phase.RESTORING
    assert house.call("find_abandoned", {"container": FIRST})["value"] is None


def test_a_restore_that_came_to_its_end_between_two_looks_is_not_dead(house: Any) -> None:
    house.restore("r", Phase.VERIFYING, days=2)
    (seen,) = register.restores()
    register.close(seen, Phase.COMPLETED, seen.updated_at)

    stuck.examine(seen, None)
    assert house.events() == []
    assert row("r") is Phase.COMPLETED


@pytest.mark.parametrize("dies", ["before", "after"])
def test_a_crash_around_the_event_tells_it_again_under_the_same_id(
    house: Any, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    def crash(event: Event) -> None:
        if dies == "after":
            publish(event)
        raise OSError("killed")

    house.restore("r", Phase.IMPORTING, days=2)
    house.engine.add("r")
    with monkeypatch.context() as crashing:
        crashing.setattr(stuck, "publish", crash)
        assert [one.name for one in house.keep("report_stuck").failed] == ["r"]
    for _ in range(2):
        house.keep("report_stuck")
    events = house.events()

    assert len(events) == (2 if dies == "after" else 1)
    assert len({(event["id"], event["time"]) for event in events}) == 1


def test_one_restore_that_cannot_be_looked_at_holds_up_no_other(house: Any) -> None:
    house.restore("r", Phase.IMPORTING, days=3)
    house.restore("s", Phase.IMPORTING, days=2)
    house.engine.add("s", "Running", createdTime="no time at all")
    done = house.keep("report_stuck")

    assert [one.name for one in done.failed] == ["s"]
    assert row("r") is Phase.FAILED
