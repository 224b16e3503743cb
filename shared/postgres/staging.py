"""Decide whether an archive is staged on the local disk, sliced or streamed, and keep staged files until then."""

import errno
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from shared.contracts.imports import LoadMethod
from shared.postgres.source import FileSource

log = logging.getLogger(__name__)

RESERVE = 256 << 20
"""Bytes of local disk that a staged file leaves free."""
SLICED_FROM = 128 << 20
"""Bytes from which on the download before the first row is worth saving."""
SHARED_FROM = 4 << 30
"""Bytes from which on another function instance helps."""

type WantedRoute = Literal["auto", "staged", "sliced", "streamed"]
"""How the operator wants archives to be loaded, where that can be done."""

_AS_SET = "the operator wants it so"
_WHOLE_ROWS = "the archive is not compressed: a pg_restore that reads it from a disk holds whole rows in memory"


@dataclass(frozen=True)
class Staging:
    """Where files may be staged, and how much of it one load may take."""

    directory: Path | None
    """None: never."""
    budget: int
    """Bytes."""


@dataclass(frozen=True)
class Slicing:
    """Whether an archive's data can be loaded in slices."""

    why_not: str
    """In words; empty when they can."""
    tells_places: bool = False
    """Whether the table of contents tells where they lie."""
    whole_rows: bool = False
    """Whether a pg_restore that reads the file by itself holds whole rows, however large they are."""


NEVER = Slicing("nobody looked whether it could be")


@dataclass(frozen=True)
class Route:
    """How an archive gets into pg_restore."""

    method: LoadMethod
    reason: str
    jobs: int = 1
    """Connections of each process."""
    lanes: int = 1
    """Processes that load it side by side, at most."""


def choose(  # noqa: PLR0913, PLR0917  what there is, and what is wanted
    size: int,
    staging: Staging,
    jobs: int,
    slicing: Slicing = NEVER,
    wanted: WantedRoute = "auto",
    lanes: int = 1,
) -> Route:
    """Use several jobs where that can be done: from a staged file, else in slices; else stream the file.

    A large archive that tells where its data lie is loaded in slices at once; one that does not has to be read twice.
    Several function instances can only share slices. An archive whose rows a pg_restore would hold is staged only where
    the operator wants it so.
    """
    if jobs * lanes <= 1:
        return Route(LoadMethod.STREAMED, "one job only: it reads the file front to back, from the network as well")
    if wanted == "streamed":
        return Route(LoadMethod.STREAMED, _AS_SET)
    if slicing.why_not or wanted == "staged":
        route = _staged(size, staging, jobs, slicing if wanted != "staged" else NEVER)
        missed = slicing.why_not and (wanted == "sliced" or route.method is LoadMethod.STREAMED)
        because = f"{route.reason}; it is not loaded in slices: {slicing.why_not}"
        return replace(route, reason=because) if missed else route
    if wanted == "sliced":
        return _sliced(_AS_SET, jobs, lanes)
    if size >= SLICED_FROM and slicing.tells_places:
        facts = f"the archive tells where its data lie, so that none of its {in_words(size)} need be staged"
        return _sliced(facts, jobs, lanes)
    route = _staged(size, staging, jobs, slicing)
    return _sliced(route.reason, jobs, lanes) if route.method is LoadMethod.STREAMED else route


def _sliced(reason: str, jobs: int, lanes: int) -> Route:
    """Slices, over one function instance or several."""
    shared = f"; {lanes} function instances share it" if lanes > 1 else ""
    return Route(LoadMethod.SLICED, reason + shared, jobs, lanes)


def _staged(size: int, staging: Staging, jobs: int, slicing: Slicing) -> Route:
    """Stage the file where there is room for it and pg_restore holds no rows, else stream it."""
    if slicing.whole_rows:
        return Route(LoadMethod.STREAMED, _WHOLE_ROWS)
    if staging.directory is None:
        return Route(LoadMethod.STREAMED, "no local folder for staged files is configured")
    if size > staging.budget:
        return Route(
            LoadMethod.STREAMED, f"the file needs {in_words(size)}, a load may stage {in_words(staging.budget)}"
        )
    free = _free(staging.directory)
    facts = f"local disk has {in_words(free)} to spare, the file needs {in_words(size)}"
    if size > free:
        return Route(LoadMethod.STREAMED, facts)
    return Route(LoadMethod.STAGED_PARALLEL, facts, jobs)


def _free(directory: Path) -> int:
    """Bytes of the local disk that may be taken."""
    directory.mkdir(parents=True, exist_ok=True)
    return max(0, shutil.disk_usage(directory).free - RESERVE)


def room(staging: Staging) -> int:
    """Bytes of the largest file that can be staged; 0 where none can."""
    return 0 if staging.directory is None else min(staging.budget, _free(staging.directory))


def from_head(head: int, size: int, jobs: int) -> Route:
    """Read no more of the file than its table of contents."""
    facts = f"the file's first {in_words(head)} of {in_words(size)}"
    return Route(LoadMethod.DEFINITIONS, f"no rows are wanted: the table of contents is enough, {facts}", jobs)


def choose_jobs(wanted: int, max_jobs: int) -> int:
    """How many connections a load uses; 0 asks for as many as there are local processors."""
    return max(1, min(wanted or os.cpu_count() or 1, max_jobs))


def choose_lanes(wanted: int, size: int, limit: int) -> int:
    """How many function instances share a load in slices; 0 wants one for each 4 GiB, four at most."""
    return max(1, min(wanted or 1 + min(size // SHARED_FROM, 3), limit))


def choose_width(jobs: int, lanes: int, size: int, max_jobs: int, max_connections: int) -> tuple[int, int]:
    """Connections of each function instance and how many instances there are, within a quarter of the server's."""
    bearable = max(1, max_connections // 4)
    chosen = choose_jobs(jobs, min(max_jobs, bearable))
    return chosen, choose_lanes(lanes, size, bearable // chosen)


@contextmanager
def workspace(staging: Staging, key: str) -> Iterator[Path]:
    """An empty folder of the load's own, deleted at the end; what a killed attempt left in it goes first.

    The caller holds the load's lock, so no other attempt uses it.
    """
    if staging.directory is None:
        with tempfile.TemporaryDirectory(prefix="flex-restore-") as name:
            yield Path(name)
        return
    folder = staging.directory / f"load-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def stage(
    source: FileSource, folder: Path, route: Route, still_wanted: Callable[[], None] = lambda: None
) -> tuple[Route, Path | None]:
    """Download the file where the route says so; a disk that fills up meanwhile turns the route into streaming."""
    if route.method is not LoadMethod.STAGED_PARALLEL:
        return route, None
    path = folder / "archive"
    try:
        source.download(path, still_wanted)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        path.unlink(missing_ok=True)
        return Route(LoadMethod.STREAMED, f"the local disk filled up while the file was staged ({route.reason})"), None
    return route, path


def in_words(size: int) -> str:
    """Bytes for people: `1.2 GB`."""
    value = float(size)
    for unit in ("bytes", "KB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
