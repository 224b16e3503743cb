"""A table is copied over several connections only where it dominates, and where the server is known to bear it."""

from dataclasses import replace

import pytest

from shared.postgres.slices import Slice
from shared.postgres.split import SMALLEST, UNKNOWN, Strength, copies, split, told
from shared.postgres.toc import Entry

ENTRY = Entry(1, "TABLE DATA", "public", "t", "me", "", ())


def part(number: int, size: int, **more: object) -> Slice:
    one = Slice(number, (ENTRY,), ((0, size),), (f"public.t{number}",))
    return replace(one, **more)  # type: ignore[arg-type]  # forwarded


@pytest.mark.parametrize(
    ("strength", "compression", "jobs", "many"),
    [
        (UNKNOWN, "gzip", 8, 1),
        (Strength(cores=8), "gzip", 8, 1),
        (Strength(storage_mb=2_000), "gzip", 8, 1),
        (Strength(4, 2_000), "gzip", 8, 1),
        (Strength(64, 250), "gzip", 8, 1),
        (Strength(8, 500), "gzip", 8, 2),
        (Strength(8, 2_000), "gzip", 8, 4),
        (Strength(64, 750), "gzip", 8, 3),
        (Strength(64, 4_000), "gzip", 16, 5),
        (Strength(64, 4_000), "gzip", 3, 3),
        (Strength(64, 4_000), "gzip", 1, 1),
        (Strength(64, 4_000), "none", 8, 1),
        (Strength(64, 4_000), "zstd", 8, 1),
    ],
)
def test_cores_storage_unpacking_and_jobs_bound_the_connections(
    strength: Strength, compression: str, jobs: int, many: int
) -> None:
    assert copies(strength, compression, jobs) == many


def test_only_a_large_table_that_is_half_of_the_rows_is_split() -> None:
    large, small = part(0, 2 * SMALLEST), part(1, SMALLEST)

    assert [one.copies for one in split([large, small], 4)] == [4, 1]
    assert [one.copies for one in split([large, small, small, small], 4)] == [1, 1, 1, 1]
    assert [one.copies for one in split([part(0, SMALLEST - 1)], 4)] == [1]
    assert [one.copies for one in split([large, small], 1)] == [1, 1]


@pytest.mark.parametrize("more", [{"repeatable": False}, {"entries": (ENTRY, ENTRY)}, {"tables": ()}])
def test_a_slice_that_cannot_start_over_or_is_not_of_one_table_is_not_split(more: dict[str, object]) -> None:
    assert [one.copies for one in split([part(0, 2 * SMALLEST, **more)], 4)] == [1]


def test_what_is_split_is_told() -> None:
    assert told(split([part(0, 2 * SMALLEST), part(1, 1)], 4)) == "; public.t0 is copied over 4 connections"
    assert told([part(0, 1), "an index"]) == ""
