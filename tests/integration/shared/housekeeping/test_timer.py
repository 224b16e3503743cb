"""The timer starts housekeeping, unless it is at work."""

import asyncio
from typing import Any

import pytest
from azure.functions.timer import TimerRequest

from shared.topology import HOUSEKEEPING
from triggers.timer import housekeeping_due


@pytest.fixture
def due(house: Any) -> Any:
    """Let the timer fire; how often housekeeping was started."""
    started: list[str] = []

    async def start_new(_name: str, instance_id: str, _subject: Any) -> None:
        started.append(instance_id)
        house.engine.add(instance_id)

    house.engine.start_new = start_new

    def due() -> int:
        asyncio.run(housekeeping_due(TimerRequest(past_due=True, schedule_status={}, schedule={}), house.engine))
        return len(started)

    return due


def test_housekeeping_that_is_at_work_is_not_started_again(due: Any) -> None:
    assert [due(), due()] == [1, 1]


@pytest.mark.parametrize("ended", ["Completed", "Failed", "Terminated"])
def test_the_next_round_begins_however_the_last_one_ended(house: Any, due: Any, ended: str) -> None:
    due()
    house.engine.add(HOUSEKEEPING, ended)

    assert due() == 2
