"""Memory: a load holds no row, however large it is, and no more for more jobs.

Measured is what a worker and the programs that it runs hold of their own: each at its peak, and all together.
"""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import psutil
import pytest

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad
from shared.postgres.archive import inspect
from shared.postgres.memory import jobs_that_fit, largest_window, most_jobs
from shared.postgres.source import LocalFile
from shared.postgres.tools import Toolbox

type DumpFile = Callable[..., LocalFile]
type MakeDatabase = Callable[..., str]

ROOT = Path(__file__).parents[4]
PAUSE = 0.01
MB = 1_000_000
A_WORKER = 200 * MB
"""What a worker may hold, with all programs of one load."""
A_PROGRAM = 16 * MB
"""What pg_restore or psql may hold, whatever a row has."""
ROW = 40 * MB
"""Bytes of a row; as text twice as many."""
LARGEST = 500 * MB
"""Bytes of a row that the service still backs up."""

WORKER = """
import dataclasses, io, json, sys
from pathlib import Path
from pydantic import SecretStr
import function_app
from shared.postgres.load import LoadJob, load_database
from shared.postgres.server import TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.split import Strength
from shared.postgres.tools import Toolbox
for change in sys.argv[9:]:
    exec(change)
host, port, user, password, path, folder, route, jobs = sys.argv[1:9]
server = TargetServer(host, int(port), user, SecretStr(password), sslmode="disable", max_jobs=int(jobs))
job = LoadJob(f"memory {route}", "x", Path(folder), 1 << 40, wanted_route=route, jobs=int(jobs))
job = dataclasses.replace(job, strength=Strength(16, 4000))
print(load_database(server, Toolbox.find(), LocalFile(Path(path)), job, io.BytesIO()).model_dump_json())
"""


NO_LIMIT = "from shared.postgres import chunks; chunks.LIMIT = 1 << 40"
SPLIT = "from shared.postgres import split; split.SMALLEST = 1; split.UNPACKED_MB['none'] = 1_000"


class Watch(threading.Thread):
    """Looks at a process and its children again and again: what they hold, in bytes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(name="watch")
        self._worker = psutil.Process(process.pid)
        self._over = threading.Event()
        self.together = 0
        self.programs: dict[str, int] = {}
        """The most that one of each kind held."""

    def run(self) -> None:
        while not self._over.wait(PAUSE):
            with suppress(psutil.NoSuchProcess):
                self._look()

    def _look(self) -> None:
        together = held(self._worker)
        for child in self._worker.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                name, own = child.name(), held(child)
                if name in {"pg_restore", "psql"}:  # nothing that is still the worker itself, between fork and exec
                    together += own
                    self.programs[name] = max(self.programs.get(name, 0), own)
        self.together = max(self.together, together)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def held(process: psutil.Process) -> int:
    """Bytes of memory that a process does not share with files."""
    memory = process.memory_info()
    return int(memory.rss - memory.shared)


@contextmanager
def loaded(
    target: FlexibleServer, file: LocalFile, folder: Path, route: str, jobs: int = 4, *changes: str
) -> Iterator[tuple[DatabaseLoad, Watch]]:
    """Load the file in a process of its own, watched; the database is dropped afterwards. `changes` are statements."""
    where = [target.host, str(target.port), target.admin, target.password, str(file.path), str(folder), route]
    argv = [sys.executable, "-c", WORKER, *where, str(jobs), *changes]
    process = subprocess.Popen(
        argv,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    with Watch(process) as watch:
        said, error = process.communicate()
    assert process.returncode == 0, error
    found = DatabaseLoad.model_validate_json(said)
    try:
        yield found, watch
    finally:
        with target.connect(as_superuser=True, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{found.temporary_name}" WITH (FORCE)')


def rows_of(size: int, tables: int = 1) -> list[str]:
    """Tables with a row of so many bytes, none of which is like its neighbours."""
    parts = f"(SELECT string_agg(decode(md5(g::text), 'hex'), '') FROM generate_series(1, {size // 16}) AS g)"
    return [
        f"CREATE TABLE t{n} (id integer, content bytea); ALTER TABLE t{n} ALTER content SET STORAGE EXTERNAL;"
        f" INSERT INTO t{n} VALUES ({n}, {parts}), (-1, 'small')"
        for n in range(tables)
    ]


def size_in(target: FlexibleServer, load: DatabaseLoad, table: str = "t0") -> tuple[object, ...] | None:
    with target.connect(load.temporary_name, as_superuser=True) as connection:
        return connection.execute(f"SELECT count(*), sum(length(content)) FROM public.{table}").fetchone()


@pytest.fixture(scope="module")
def large_row(make_database: MakeDatabase) -> str:
    return make_database("large row", *rows_of(ROW))


@pytest.mark.parametrize("route", ["auto", "streamed"])
def test_pg_restore_holds_no_row_of_an_archive_that_is_not_compressed(
    *, target: FlexibleServer, large_row: str, dump_file: DumpFile, tmp_path: Path, route: str
) -> None:
    with loaded(target, dump_file(large_row, "-Fc", "-Z0"), tmp_path, route) as (load, watch):
        assert load.method == ("streamed" if route == "streamed" else "sliced")
        assert size_in(target, load) == (2, ROW + len("small"))
        assert watch.programs["pg_restore"] < A_PROGRAM
        assert watch.together < A_WORKER


def test_without_small_chunks_it_would(
    *, target: FlexibleServer, large_row: str, dump_file: DumpFile, tmp_path: Path
) -> None:
    """So that the test above measures what it says."""
    with loaded(target, dump_file(large_row, "-Fc", "-Z0"), tmp_path, "sliced", 2, NO_LIMIT) as (_, watch):
        assert watch.programs["pg_restore"] > 2 * ROW


@pytest.mark.parametrize(
    ("options", "route", "program"),
    [
        (("-Fc", "-Zgzip:1"), "staged", "pg_restore"),
        (("-Fc", "-Zlz4"), "streamed", "pg_restore"),
        (("-Fc", "-Zzstd:1"), "sliced", "pg_restore"),
        (("-Ft",), "auto", "pg_restore"),
        (("-Fp",), "auto", "psql"),
    ],
    ids=str,
)
def test_nor_does_any_other_way_hold_a_row(
    *,
    target: FlexibleServer,
    large_row: str,
    dump_file: DumpFile,
    tmp_path: Path,
    options: tuple[str, ...],
    route: str,
    program: str,
) -> None:
    """Chunks of compressed data are small, as are the blocks of a tar, and psql reads COPY's lines in parts."""
    with loaded(target, dump_file(large_row, *options), tmp_path, route) as (load, watch):
        assert size_in(target, load) == (2, ROW + len("small"))
        assert watch.programs[program] < A_PROGRAM
        assert watch.together < A_WORKER


@pytest.mark.parametrize("compression", ["gzip:1", "none", "zstd:1"])
def test_nor_does_a_table_that_is_copied_over_several_connections(
    *, target: FlexibleServer, large_row: str, dump_file: DumpFile, tmp_path: Path, compression: str
) -> None:
    """A row goes to one connection while it comes."""
    file = dump_file(large_row, "-Fc", f"-Z{compression}")
    with loaded(target, file, tmp_path, "sliced", 4, SPLIT) as (load, watch):
        assert re.search(r"copied over [34] connections", load.method_reason)
        assert size_in(target, load) == (2, ROW + len("small"))
        assert watch.together < A_WORKER


@pytest.mark.parametrize(("compression", "window"), [("zstd", 2 << 20), ("zstd:level=1,long", 1 << 27), ("gzip", 0)])
def test_the_window_that_pg_restore_must_hold_is_told_by_the_archive(
    *, large_row: str, dump_file: DumpFile, toolbox: Toolbox, compression: str, window: int
) -> None:
    archive = inspect(dump_file(large_row, "-Fc", f"-Z{compression}"), toolbox)
    data = archive.source.read(archive.head_size, archive.source.size)
    assert largest_window(data) == window
    assert jobs_that_fit(archive) == most_jobs(archive.head_size, window)


@pytest.mark.parametrize("compression", ["none", "gzip:1"])
def test_as_many_jobs_as_are_allowed_fit_into_a_worker(
    *, target: FlexibleServer, make_database: MakeDatabase, dump_file: DumpFile, tmp_path: Path, compression: str
) -> None:
    """Each with a large row of its own on its way."""
    rows = rows_of(12 * MB, tables=16)
    file = dump_file(make_database("many large rows", *rows), "-Fc", f"-Z{compression}")
    with loaded(target, file, tmp_path, "sliced", 16) as (load, watch):
        assert load.jobs == 16
        assert size_in(target, load, "t15") == (2, 12 * MB + len("small"))
        assert watch.together < A_WORKER


@pytest.fixture(scope="module")
def largest_row(make_database: MakeDatabase) -> str:
    return make_database("largest row", *rows_of(LARGEST))


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("options", "route"),
    [
        (("-Fc", "-Z0"), "auto"),
        (("-Fc", "-Z0"), "streamed"),
        (("-Fc", "-Zgzip:1"), "staged"),
        (("-Fc", "-Zzstd:1"), "sliced"),
        (("-Ft",), "auto"),
        (("-Fp",), "auto"),
    ],
    ids=str,
)
def test_the_largest_row_that_is_backed_up_fits_into_a_worker(
    *,
    target: FlexibleServer,
    largest_row: str,
    dump_file: DumpFile,
    tmp_path: Path,
    options: tuple[str, ...],
    route: str,
) -> None:
    """The server itself needs some gigabytes for it."""
    file = dump_file(largest_row, *options)
    with loaded(target, file, tmp_path, route) as (load, watch):
        assert size_in(target, load) == (2, LARGEST + len("small"))
        assert max(watch.programs.values()) < A_PROGRAM
        assert watch.together < A_WORKER
    file.path.unlink()
