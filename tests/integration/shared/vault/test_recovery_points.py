"""Which recovery point a request means."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.contracts.plan import BackupInstanceRef
from shared.contracts.request import BackupSource
from shared.errors import RequestRejected
from shared.vault import instances, recovery_points

NEWEST, OLDEST = "4" * 32, "1" * 32


@pytest.fixture(scope="session")
def taken(add_point: Callable[..., None]) -> datetime:
    """When the oldest of five backups was taken; they lie a day apart, and the newest one did not finish."""
    oldest = datetime.fromisoformat("2026-05-01T02:30:00Z")
    for number in range(1, 5):
        add_point("history", str(number) * 32, oldest + timedelta(days=number - 1))
    add_point("history", "5" * 32, oldest + timedelta(days=4), state="Partial")
    return oldest


@pytest.fixture
def history(app: object, taken: datetime) -> BackupInstanceRef:  # noqa: ARG001 -- settings and points first
    return instances.resolve("history")


def source(**choice: Any) -> BackupSource:
    return BackupSource(backup_instance="history", **choice)


@pytest.mark.parametrize(
    "arrange", [list, lambda points: points[::-1], lambda points: points[2:] + points[:2]], ids=["as is", "back", "cut"]
)
def test_the_latest_is_the_newest_whole_one_whatever_order_the_service_lists_them_in(
    history: BackupInstanceRef,
    taken: datetime,
    monkeypatch: pytest.MonkeyPatch,
    arrange: Callable[[list[Any]], list[Any]],
) -> None:
    listed = recovery_points._list(history)
    monkeypatch.setattr(recovery_points, "_list", lambda _: arrange(listed))

    found = recovery_points.choose(history, source())

    assert (found.id, found.time) == (NEWEST, taken + timedelta(days=3))


def test_a_point_is_found_by_its_id_on_any_page_and_in_any_casing(
    history: BackupInstanceRef, add_point: Callable[..., None], taken: datetime
) -> None:
    """A page holds two points here."""
    add_point("history", "abc" + "0" * 29, taken - timedelta(days=9))

    assert recovery_points.choose(history, source(recovery_point=OLDEST)).time == taken
    assert recovery_points.choose(history, source(recovery_point="ABC" + "0" * 29)).id == "abc" + "0" * 29


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (timedelta(days=1, hours=12), "2" * 32),
        (timedelta(days=1), "2" * 32),
        (timedelta(days=1) - timedelta(seconds=1), OLDEST),
        (timedelta(days=30), NEWEST),
    ],
)
def test_at_or_before_takes_the_newest_one_not_after_that_time(
    history: BackupInstanceRef, taken: datetime, after: timedelta, found: str
) -> None:
    assert recovery_points.choose(history, source(at_or_before=taken + after)).id == found


def test_times_are_compared_across_time_zones(history: BackupInstanceRef) -> None:
    """02:30 UTC is 04:30 in summer's Berlin."""
    in_berlin = datetime.fromisoformat("2026-05-02T04:29:59+02:00")

    assert recovery_points.choose(history, source(at_or_before=in_berlin)).id == OLDEST


def test_before_the_first_backup_there_is_nothing_to_restore(history: BackupInstanceRef) -> None:
    with pytest.raises(RequestRejected, match=r"history has no recovery point to restore at or before 2020-01-01"):
        recovery_points.choose(history, source(at_or_before=datetime.fromisoformat("2020-01-01T00:00:00Z")))


def test_a_partial_point_is_refused_when_it_is_named(history: BackupInstanceRef) -> None:
    with pytest.raises(RequestRejected, match=rf"source\.recoveryPoint: {'5' * 32} is partial: .* choose an earlier"):
        recovery_points.choose(history, source(recovery_point="5" * 32))


def test_an_id_that_is_not_there_is_rejected(history: BackupInstanceRef) -> None:
    with pytest.raises(RequestRejected, match="history has no recovery point 'nothing'"):
        recovery_points.choose(history, source(recovery_point="nothing"))


@pytest.mark.usefixtures("app")
def test_where_no_backup_finished_the_rejection_says_so(add_point: Callable[..., None]) -> None:
    add_point("twin-a", "7" * 32, datetime.fromisoformat("2026-05-01T02:30:00Z"), state="Partial")

    with pytest.raises(RequestRejected, match=r"1 point\(s\) exist, the first says: is partial"):
        recovery_points.choose(instances.resolve("twin-a"), source())


@pytest.mark.usefixtures("app")
def test_an_instance_without_backups_is_rejected() -> None:
    with pytest.raises(RequestRejected, match=r"empty has no recovery point to restore\.$"):
        recovery_points.choose(instances.resolve("empty"), source())


def test_the_points_of_a_time_range_are_listed_the_newest_first_with_what_stands_in_their_way(
    history: BackupInstanceRef, taken: datetime
) -> None:
    found = recovery_points.between(history, taken + timedelta(days=2), None)

    assert [point.id[0] for point in found] == ["5", "4", "3"]
    assert [bool(point.obstacle) for point in found] == [True, False, False]
    assert [point.id for point in recovery_points.between(history, taken, taken)] == [OLDEST]
