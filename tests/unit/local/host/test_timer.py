"""The timer's status over restarts: what is made up for, and what is not."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from local.host.database import Database
from local.host.functions import Binding, Function
from local.host.protocol import Value
from local.host.receipts import Schedules
from local.host.triggers import timer
from local.host.triggers.services import TriggerServices
from local.host.triggers.timer import TimerListener

START = datetime(2024, 1, 1, 12, 0, 30, tzinfo=UTC)


class Stopped(Exception):
    """The test has seen enough."""


class Site:
    """Hosts one after the other on one database, on a clock that only sleeping and running move."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = START
        self.runs: list[Any] = []
        self._database = database
        self._limit = 0
        self._takes = timedelta()

        async def sleep(seconds: float) -> None:
            self.now += timedelta(seconds=seconds)

        clock = SimpleNamespace(now=lambda _zone: self.now, fromisoformat=datetime.fromisoformat)
        monkeypatch.setattr(timer, "datetime", clock)
        monkeypatch.setattr(asyncio, "sleep", sleep)

    async def call(self, _function: Function, value: Value) -> None:
        if len(self.runs) == self._limit:
            raise Stopped
        self.runs.append((self.now - START, json.loads(value.data)))
        self.now += self._takes

    def start(self, schedule: str, *, runs: int, takes: float = 0.0, **options: Any) -> list[tuple[float, bool]]:
        """Run a host until the function would run once more; when since START, and whether past due, it ran."""
        self.runs, self._limit, self._takes = [], runs, timedelta(seconds=takes)
        function = Function("id", "tick", Binding("t", "timerTrigger", {"schedule": schedule, **options}), (), ())
        nothing = cast("Any", None)
        services = TriggerServices(nothing, nothing, cast("Any", self), self._database, nothing)
        with pytest.raises(Stopped):
            asyncio.run(TimerListener(function, services).run())
        return [(round(since.total_seconds()), info["IsPastDue"]) for since, info in self.runs]

    @property
    def kept(self) -> dict[str, str] | None:
        return Schedules(self._database).status("tick")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    database = Database(Path(":memory:"))
    yield Site(database, monkeypatch)
    database.close()


def test_runs_are_on_schedule_and_know_their_status(site: Site) -> None:
    assert site.start("0 * * * * *", runs=2) == [(30, False), (90, False)]
    first, second = (info["ScheduleStatus"] for _, info in site.runs)
    assert first == {
        "Last": "0001-01-01T00:00:00+00:00",
        "Next": "2024-01-01T12:01:00+00:00",
        "LastUpdated": "2024-01-01T12:00:30+00:00",
    }
    assert (second["Last"], second["Next"]) == ("2024-01-01T12:01:00+00:00", "2024-01-01T12:02:00+00:00")


def test_a_run_that_was_missed_is_made_up_for_once(site: Site) -> None:
    site.start("0 * * * * *", runs=1)
    site.now = START + timedelta(seconds=300)
    assert site.start("0 * * * * *", runs=2) == [(300, True), (330, False)]


def test_a_first_run_that_was_missed_is_made_up_for(site: Site) -> None:
    site.start("0 0 * * * *", runs=0)
    site.now = START + timedelta(hours=5)
    assert site.start("0 0 * * * *", runs=1) == [(5 * 3600, True)]


def test_a_time_span_goes_on_where_it_was(site: Site) -> None:
    site.start("01:00:00", runs=1)
    site.now = START + timedelta(seconds=3600 + 60)
    assert site.start("01:00:00", runs=1) == [(7200, False)]


def test_a_schedule_that_has_changed_is_not_past_due(site: Site) -> None:
    site.start("0 * * * * *", runs=1)
    site.now = START + timedelta(days=2)
    assert site.start("0 0 0 * * *", runs=1) == [(2 * 86400 + 11 * 3600 + 59 * 60 + 30, False)]


def test_a_run_at_startup_is_none_that_was_missed(site: Site) -> None:
    assert site.start("0 0 * * * *", runs=2, runOnStartup=True) == [(0, False), (3570, False)]


def test_a_run_that_takes_longer_than_its_turn_is_followed_at_once(site: Site) -> None:
    assert site.start("0 * * * * *", runs=2, takes=100) == [(30, False), (130, False)]


@pytest.mark.parametrize(
    ("schedule", "options"), [("*/10 * * * * *", {}), ("00:00:10", {}), ("0 * * * * *", {"useMonitor": False})]
)
def test_frequent_and_unmonitored_schedules_have_no_status(site: Site, schedule: str, options: Any) -> None:
    site.start(schedule, runs=1, **options)
    assert site.kept is None
    assert site.runs[0][1]["ScheduleStatus"] is None
    site.now += timedelta(hours=1)
    ((_, is_past_due),) = site.start(schedule, runs=1, **options)
    assert not is_past_due
