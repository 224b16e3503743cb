"""Imports: a target server bears so many file sets at once; who is turned away waits in its line."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.contracts.request import Priority
from shared.storage import imports, waiting

pytestmark = pytest.mark.usefixtures("storage")


def enter(request_id: str, priority: Priority = Priority.NORMAL, *, target: str = "drill", limit: int = 2) -> bool:
    return imports.reserve(target, request_id, priority, limit) is None


def test_a_target_takes_as_many_as_the_operator_allows() -> None:
    assert [enter(name) for name in ("a", "b", "c")] == [True, True, False]
    assert enter("c", target="other")


def test_who_asks_again_holds_one_place() -> None:
    assert enter("a")
    assert enter("a")
    assert list(imports.importing("drill").values()) == ["a"]


def test_who_is_turned_away_is_told_why() -> None:
    enter("a", limit=1)
    enter("b", limit=1)

    wait = imports.reserve("drill", "c", Priority.NORMAL, 1)
    assert wait is not None
    assert wait.reasons == ("restore a imports into drill", "restore b is first")


def test_the_line_is_served_by_priority_and_then_by_time() -> None:
    enter("a", limit=1)
    assert [enter("early", limit=1), enter("urgent", Priority.HIGH, limit=1)] == [False, False]
    imports.release("drill", "a")

    assert [enter("early", limit=1), enter("urgent", Priority.HIGH, limit=1)] == [False, True]


def test_who_leaves_the_line_holds_nobody_up() -> None:
    enter("a", limit=1)
    enter("b", limit=1)
    imports.release("drill", "b")
    imports.release("drill", "a")

    assert enter("c", limit=1)


def test_a_lower_limit_drives_nobody_out_and_lets_nobody_in() -> None:
    enter("a")
    enter("b")
    assert enter("c", limit=1) is False
    imports.release("drill", "a")
    assert enter("c", limit=1) is False
    imports.release("drill", "b")

    assert enter("c", limit=1)


def test_many_at_once_never_pass_the_limit() -> None:
    """Only the documents decide, whatever was listed before."""
    with ThreadPoolExecutor(8) as threads:
        entered = list(threads.map(lambda number: enter(f"r{number}"), range(8)))

    assert sum(entered) <= 2
    assert sorted(imports.importing("drill").values()) == sorted(f"r{number}" for number in range(8) if entered[number])


def test_a_place_that_is_given_up_while_another_comes_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gives it up wakes those who stand in the line: who does not yet has to see that it is free."""
    enter("a", limit=1)
    join = waiting.join

    def given_up_meanwhile(*place: Any) -> list[str]:
        imports.release("drill", "a")
        return join(*place)

    monkeypatch.setattr(waiting, "join", given_up_meanwhile)
    assert enter("b", limit=1)


def test_a_target_may_be_called_anything() -> None:
    assert enter("a", target="süd/1 x")
    imports.release("süd/1 x", "a")

    assert imports.importing("süd/1 x") == {}
