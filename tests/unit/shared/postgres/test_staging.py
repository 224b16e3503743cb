"""A file is staged when that allows several jobs and the disk has the room."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.contracts.imports import LoadMethod
from shared.postgres.source import LocalFile
from shared.postgres.staging import (
    RESERVE,
    SLICED_FROM,
    Route,
    Slicing,
    Staging,
    WantedRoute,
    choose,
    choose_jobs,
    from_head,
    stage,
    workspace,
)

GB = 1_000_000_000
CAN, TELLS, CANNOT = Slicing(""), Slicing("", tells_places=True), Slicing("it is odd")


@pytest.mark.parametrize(
    ("size", "free", "jobs", "budget", "method", "reason"),
    [
        (
            GB,
            RESERVE + 3 * GB,
            4,
            2 * GB,
            LoadMethod.STAGED_PARALLEL,
            "local disk has 3.0 GB to spare, the file needs 1.0 GB",
        ),
        (GB, RESERVE + GB - 1, 4, 2 * GB, LoadMethod.STREAMED, "the file needs 1.0 GB"),
        (3 * GB, RESERVE + 9 * GB, 4, 2 * GB, LoadMethod.STREAMED, "a load may stage 2.0 GB"),
        (GB, RESERVE + 3 * GB, 1, 2 * GB, LoadMethod.STREAMED, "one job only"),
        (GB, 0, 4, 2 * GB, LoadMethod.STREAMED, "0 bytes to spare"),
    ],
)
def test_the_choice_and_its_reason(
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    free: int,
    jobs: int,
    budget: int,
    method: LoadMethod,
    reason: str,
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    route = choose(size, Staging(tmp_path / "new", budget), jobs)
    assert route.method is method
    assert reason in route.reason
    assert route.jobs == (jobs if method is LoadMethod.STAGED_PARALLEL else 1)


@pytest.mark.parametrize(
    ("wanted", "size", "budget", "slicing", "method", "reason"),
    [
        ("auto", GB, 2 * GB, CAN, LoadMethod.STAGED_PARALLEL, "local disk has"),
        ("auto", 3 * GB, 2 * GB, CAN, LoadMethod.SLICED, "a load may stage 2.0 GB"),
        (
            "auto",
            3 * GB,
            2 * GB,
            CANNOT,
            LoadMethod.STREAMED,
            "may stage 2.0 GB; it is not loaded in slices: it is odd",
        ),
        ("auto", SLICED_FROM, 2 * GB, CAN, LoadMethod.STAGED_PARALLEL, "local disk has"),
        ("auto", SLICED_FROM - 1, 2 * GB, TELLS, LoadMethod.STAGED_PARALLEL, "local disk has"),
        ("auto", SLICED_FROM, 2 * GB, TELLS, LoadMethod.SLICED, "tells where its data lie"),
        ("sliced", 10, 2 * GB, CAN, LoadMethod.SLICED, "wants it so"),
        ("sliced", 10, 2 * GB, CANNOT, LoadMethod.STAGED_PARALLEL, "it is not loaded in slices: it is odd"),
        ("staged", 2 * SLICED_FROM, 9 * GB, TELLS, LoadMethod.STAGED_PARALLEL, "local disk has"),
        ("staged", 3 * GB, 2 * GB, TELLS, LoadMethod.STREAMED, "a load may stage 2.0 GB"),
        ("streamed", 10, 2 * GB, TELLS, LoadMethod.STREAMED, "wants it so"),
    ],
)
def test_what_the_operator_wants_is_done_where_it_can_be(
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wanted: WantedRoute,
    size: int,
    budget: int,
    slicing: Slicing,
    method: LoadMethod,
    reason: str,
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=RESERVE + 20 * GB))
    route = choose(size, Staging(tmp_path, budget), 4, slicing, wanted)
    assert route.method is method
    assert reason in route.reason
    assert route.jobs == (1 if method is LoadMethod.STREAMED else 4)


@pytest.mark.parametrize(
    ("wanted", "slicing", "method", "reason"),
    [
        ("auto", Slicing("", whole_rows=True), LoadMethod.SLICED, "the archive is not compressed"),
        ("auto", Slicing("it is odd", whole_rows=True), LoadMethod.STREAMED, "whole rows in memory; it is not loaded"),
        (
            "sliced",
            Slicing("it is odd", whole_rows=True),
            LoadMethod.STREAMED,
            "whole rows in memory; it is not loaded",
        ),
        ("staged", Slicing("", whole_rows=True), LoadMethod.STAGED_PARALLEL, "local disk has"),
        ("staged", Slicing("it is odd", whole_rows=True), LoadMethod.STAGED_PARALLEL, "local disk has"),
    ],
)
def test_an_archive_whose_rows_pg_restore_would_hold_is_staged_only_where_the_operator_wants_it_so(
    *, tmp_path: Path, wanted: WantedRoute, slicing: Slicing, method: LoadMethod, reason: str
) -> None:
    route = choose(10, Staging(tmp_path, 2 * GB), 4, slicing, wanted)
    assert route.method is method
    assert reason in route.reason


def test_without_a_folder_everything_is_streamed() -> None:
    assert choose(1, Staging(None, GB), 4).method is LoadMethod.STREAMED


def test_without_rows_the_route_says_how_little_of_the_file_is_read() -> None:
    route = from_head(12_000, 4 * GB, 3)
    assert (route.method, route.jobs) == (LoadMethod.DEFINITIONS, 3)
    assert "the file's first 12 KB of 4.0 GB" in route.reason


@pytest.mark.parametrize(
    ("wanted", "processors", "limit", "jobs"), [(0, 8, 4, 4), (0, 2, 4, 2), (3, 8, 4, 3), (9, 1, 4, 4), (0, 8, 0, 1)]
)
def test_jobs_are_bounded(
    monkeypatch: pytest.MonkeyPatch, *, wanted: int, processors: int, limit: int, jobs: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    assert choose_jobs(wanted, limit) == jobs


def test_a_disk_that_fills_up_turns_the_route_into_streaming(tmp_path: Path) -> None:
    class TooLarge(LocalFile):
        def download(self, path: Path, still_wanted: Callable[[], None] = lambda: None) -> None:
            still_wanted()
            path.write_bytes(b"some of it")
            raise OSError(errno.ENOSPC, "No space left on device")

    route, file = stage(TooLarge(tmp_path / "x"), tmp_path, Route(LoadMethod.STAGED_PARALLEL, "there was room", 4))
    assert (route.method, route.jobs, file) == (LoadMethod.STREAMED, 1, None)
    assert "filled up" in route.reason
    assert list(tmp_path.iterdir()) == []


def test_any_other_error_of_a_download_is_an_error(tmp_path: Path) -> None:
    class Forbidden(LocalFile):
        def download(self, path: Path, still_wanted: Callable[[], None] = lambda: None) -> None:
            still_wanted()
            raise PermissionError(errno.EACCES, "no", str(path))

    with pytest.raises(PermissionError):
        stage(Forbidden(tmp_path / "x"), tmp_path, Route(LoadMethod.STAGED_PARALLEL, "", 4))


def test_a_workspace_begins_and_ends_empty(tmp_path: Path) -> None:
    with workspace(Staging(tmp_path, 0), "key") as folder:
        left_behind = folder / "archive"
        left_behind.write_text("of a killed attempt")
        with workspace(Staging(tmp_path, 0), "key") as again:
            assert again == folder
            assert not left_behind.exists()
        with workspace(Staging(tmp_path, 0), "another key") as other:
            assert other != folder
    assert list(tmp_path.iterdir()) == []
