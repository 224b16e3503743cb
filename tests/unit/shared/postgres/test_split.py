"""A table is copied over several connections only where it dominates, and where the server is known to bear it."""

from dataclasses import replace

import pytest

from shared.postgres.slices import Slice
from shared.postgres.split import SMALLEST, UNKNOWN, Strength, Verdict, judge, split, told
from shared.postgres.toc import Entry

ENTRY = Entry(1, "TABLE DATA", "public", "t", "me", "", ())


def part(number: int, size: int, **more: object) -> Slice:
    one = Slice(number, (ENTRY,), ((0, size),), (f"public.t{number}",))
    return replace(one, **more)  # type: ignore[arg-type]  # forwarded


@pytest.mark.parametrize(
    ("strength", "compression", "jobs", "many", "reason"),
    [
        (UNKNOWN, "gzip", 8, 1, "nobody has told the target's cores and storage"),
        (Strength(cores=8), "gzip", 8, 1, "nobody has told the target's cores and storage"),
        (Strength(storage_mb=2_000), "gzip", 8, 1, "nobody has told the target's cores and storage"),
        (Strength(1, 2_000), "gzip", 8, 1, "the target has one core"),
        (Strength(64, 200), "gzip", 8, 1, "the target's storage writes 200 MB a second, and 250 are needed"),
        (Strength(64, 4_000), "gzip", 1, 1, "the load has one job"),
        (Strength(64, 4_000), "unknown", 8, 1, "nobody knows how its rows are packed"),
        (Strength(8, 250), "gzip", 8, 2, "no more for storage for 250 MB a second"),
        (Strength(64, 500), "gzip", 8, 3, "no more for storage for 500 MB a second"),
        (Strength(2, 2_000), "gzip", 8, 2, "no more for 2 cores"),
        (Strength(8, 2_000), "gzip", 8, 4, "no more for 8 cores"),
        (Strength(64, 4_000), "gzip", 16, 5, "no more for what is unpacked of gzip"),
        (Strength(64, 4_000), "none", 16, 2, "no more for what is unpacked of none"),
        (Strength(64, 4_000), "lz4", 16, 5, "no more for what is unpacked of lz4"),
        (Strength(64, 4_000), "zstd", 16, 3, "no more for what is unpacked of zstd"),
        (Strength(64, 4_000), "gzip", 3, 3, "no more for the load's 3 jobs"),
    ],
)
def test_cores_storage_unpacking_and_jobs_bound_the_connections(
    strength: Strength, compression: str, jobs: int, many: int, reason: str
) -> None:
    assert judge(strength, compression, jobs) == Verdict(many, reason)


def test_only_a_large_table_that_is_half_of_the_rows_is_split() -> None:
    large, small = part(0, 2 * SMALLEST), part(1, SMALLEST)

    assert [one.copies for one in split([large, small], 4)] == [4, 1]
    assert [one.copies for one in split([large, small, small, small], 4)] == [1, 1, 1, 1]
    assert [one.copies for one in split([part(0, SMALLEST - 1)], 4)] == [1]
    assert [one.copies for one in split([large, small], 1)] == [1, 1]


@pytest.mark.parametrize(
    "more", [{"repeatable": False}, {"lasting": False}, {"entries": (ENTRY, ENTRY)}, {"tables": ()}]
)
def test_a_slice_that_cannot_start_over_or_is_not_of_one_table_is_not_split(more: dict[str, object]) -> None:
    assert [one.copies for one in split([part(0, 2 * SMALLEST, **more)], 4)] == [1]


def test_what_becomes_of_a_table_that_dominates_is_told_with_the_reason() -> None:
    slices = [part(0, 3 * SMALLEST), part(1, SMALLEST)]

    assert told(slices, Verdict(4, "no more for 8 cores")) == (
        "; public.t0, 75% of the rows, is copied over 4 connections: no more for 8 cores"
    )
    assert told(slices, Verdict(reason="the load has one job")) == (
        "; public.t0, 75% of the rows, is copied over one connection: the load has one job"
    )
    assert not told([part(0, SMALLEST - 1)], Verdict(4, "no more for 8 cores"))
