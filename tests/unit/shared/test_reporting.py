"""The report's arithmetic: how long phases took; and the words that it reads."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.contracts.progress import Phase, PhaseEntry
from shared.reporting import _times

START = datetime(2026, 4, 1, 2, 30, tzinfo=UTC)


def entered(*seconds: float) -> tuple[PhaseEntry, ...]:
    phases = (Phase.ACCEPTED, Phase.PLANNING, Phase.RESTORING)
    return tuple(
        PhaseEntry(phase=phase, at=(START + timedelta(seconds=second)).isoformat())
        for phase, second in zip(phases, seconds, strict=False)
    )


@pytest.mark.parametrize(
    ("phases", "seconds"),
    [
        (entered(), []),
        (entered(0), [100.0]),
        (entered(0, 2.5, 60), [2.5, 57.5, 40.0]),
        (entered(0, 0, 100), [0.0, 100.0, 0.0]),
    ],
)
def test_a_phase_lasts_until_the_next_one_and_the_last_one_until_now(
    phases: tuple[PhaseEntry, ...], seconds: list[float]
) -> None:
    times = _times(phases, START + timedelta(seconds=100))

    assert [one.seconds for one in times] == seconds
    assert [one.phase for one in times] == [entry.phase for entry in phases]
