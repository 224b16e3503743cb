"""One table copied over several connections: the same database as on every other way, whatever is refused or ended."""

import hashlib
import io
import os
import re
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
import pytest

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad, LoadMethod
from shared.errors import (
    DeadlinePassed,
    FlexRestoreError,
    ImportFailed,
    RestoreCancelled,
    TargetUnavailable,
    UnreadableFile,
)
from shared.postgres import crew, split_load
from shared.postgres import sessions as fence
from shared.postgres.archive import inspect
from shared.postgres.load import LoadJob, load_database
from shared.postgres.promotion import promote
from shared.postgres.server import TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.split import UNKNOWN, Strength
from shared.postgres.tools import Toolbox
from shared.postgres.verification import verify_database

type DumpFile = Callable[..., LocalFile]
type Load = Callable[..., DatabaseLoad]
type MakeDatabase = Callable[..., str]
type Dump = Callable[..., str]
type Wait = Callable[[Callable[[], object], str], object]

every_compression = pytest.mark.parametrize("compression", ["gzip", "none", "lz4", "zstd"])

ROWS = "CREATE TABLE many AS SELECT n, repeat(md5(n::text), 3) AS filler FROM generate_series(1, 20000) n"
A_ROW = hashlib.md5(b"15000", usedforsecurity=False).hexdigest()
"""Of the row that is refused."""
COUNT = "SELECT count(*), sum(hashtext(t::text)::bigint) FROM public.many t"


def lines(text: str) -> list[str]:
    """Of a dump; rows that were copied side by side have no order."""
    return sorted(text.split("\n"))


@pytest.fixture(autouse=True)
def strength(split_always: Strength) -> Strength:
    """Every table is split."""
    return split_always


@pytest.fixture
def job(tmp_path: Path, strength: Strength) -> Callable[[str], LoadJob]:
    return lambda name: LoadJob(
        f"split {name}", name, tmp_path, 1 << 30, wanted_route="sliced", jobs=3, strength=strength
    )


@every_compression
def test_the_database_with_everything_in_it_is_what_the_source_has(
    *,
    source: FlexibleServer,
    target: FlexibleServer,
    server: TargetServer,
    bundled: Toolbox,
    features: str,
    dump: Dump,
    dump_file: DumpFile,
    job: Callable[[str], LoadJob],
    compression: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every table with rows of its own is copied over three connections, and none by pg_restore in the end."""
    file, log = dump_file(features, "-Fc", f"-Z{compression}"), io.BytesIO()
    one = replace(job(features), restore_id=f"split {compression}")
    loaded = load_database(server, bundled, file, one, log)

    assert loaded.method is LoadMethod.SLICED
    assert loaded.method_reason.count("is copied over 3 connections") == log.getvalue().count(b"-- COPY over") >= 8
    assert "pg_restore is to tell" not in caplog.text
    verify_database(server, loaded, inspect(file, bundled))
    promote(server, one.key, loaded.oid, features, on_conflict="replace")
    assert [note for note in loaded.notes.items if note.matters] == []
    assert lines(dump(target, features, "--create")) == lines(dump(source, features, "--create"))


@every_compression
def test_rows_in_another_encoding_and_of_any_size_are_the_sources(
    *,
    source: FlexibleServer,
    target: FlexibleServer,
    server: TargetServer,
    bundled: Toolbox,
    make_database: MakeDatabase,
    dump: Dump,
    dump_file: DumpFile,
    job: Callable[[str], LoadJob],
    compression: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    name = make_database(
        f"split latin1 {compression}",
        'CREATE TABLE "Größe" ("ä b" text, n integer GENERATED ALWAYS AS (length("ä b")) STORED)',
        'INSERT INTO "Größe" SELECT repeat(chr(192 + n), n * 25000) FROM generate_series(0, 12) n',
        "INSERT INTO \"Größe\" VALUES ('\\.'), (E'\\n'), (''), (NULL), (E'\\\\N'), (E'a\\tb\\r')",
        "CREATE TABLE empty (n integer); CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES",
        options="ENCODING 'LATIN1' LOCALE 'C'",
    )
    loaded = load_database(server, bundled, dump_file(name, "-Fc", f"-Z{compression}"), job(name), io.BytesIO())

    assert re.search(r'public\."Größe", \d+% of the rows, is copied over 3', loaded.method_reason)
    assert "pg_restore is to tell" not in caplog.text
    assert lines(dump(target, loaded.temporary_name)) == lines(dump(source, name))


def strict(make_database: MakeDatabase, name: str, verdict: str) -> str:
    """A database with rows that its own restore refuses: a statement in PL/pgSQL, which has the number as $1."""
    return make_database(
        name,
        ROWS,
        "CREATE FUNCTION fits(integer) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END'",
        "ALTER TABLE many ADD CHECK (fits(n))",
        f"CREATE OR REPLACE FUNCTION fits(integer) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN {verdict} END$$",
    )


REFUSALS = {
    "a constraint": "RETURN $1 <> 15000;",
    **{
        state: f"IF $1 = 15000 THEN RAISE 'refused' USING ERRCODE = '{state}'; END IF; RETURN true;"
        for state in ("22000", "40001", "42501", "54000", "55000", "58030", "XX000")
    },
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_row_that_the_server_refuses_is_named_as_on_every_way(
    *,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    load: Load,
    job: Callable[[str], LoadJob],
    refusal: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever the error's class is: the answer is that of a load that is not split, and the log has no row."""
    name = strict(make_database, "split strict", REFUSALS[refusal])
    file, answers = dump_file(name, "-Fc"), []
    for one in (job(name), replace(job(name), restore_id="not split", strength=UNKNOWN)):
        with pytest.raises(ImportFailed) as failed:
            load(file, one)
        answers.append((failed.value.text, failed.value.details))
    assert answers[0] == answers[1]
    assert answers[0][1][0].startswith("TABLE DATA public many")
    assert caplog.text.count("pg_restore is to tell") == 1
    assert A_ROW not in caplog.text


def test_rows_of_another_table_than_the_archive_tells_are_not_loaded(
    *, make_database: MakeDatabase, dump_file: DumpFile, toolbox: Toolbox, load: Load, job: Callable[[str], LoadJob]
) -> None:
    """The places of two tables with the same columns have changed places."""
    file = dump_file(make_database("split swapped", "CREATE TABLE a (n int); CREATE TABLE b (n int)"), "-Fc")
    places = [entry.place.to_bytes(8, "little") for entry in inspect(file, toolbox).entries if entry.place]
    data = bytearray(file.path.read_bytes())
    spots = [data.index(b"\x02" + place) + 1 for place in places]
    for spot, place in zip(spots, reversed(places), strict=True):
        data[spot : spot + 8] = place
    file.path.write_bytes(data)
    with pytest.raises(UnreadableFile, match="corrupt"):
        load(file, job("split swapped"))


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


@pytest.mark.parametrize("stalls", ["before its first row", "in the middle"])
def test_an_attempt_that_has_lost_its_lock_brings_no_row_any_more(
    *,
    source: FlexibleServer,
    target: FlexibleServer,
    load: Load,
    stalling: Stalling,
    job: Callable[[str], LoadJob],
    wait: Wait,
    monkeypatch: pytest.MonkeyPatch,
    stalls: str,
) -> None:
    """The next one ends its connections, starts the table over, and is not disturbed when the first one wakes up."""
    name, errors = "split stalling", list[BaseException]()
    lost = replace(job(name), restore_id=f"split lost {stalls}")
    asleep = 0 if stalls == "in the middle" else 3

    def sleeps(lock: psycopg.Connection, session: str, ended: threading.Event) -> bool:
        nonlocal asleep
        if asleep:
            asleep -= 1
            stalling.waits.set()
            stalling.go_on.wait(60)
        return fence.has_begun(lock, session, ended)

    monkeypatch.setattr(split_load, "has_begun", sleeps)

    def work() -> None:
        try:
            load(stalling, lost)
        except TargetUnavailable as error:
            errors.append(error)

    first = threading.Thread(target=work)
    first.start()
    wait(
        lambda: stalling.waits.is_set() and not asleep and len(sessions(target, COPIES)) == 3,
        "three connections that copy, or are about to",
    )
    end(target, *sessions(target, "^flex-restore lock$"), *sessions(target, "^flexrestore_.* piece "))
    loaded = load(LocalFile(stalling.path), lost)
    stalling.go_on.set()
    first.join()
    assert len(errors) == 1
    assert counted(target, loaded.temporary_name) == counted(source, name)


def test_a_refused_row_is_heard_of_before_the_last_one_is_sent(
    *,
    target: FlexibleServer,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    load: Load,
    job: Callable[[str], LoadJob],
    wait: Wait,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And the other connections end."""
    monkeypatch.setattr(split_load, "PIECE", 10_000)
    name = strict(make_database, "split soon", "RETURN $1 <> 5;")
    file, errors = Stalling(dump_file(name, "-Fc").path), list[ImportFailed]()

    def work() -> None:
        try:
            load(file, job(name))
        except ImportFailed as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        wait(file.waits.is_set, "rows that are not read yet")
        wait(lambda: not sessions(target, COPIES), "all connections to end")
    finally:
        file.go_on.set()
        thread.join()
    assert len(errors) == 1


@pytest.mark.parametrize("wanted", [True, False], ids=["out of time", "cancelled"])
def test_a_server_that_says_nothing_any_more_keeps_no_load_from_ending(
    *, target: FlexibleServer, load: Load, stalling: Stalling, job: Callable[[str], LoadJob], wait: Wait, wanted: bool
) -> None:
    errors, stopped = list[BaseException](), threading.Event()

    def still_wanted() -> None:
        if stopped.is_set() and not wanted:
            raise RestoreCancelled

    def work() -> None:
        one = replace(job("split stalling"), restore_id=f"stopped {wanted}", still_wanted=still_wanted)
        try:
            load(stalling, replace(one, timeout_seconds=5 if wanted else None))
        except FlexRestoreError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait(lambda: stalling.waits.is_set() and len(sessions(target, COPIES)) == 3, "three connections that copy")
    pids = sessions(target, COPIES)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        stopped.set()
        stalling.go_on.set()
        wait(lambda: errors, "the end of the load")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        thread.join()
    assert isinstance(errors[0], DeadlinePassed if wanted else RestoreCancelled)


@every_compression
def test_an_archive_that_is_cut_off_within_the_table_is_unreadable(
    *,
    server: TargetServer,
    bundled: Toolbox,
    dump_file: DumpFile,
    make_database: MakeDatabase,
    job: Callable[[str], LoadJob],
    compression: str,
) -> None:
    file = dump_file(make_database("split cut off", ROWS), "-Fc", f"-Z{compression}")
    file.path.write_bytes(file.path.read_bytes()[:-5_000])
    one = replace(job("split cut off"), restore_id=f"cut off {compression}")
    with pytest.raises(UnreadableFile, match="truncated"):
        load_database(server, bundled, file, one, io.BytesIO())


def counted(server: FlexibleServer, database: str) -> object:
    with server.connect(database, as_superuser=True) as connection:
        return connection.execute(COUNT).fetchall()
