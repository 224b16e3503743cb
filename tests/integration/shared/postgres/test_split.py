"""One table copied over several connections: the same database as on every other way, whatever is refused or ended."""

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad, LoadMethod
from shared.errors import ImportFailed, TargetUnavailable, UnreadableFile
from shared.postgres import crew, slices, split, split_load
from shared.postgres.archive import inspect
from shared.postgres.load import LoadJob, load_database
from shared.postgres.promotion import promote
from shared.postgres.server import TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.split import Strength
from shared.postgres.tools import Toolbox
from shared.postgres.verification import verify_database

type DumpFile = Callable[..., LocalFile]
type Load = Callable[..., DatabaseLoad]
type MakeDatabase = Callable[..., str]
type Dump = Callable[..., str]
type Wait = Callable[[Callable[[], object], str], object]

STRONG = Strength(cores=16, storage_mb=2_000)
ROWS = "CREATE TABLE many AS SELECT n, repeat(md5(n::text), 3) AS filler FROM generate_series(1, 20000) n"
COUNT = "SELECT count(*), sum(hashtext(t::text)::bigint) FROM public.many t"


def lines(text: str) -> list[str]:
    """Of a dump; rows that were copied side by side have no order."""
    return sorted(text.split("\n"))


@pytest.fixture(autouse=True)
def every_table_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is taken for one that dominates, and its rows come in many parts."""
    monkeypatch.setattr(split, "SMALLEST", 1)
    monkeypatch.setattr(split, "SHARE", 0)
    monkeypatch.setattr(slices, "SMALLEST", 1)
    monkeypatch.setattr(slices, "LARGEST", 1)
    monkeypatch.setattr(split_load, "BLOCK", 1_000)


@pytest.fixture
def job(tmp_path: Path) -> Callable[[str], LoadJob]:
    return lambda name: LoadJob(
        f"split {name}", name, tmp_path, 1 << 30, wanted_route="sliced", jobs=3, strength=STRONG
    )


def test_the_database_with_everything_in_it_is_what_the_source_has(
    *,
    source: FlexibleServer,
    target: FlexibleServer,
    server: TargetServer,
    toolbox: Toolbox,
    features: str,
    dump: Dump,
    dump_file: DumpFile,
    job: Callable[[str], LoadJob],
) -> None:
    """Every table with rows of its own is copied over three connections."""
    file, log = dump_file(features, "-Fc"), io.BytesIO()
    loaded = load_database(server, toolbox, file, job(features), log)

    assert loaded.method is LoadMethod.SLICED
    assert loaded.method_reason.count("is copied over 3 connections") == log.getvalue().count(b"-- COPY over 3") >= 8
    verify_database(server, loaded, inspect(file, toolbox))
    promote(server, job(features).key, loaded.oid, features, on_conflict="replace")
    assert [note for note in loaded.notes.items if note.matters] == []
    assert lines(dump(target, features, "--create")) == lines(dump(source, features, "--create"))


def test_rows_in_another_encoding_and_of_any_size_are_the_sources(
    *,
    source: FlexibleServer,
    target: FlexibleServer,
    make_database: MakeDatabase,
    dump: Dump,
    dump_file: DumpFile,
    load: Load,
    job: Callable[[str], LoadJob],
) -> None:
    name = make_database(
        "split latin1",
        'CREATE TABLE "Größe" ("ä b" text, n integer GENERATED ALWAYS AS (length("ä b")) STORED)',
        "INSERT INTO \"Größe\" SELECT repeat('é', n) FROM generate_series(0, 3000, 250) n",
        "INSERT INTO \"Größe\" VALUES ('\\.'), (E'\\n'), (''), (NULL), (E'\\\\N'), (E'a\\tb\\r')",
        "CREATE TABLE empty (n integer); CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES",
        options="ENCODING 'LATIN1' LOCALE 'C'",
    )
    loaded = load(dump_file(name, "-Fc"), job(name))

    assert 'public."Größe" is copied over 3' in loaded.method_reason
    assert lines(dump(target, loaded.temporary_name)) == lines(dump(source, name))


def test_a_row_that_the_server_refuses_is_named_as_on_every_way(
    *, make_database: MakeDatabase, dump_file: DumpFile, load: Load, job: Callable[[str], LoadJob]
) -> None:
    name = make_database(
        "split strict",
        ROWS,
        "CREATE FUNCTION fits(integer) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END'",
        "ALTER TABLE many ADD CHECK (fits(n))",
        "CREATE OR REPLACE FUNCTION fits(integer) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN $1 < 15000; END'",
    )
    with pytest.raises(ImportFailed) as failed:
        load(dump_file(name, "-Fc"), job(name))
    assert failed.value.details[0].startswith("TABLE DATA public many")


@dataclass(frozen=True)
class Stalling(LocalFile):
    """A file whose reader waits in the middle of the rows until it is told to go on; it says when it waits."""

    waits: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def read(self, offset: int, length: int) -> bytes:
        if offset > self.size // 2:
            self.waits.set()
            assert self.go_on.wait(60), "nobody told it to go on"
        return super().read(offset, length)


@pytest.fixture
def stalling(make_database: MakeDatabase, dump_file: DumpFile, monkeypatch: pytest.MonkeyPatch) -> Stalling:
    monkeypatch.setattr(split_load, "PIECE", 10_000)
    monkeypatch.setattr(crew, "PAUSES", (0.1, 0.1))
    return Stalling(dump_file(make_database("split stalling", ROWS), "-Fc").path)


def sessions(target: FlexibleServer, like: str) -> list[int]:
    with target.connect(as_superuser=True) as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name ~ %s"
        return [pid for (pid,) in connection.execute(query, [like])]


def end(target: FlexibleServer, *pids: int) -> None:
    with target.connect(as_superuser=True, autocommit=True) as connection:
        for pid in pids:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


COPIES = "^flexrestore_.*/0/"


def test_a_connection_that_is_cut_starts_the_table_over(
    *,
    source: FlexibleServer,
    target: FlexibleServer,
    server: TargetServer,
    toolbox: Toolbox,
    stalling: Stalling,
    job: Callable[[str], LoadJob],
    wait: Wait,
) -> None:
    log, loads = io.BytesIO(), list[DatabaseLoad]()
    name = "split stalling"
    thread = threading.Thread(target=lambda: loads.append(load_database(server, toolbox, stalling, job(name), log)))
    thread.start()
    wait(lambda: stalling.waits.is_set() and len(sessions(target, COPIES)) == 3, "three connections that copy")
    end(target, sessions(target, COPIES)[0])
    stalling.go_on.set()
    thread.join()
    [loaded] = loads
    assert log.getvalue().count(b"-- COPY over 3") == 2
    assert counted(target, loaded.temporary_name) == counted(source, name)


def test_an_attempt_that_has_lost_its_lock_brings_no_row_any_more(
    *,
    source: FlexibleServer,
    target: FlexibleServer,
    load: Load,
    stalling: Stalling,
    job: Callable[[str], LoadJob],
    wait: Wait,
) -> None:
    """The next one ends its connections, starts the table over, and is not disturbed when the first one wakes up."""
    name, errors = "split stalling", list[BaseException]()
    lost = replace(job(name), restore_id="split lost")

    def work() -> None:
        try:
            load(stalling, lost)
        except TargetUnavailable as error:
            errors.append(error)

    first = threading.Thread(target=work)
    first.start()
    wait(lambda: stalling.waits.is_set() and len(sessions(target, COPIES)) == 3, "three connections that copy")
    end(target, *sessions(target, "^flex-restore lock$"), *sessions(target, "^flexrestore_.* piece "))
    loaded = load(LocalFile(stalling.path), lost)
    stalling.go_on.set()
    first.join()
    assert len(errors) == 1
    assert counted(target, loaded.temporary_name) == counted(source, name)


def test_an_archive_that_is_cut_off_within_the_table_is_unreadable(
    *, dump_file: DumpFile, make_database: MakeDatabase, load: Load, job: Callable[[str], LoadJob]
) -> None:
    file = dump_file(make_database("split cut off", ROWS), "-Fc")
    file.path.write_bytes(file.path.read_bytes()[:-5_000])
    with pytest.raises(UnreadableFile, match="truncated"):
        load(file, job("split cut off"))


def counted(server: FlexibleServer, database: str) -> object:
    with server.connect(database, as_superuser=True) as connection:
        return connection.execute(COUNT).fetchall()
