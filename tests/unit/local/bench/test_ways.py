"""Some of a profile's ways can be compared alone."""

from local.bench.imports.__main__ import chosen
from local.bench.imports.profiles import TWO
from local.bench.imports.ways import FLOOR, STAGED


def test_a_part_of_a_name_chooses_ways_and_ours_is_always_among_them() -> None:
    assert chosen(TWO, ["pg_restore -j", "floor"]).ways == (*STAGED[:2], TWO.ours, FLOOR)


def test_all_of_them_are_run_when_none_is_named() -> None:
    assert chosen(TWO, []) == TWO
