"""While a database is loaded, on whatever path, its progress tells what is on its way, table by table."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad, LoadMethod
from shared.contracts.loading import LoadProgress, LoadStep, TableState
from shared.errors import TargetUnavailable
from shared.postgres import observer
from shared.postgres.archive import inspect
from shared.postgres.load import LoadJob, Shared, load_or_share, load_pieces
from shared.postgres.server import TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.tools import Toolbox

type Load = Callable[..., DatabaseLoad]
type Wait = Callable[[Callable[[], object], str], object]

HALTS = """
    CREATE FUNCTION public.{name}(n integer) RETURNS {kind} IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
        WHILE n = 30000 AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_stat_activity WHERE application_name LIKE '%{name} may go on%'
        ) LOOP
            PERFORM pg_catalog.pg_sleep(0.02), pg_catalog.pg_stat_clear_snapshot();
        END LOOP;
        RETURN {answer};
    END $$
"""
"""A function that halts at one row until somebody connects under a certain name."""
ROWS, INDEXES = "rows", "indexes"
TABLES = (
    f"SET application_name = '{ROWS} may go on, {INDEXES} may go on'",
    HALTS.format(name=ROWS, kind="boolean", answer="true"),
    HALTS.format(name=INDEXES, kind="integer", answer="n"),
    "CREATE TABLE halted (n integer PRIMARY KEY CHECK (rows(n)), filler text)",
    "INSERT INTO halted SELECT n, repeat(md5(n::text), 5) FROM generate_series(1, 40000) AS n",
    "CREATE INDEX slow ON halted (indexes(n))",
    "CREATE TABLE small AS SELECT n FROM generate_series(1, 500) AS n",
    "CREATE TABLE none (n integer)",
    "SELECT lo_from_bytea(77, repeat('x', 100000)::bytea)",
)


@pytest.fixture(scope="module")
def dumped(make_database: Callable[..., str], dump_file: Callable[..., LocalFile]) -> Callable[..., LocalFile]:
    name = make_database("observed", *TABLES)
    return lambda *options: dump_file(name, *options)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer, "EVERY", 0.05)
    monkeypatch.setattr(observer, "REST", 1)
    monkeypatch.setattr(observer, "SAMPLED_FROM", 1)


@contextmanager
def going_on(target: FlexibleServer, *names: str) -> Iterator[None]:
    """Let what halts under these names go on."""
    with psycopg.connect(target.url(), application_name=", ".join(f"{name} may go on" for name in names)):
        yield


class Told(list[LoadProgress]):
    """What was written, the newest last."""

    def has(self, test: Callable[[LoadProgress], object]) -> Callable[[], bool]:
        """Whether the newest is so."""
        return lambda: bool(self) and bool(test(self[-1]))

    def table(self, name: str) -> tuple[TableState, int, int, int | None]:
        [found] = [one for one in self[-1].by_table if one.table == name]
        return found.state, found.rows, found.bytes, found.total_bytes


def is_halted(told: LoadProgress) -> bool:
    """Whether the large table stands in the middle, and everything before it was seen."""
    return any(one.table == "public.halted" and one.rows > 25_000 for one in told.by_table)


@pytest.mark.parametrize(
    ("route", "options", "method"),
    [
        ("staged", ("-Fc",), LoadMethod.STAGED_PARALLEL),
        ("sliced", ("-Fc", "-Z0"), LoadMethod.SLICED),
        ("streamed", ("-Fc", "-Z", "zstd"), LoadMethod.STREAMED),
        ("auto", ("-Ft",), LoadMethod.STREAMED),
        ("auto", ("-Fp",), LoadMethod.SCRIPT),
    ],
)
def test_a_load_tells_what_is_on_its_way_then_its_indexes_then_that_all_is_there(
    target: FlexibleServer,
    dumped: Callable[..., LocalFile],
    load: Load,
    wait: Wait,
    tmp_path: Path,
    route: str,
    options: tuple[str, ...],
    method: LoadMethod,
) -> None:
    """A table that is halted in the middle shows a part of its bytes and rows; an index that is halted is named."""
    told, loads = Told(), list[DatabaseLoad]()
    job = LoadJob(f"seen {route} {options}", "observed", tmp_path, 1 << 30, route, 2, write_progress=told.append)  # type: ignore[arg-type]
    thread = threading.Thread(target=lambda: loads.append(load(dumped(*options), job)))
    thread.start()
    try:
        wait(told.has(is_halted), "a table that is halted")
        state, rows, size, total = told.table("public.halted")
        halted = told[-1]
        assert state is TableState.LOADING
        assert 25_000 < rows < 40_000
        assert halted.step is LoadStep.ROWS
        assert halted.attempt.startswith("flexrestore_")
        assert 0 < halted.share < 0.9
        if options[0] == "-Fc":
            assert total is not None
            assert 0.3 * total < size < total
        assert halted.total_bytes is not None
        assert 0 < halted.bytes <= halted.total_bytes
        with going_on(target, ROWS):
            wait(told.has(lambda one: one.building), "an index that is halted")
            seen = told[-1]
            assert (seen.step, seen.building[0].table) == (LoadStep.INDEXES, "public.halted")
            assert told.table("public.halted")[0] is TableState.LOADED
            assert seen.tables_loaded == seen.tables
            assert seen.bytes == seen.total_bytes
            assert seen.share > halted.share
            with going_on(target, INDEXES):
                thread.join()
    finally:
        with going_on(target, ROWS, INDEXES):
            thread.join()
    assert [one.method for one in loads] == [method]
    last = told[-1]
    assert (last.step, last.indexes, last.building) == (LoadStep.OTHER, 2, ())
    assert last.total_indexes == (None if options[0] == "-Fp" else 2)
    assert {(one.table, one.rows) for one in last.by_table} >= {("public.halted", 40_000), ("public.small", 500)}
    assert all(one.state is TableState.LOADED for one in last.by_table)


def test_a_load_that_several_processes_share_is_told_as_one(
    dumped: Callable[..., LocalFile], server: TargetServer, toolbox: Toolbox, target: FlexibleServer, tmp_path: Path
) -> None:
    """By who begins it, by who does pieces, and by who ends it."""
    file, tolds = dumped("-Fc"), [Told(), Told(), Told()]
    jobs = [
        LoadJob("shared", "observed", tmp_path, 0, "sliced", 2, lanes=2, write_progress=told.append) for told in tolds
    ]
    with going_on(target, ROWS, INDEXES):
        assert load_or_share(server, toolbox, file, jobs[0], io.BytesIO()) == Shared(2)
        assert load_pieces(server, toolbox, file, jobs[1], io.BytesIO(), time.monotonic() + 60) == 0
        ended = load_or_share(server, toolbox, file, jobs[2], io.BytesIO())
    assert isinstance(ended, DatabaseLoad)
    began, pieces, finish = tolds
    assert {one.attempt for one in (*began, *pieces)} == {began[0].attempt}
    assert (began[-1].rows, pieces.table("public.halted")[0]) == (0, TableState.LOADED)
    assert (finish[-1].attempt, finish[-1].step, finish[-1].rows) == (ended.temporary_name, LoadStep.OTHER, 40_500)


def test_each_attempt_tells_under_a_name_of_its_own(
    dumped: Callable[..., LocalFile], load: Load, target: FlexibleServer, tmp_path: Path
) -> None:
    told = Told()
    with going_on(target, ROWS, INDEXES):
        for name in ("one", "two"):
            load(dumped("-Fc"), LoadJob(name, "observed", tmp_path, 1 << 30, write_progress=told.append))
    assert len({one.attempt for one in told}) == 2


def test_a_server_that_refuses_the_observer_gets_the_database_all_the_same(
    dumped: Callable[..., LocalFile],
    load: Load,
    target: FlexibleServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect = TargetServer.connect

    def crowded(self: TargetServer, dbname: str | None = None, *, application_name: str = "") -> object:
        if application_name == "flex-restore observer":
            raise TargetUnavailable("too many connections")
        return connect(self, dbname, application_name=application_name)

    monkeypatch.setattr(TargetServer, "connect", crowded)
    told = Told()
    with going_on(target, ROWS, INDEXES):
        result = load(dumped("-Fc"), LoadJob("refused", "observed", tmp_path, 1 << 30, write_progress=told.append))
    assert (result.oid > 0, told) == (True, [])


def test_where_connections_are_few_the_load_has_them_all(
    dumped: Callable[..., LocalFile], load: Load, target: FlexibleServer, tmp_path: Path
) -> None:
    told = Told()
    with going_on(target, ROWS, INDEXES), target.connect(as_superuser=True, autocommit=True) as admin:
        admin.execute(f"ALTER ROLE {target.admin} CONNECTION LIMIT 15")
        try:
            load(dumped("-Fc"), LoadJob("few", "observed", tmp_path, 1 << 30, write_progress=told.append))
        finally:
            admin.execute(f"ALTER ROLE {target.admin} CONNECTION LIMIT -1")
    assert told == []


def test_a_record_that_cannot_be_written_does_not_fail_the_load(
    dumped: Callable[..., LocalFile], load: Load, target: FlexibleServer, tmp_path: Path
) -> None:
    asked = list[LoadProgress]()

    def fails(progress: LoadProgress) -> None:
        asked.append(progress)
        raise OSError("storage is away")

    with going_on(target, ROWS, INDEXES):
        result = load(dumped("-Fc"), LoadJob("unwritten", "observed", tmp_path, 1 << 30, write_progress=fails))
    assert result.oid > 0
    assert asked


def test_of_several_processes_one_looks_and_another_takes_its_place(
    target: FlexibleServer, server: TargetServer, dumped: Callable[..., LocalFile], toolbox: Toolbox, wait: Wait
) -> None:
    archive = inspect(dumped("-Fc"), toolbox)
    first, second = Told(), Told()
    with target.connect(autocommit=True) as connection:
        connection.execute("CREATE DATABASE looked_at")
    with observer.observed(server, "looked_at", archive, second.append):
        wait(lambda: second, "the first look")
        with observer.observed(server, "looked_at", archive, first.append):
            seen = len(second)
            wait(lambda: len(second) > seen + 3, "some more looks")
        assert first == []
    assert second[0].step is LoadStep.DEFINITIONS
