"""A plan says which way each file will take, by the very rule that the load goes by, or on what it depends."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.contracts.imports import LoadMethod
from shared.postgres.outlook import Means, foresee, rule
from shared.postgres.staging import RESERVE, Slicing, Staging, WantedRoute, choose

GB = 1_000_000_000
STAGED, SLICED, STREAMED = LoadMethod.STAGED_PARALLEL, LoadMethod.SLICED, LoadMethod.STREAMED


@pytest.fixture
def means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Means:
    """Room for 20 GB, four connections, one function instance."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=RESERVE + 50 * GB))
    return Means(Staging(tmp_path, 20 * GB), "auto", jobs=4, lanes=1, max_jobs=4, max_connections=100)


@pytest.mark.parametrize(
    ("size", "wanted", "methods"),
    [
        (GB // 10, "auto", (STAGED, SLICED)),
        (2 * GB, "auto", (SLICED, STAGED)),
        (30 * GB, "auto", (SLICED, STREAMED)),
        (2 * GB, "staged", (STAGED,)),
        (30 * GB, "staged", (STREAMED,)),
        (2 * GB, "sliced", (SLICED, STAGED)),
        (30 * GB, "sliced", (SLICED, STREAMED)),
        (2 * GB, "streamed", (STREAMED,)),
    ],
)
def test_the_ways_of_a_file_are_those_that_its_load_may_choose(
    means: Means, size: int, wanted: WantedRoute, methods: tuple[LoadMethod, ...]
) -> None:
    seen = foresee("shop", size, replace(means, wanted=wanted))
    kinds = (Slicing("", tells_places=True), Slicing(""), Slicing("it is odd"), Slicing("", whole_rows=True))
    chosen = {choose(size, means.staging, 4, kind, wanted).method for kind in kinds}

    assert seen.methods == methods
    assert set(seen.methods) == chosen
    assert (seen.database, seen.size) == ("shop", size)


@pytest.mark.parametrize(
    ("size", "how"),
    [
        (
            GB // 10,
            (
                "downloaded first (local disk has 50.0 GB to spare, the file needs 100 MB); in slices, straight "
                "from the container, where it is not compressed"
            ),
        ),
        (
            2 * GB,
            (
                "where it tells where its data lie: in slices, straight from the container (the archive tells "
                "where its data lie, so that none of its 2.0 GB need be staged); else downloaded first (local "
                "disk has 50.0 GB to spare, the file needs 2.0 GB)"
            ),
        ),
        (
            30 * GB,
            (
                "in slices, straight from the container (the archive tells where its data lie, so that none of "
                "its 30.0 GB need be staged); streamed, front to back, where it cannot be sliced"
            ),
        ),
    ],
)
def test_it_says_why_and_on_what_it_depends(means: Means, size: int, how: str) -> None:
    assert foresee("shop", size, means).how == how


def test_function_instances_that_share_a_load_are_told(means: Means) -> None:
    assert "4 function instances share it" in foresee("shop", 30 * GB, replace(means, lanes=0)).how
    assert "over 4 connections each, and of 4.3 GB and more by up to 4 function" in rule(replace(means, lanes=0))
    assert "over 4 connections each, by up to 3 function instances" in rule(replace(means, lanes=3))


def test_where_no_rows_are_wanted_the_table_of_contents_is_enough(means: Means) -> None:
    assert foresee("shop", 30 * GB, means, rows=False).methods == (LoadMethod.DEFINITIONS,)
    assert rule(means, rows=False).startswith("No rows are wanted")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {},
            (
                "Archives of up to 20.0 GB are downloaded first; larger ones, those without compression and those of "
                "134 MB and more that tell where their data lie are loaded in slices, straight from the container, "
                "over 4 connections each."
            ),
        ),
        ({"jobs": 1}, "Each file is streamed, front to back, over one connection."),
        ({"max_connections": 7}, "Each file is streamed, front to back, over one connection."),
        (
            {"wanted": "streamed"},
            "Each file is streamed, front to back, over one connection, as the operator",
        ),
        ({"wanted": "staged"}, "Archives of up to 20.0 GB are downloaded first and loaded over 4 connections each"),
        ({"wanted": "sliced"}, "Archives are loaded in slices, straight from the container, over 4 connections each"),
        (
            {"staging": Staging(None, 0)},
            "No archive is downloaded first; all of them are loaded in slices, straight from the container",
        ),
    ],
)
def test_the_rule_is_told_without_any_file(means: Means, changes: dict[str, object], told: str) -> None:
    assert rule(replace(means, **changes)).startswith(told)  # type: ignore[arg-type]  # forwarded


def test_a_disk_with_less_room_than_the_limit_tells_its_room(means: Means, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=RESERVE + 3 * GB))

    assert rule(means).startswith("Archives of up to 3.0 GB are downloaded first")
