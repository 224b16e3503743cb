"""Faults that are ordered of the host come when they were ordered for, once, and the journal tells of them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.host.faults import Effect, Entry, Fault, Faults, call_off, read_journal

TIMER = 0.05


@pytest.fixture
def order(tmp_path: Path) -> Iterator[Callable[..., Callable[[], list[Entry]]]]:
    """Order a fault of a site's host; what its journal says."""
    told: list[Path] = []

    def order(site: Any, *faults: Fault, instances: str = "") -> Callable[[], list[Entry]]:
        journal = tmp_path / "journal.jsonl"
        data = site.folder / "data"
        data.mkdir(exist_ok=True)
        Faults(journal=journal, instances=instances, faults=faults, longest_timer=TIMER).order(data)
        told.append(data)
        return lambda: read_journal(journal)

    yield order
    for data in told:
        call_off(data)


def executions(site: Any, item: int) -> list[str]:
    """The process ids of those that have executed the item's activity."""
    return [text.split()[1] for text in site.notes("work") if text.split()[0] == str(item)]


@pytest.mark.parametrize(
    ("effect", "count"),
    [
        (Effect.WORKER_BEFORE, 1),
        (Effect.WORKER_AFTER, 2),
        (Effect.WORKER_RECORDED, 1),
        (Effect.TWICE, 2),
        (Effect.AT_ONCE, 2),
    ],
)
def test_a_call_meets_its_fault_once_and_its_orchestration_ends_well(
    site: Any, wait_for: Any, order: Any, effect: Effect, count: int
) -> None:
    """Each item's activity is a call of its own; an attempt after a failed one is the same call."""
    name, item = effect.name.lower(), 1000 + list(Effect).index(effect) * 10  # no other test's
    before = site.process.worker_pids()
    journal = order(site, Fault(effect=effect, activity="work", number=2), instances=f"^{name}$")
    site.begin("picked", name, [item + 1, item + 2, item + 3])
    assert site.ended(name)["output"] == [item + 1, item + 2, item + 3]

    *first, last = (len(executions(site, item + one)) for one in (1, 2, 3))
    assert first == [1, count]
    assert last == 1 or effect is Effect.WORKER_RECORDED  # it may have been handed to the worker that dies
    entries = journal()
    assert [entry.number for entry in entries if entry.what == effect] == [2]
    assert {entry.number for entry in entries} == {1, 2, 3}
    lost = [entry.number for entry in entries if entry.what == "failed"]
    if effect is Effect.WORKER_RECORDED:
        assert set(lost) <= {3}
    else:
        assert lost == ([2] if effect in {Effect.WORKER_BEFORE, Effect.WORKER_AFTER} else [])
    dead = 1 if "dies" in effect else 0
    wait_for(lambda: len(set(before) - set(site.process.worker_pids())) == dead, f"the death of {dead} of {before}")
    wait_for(lambda: len(site.process.worker_pids()) == 2, "both workers")
    if effect is Effect.AT_ONCE:
        assert len(set(executions(site, item + 2))) == 2


@pytest.mark.parametrize(
    ("effect", "count"), [(Effect.HOST_BEFORE, 1), (Effect.HOST_AFTER, 2), (Effect.HOST_RECORDED, 1)]
)
def test_a_host_that_a_fault_kills_goes_on_without_it(own_site: Any, order: Any, effect: Effect, count: int) -> None:
    journal = order(own_site, Fault(effect=effect, activity="work", number=2), instances="^main$")
    own_site.start()
    own_site.begin("picked", "main", [1, 2, 3])
    assert own_site.process.wait(30) == -9
    own_site.start()

    assert own_site.ended("main")["output"] == [1, 2, 3]
    assert [len(executions(own_site, item)) for item in (1, 2, 3)] == [1, count, 1]
    assert [(entry.number, entry.what) for entry in journal() if entry.what == effect] == [(2, effect)]
    assert {entry.number for entry in journal()} == {1, 2, 3}


def test_a_late_activity_ends_after_its_successor_has_begun(site: Any, wait_for: Any, order: Any) -> None:
    journal = order(site, Fault(effect=Effect.LATE, activity="work", number=1), instances="^late$")
    site.begin("picked", "late", [101, 102])
    assert site.ended("late")["output"] == [101, 102]

    wait_for(lambda: [entry for entry in journal() if entry.what == "settled"], "the late one's end")
    told = [(entry.number, entry.what) for entry in journal()]
    assert told.index((1, "ended")) < told.index((2, "begun")) < told.index((1, "settled"))
    assert len(set(executions(site, 101))) == 2


def test_timers_ring_early_and_others_are_left_alone(site: Any, order: Any) -> None:
    journal = order(site, Fault(effect=Effect.WORKER_AFTER), instances="^nobody$")
    site.begin("approval", "early", {"seconds": 3600})
    assert site.ended("early")["output"] == "late"
    site.begin("picked", "alone", [201])
    assert site.ended("alone")["output"] == [201]

    assert journal() == []
    assert len(executions(site, 201)) == 1
