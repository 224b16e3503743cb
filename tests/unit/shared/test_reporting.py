"""The report's arithmetic: phases, sizes."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.contracts.progress import Phase, PhaseEntry
from shared.reporting import _size, _times

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


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KB"),
        (1536, "1.5 KB"),
        (5 * 1024**2, "5.0 MB"),
        (3 * 1024**3, "3.0 GB"),
        (2 * 1024**4, "2.0 TB"),
        (4096 * 1024**4, "4096.0 TB"),
    ],
)
def test_sizes_are_told_in_the_unit_that_fits(count: int, text: str) -> None:
    assert _size(count) == text
