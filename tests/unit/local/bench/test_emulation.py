"""The second profile's arithmetic: rates by a stretched clock, and bytes that pass at a rate."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.bench.imports.machine import Calibrated, Machine, asked
from local.bench.imports.throttle import Bucket

MACHINE = Machine(dilation=8.0, server_cores=8, client_cores=4)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("processes", "cores"), [(1, 0.125), (8, 1.0), (20, 1.0)])
def test_each_process_gets_a_core_and_all_together_no_more_than_the_machine_has(processes: int, cores: float) -> None:
    assert asked(MACHINE, MACHINE.server_cores, processes) == cores


def test_rates_and_the_servers_clocks_are_stretched() -> None:
    assert MACHINE.bytes_per_second(80) == 10_000_000
    assert MACHINE.server_settings["checkpoint_timeout"] == "2400s"


def test_what_is_wrong_is_a_share_of_what_was_asked() -> None:
    assert Calibrated("server", 1, 0.125, 0.12).off == pytest.approx(0.04)


@given(sizes=st.lists(st.integers(1, 100_000), min_size=1, max_size=50), rate=st.integers(1_000, 1_000_000))
def test_bytes_pass_at_the_rate_but_for_a_short_burst(sizes: list[int], rate: int) -> None:
    """Whoever waits as long as it is told has passed no more than the rate allows."""
    clock = Clock()
    bucket = Bucket(rate, clock)
    passed = [0.0]
    for size in sizes:
        clock.now += bucket.delay(size)
        passed.append(clock.now)

    assert all(before <= after for before, after in pairwise(passed))
    assert clock.now >= sum(sizes) / rate - 0.051


def test_what_did_not_pass_is_not_saved_up() -> None:
    clock = Clock()
    bucket = Bucket(1_000, clock)
    clock.now = 100.0

    assert bucket.delay(1_050) == pytest.approx(1.0)
