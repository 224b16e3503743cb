"""The pool's patience with workers that end again and again."""

import pytest

from local.host.pool import Backoff


@pytest.mark.parametrize(
    ("lives", "pauses"),
    [
        ([1, 1, 1, 1, 1, 1], [0, 0.2, 1, 5, 15, 15]),
        ([3600, 1, 1], [0, 0.2, 1]),
        ([1, 1, 1, 3600, 1], [0, 0.2, 1, 0, 0.2]),
        ([3600, 0, 0, 0, 0, 0], [0, 0.2, 1, 5, 15, 15]),
    ],
    ids=["crashing", "healthy before", "healthy in between", "not importing any more"],
)
def test_pauses_grow_until_a_worker_has_lived_for_a_while(lives: list[float], pauses: list[float]) -> None:
    backoff = Backoff()
    assert [backoff.after(life) for life in lives] == pauses
