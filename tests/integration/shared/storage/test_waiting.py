"""The line before the landing containers: by priority, then by who came first; who is gone holds nobody up."""

from datetime import timedelta

import pytest

from shared.contracts.files import Reservation
from shared.contracts.request import Priority
from shared.storage import documents, reservations, waiting
from shared.storage.accounts import control_container
from shared.storage.waiting import Wait
from shared.topology import LANDING_CONTAINERS

pytestmark = pytest.mark.usefixtures("storage")
FIRST, SECOND = LANDING_CONTAINERS


def reserve(request_id: str, priority: Priority = Priority.NORMAL) -> str | None:
    reservation = reservations.reserve(request_id, priority)
    return None if isinstance(reservation, Wait) else reservation.container


def told(request_id: str) -> Wait:
    wait = reservations.reserve(request_id)
    assert isinstance(wait, Wait)
    return wait


@pytest.fixture
def taken(storage: object) -> None:  # noqa: ARG001 -- it empties the containers
    """Two restores own the two containers."""
    assert [reserve("one"), reserve("two")] == [FIRST, SECOND]


@pytest.mark.usefixtures("taken")
def test_who_came_first_is_served_first() -> None:
    assert [reserve("early"), reserve("late")] == [None, None]
    reservations.release(FIRST, "one")

    assert reserve("late") is None
    assert reserve("early") == FIRST


@pytest.mark.usefixtures("taken")
def test_priority_beats_time() -> None:
    assert [reserve("low", Priority.LOW), reserve("normal"), reserve("high", Priority.HIGH)] == [None] * 3
    reservations.release(FIRST, "one")

    assert waiting.first(waiting.LANDING) == ["high", "normal", "low"]
    assert [reserve("low", Priority.LOW), reserve("normal"), reserve("high", Priority.HIGH)] == [None, None, FIRST]


@pytest.mark.usefixtures("taken")
def test_two_free_containers_serve_two() -> None:
    assert [reserve("a"), reserve("b"), reserve("c")] == [None] * 3
    reservations.release(FIRST, "one")
    reservations.release(SECOND, "two")

    assert reserve("c") is None
    assert {reserve("b"), reserve("a")} == {FIRST, SECOND}


@pytest.mark.usefixtures("taken")
def test_who_waits_is_told_who_is_first() -> None:
    reserve("early")
    reasons = told("late").reasons

    assert f"{FIRST} is reserved by restore one" in reasons
    assert "restore early is first" in reasons


@pytest.mark.usefixtures("taken")
def test_who_is_far_behind_looks_rarely_and_who_is_near_soon() -> None:
    """Who gives something back wakes the first; looks of a long line would be in the way of those that are served."""
    near = [told(name) for name in ("early", "late")]
    far = told("last")

    assert [wait.retry_after for wait in near] == [0, 0]
    assert far.retry_after > 0
    assert far.reasons == ("2 restores are first, the next of them early",)


@pytest.mark.usefixtures("taken")
def test_who_gave_up_holds_nobody_up() -> None:
    reserve("early")
    reserve("late")
    waiting.leave(waiting.LANDING, "early")
    reservations.release(FIRST, "one")

    assert reserve("late") == FIRST


@pytest.mark.usefixtures("taken")
def test_who_never_came_back_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    reserve("gone")
    monkeypatch.setattr(waiting, "GONE_AFTER", timedelta(seconds=-60))
    reservations.release(FIRST, "one")

    assert reserve("late") == FIRST


@pytest.mark.usefixtures("taken")
def test_who_was_killed_after_it_was_served_leaves_the_line_when_it_comes_back() -> None:
    reserve("served")
    reservations.release(FIRST, "one")
    reservation = Reservation(container=FIRST, request_id="served")
    documents.create(control_container(), f"reservations/{FIRST}.json", reservation.to_wire())

    assert reserve("served") == FIRST
    assert waiting.first(waiting.LANDING) == []


@pytest.mark.usefixtures("taken")
def test_a_name_with_dashes_keeps_its_place() -> None:
    reserve("a-1")
    reserve("1")

    assert waiting.first(waiting.LANDING) == ["a-1", "1"]
