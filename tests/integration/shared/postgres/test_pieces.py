"""A load in pieces: several processes share it, and whoever is ended leaves what the next one goes on with."""

import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad
from shared.errors import FlexRestoreError, ImportFailed, TargetUnavailable
from shared.postgres import archive_load, board, crew, load, piece_load, schedule, schemas, slices, temporary
from shared.postgres.archive import inspect
from shared.postgres.board import Held, SharedBoard
from shared.postgres.load import LoadJob, Shared, load_database, load_or_share, load_pieces
from shared.postgres.load_settings import read_resources
from shared.postgres.pieces import Piece
from shared.postgres.post_data import Builder
from shared.postgres.promotion import promote
from shared.postgres.server import TargetServer
from shared.postgres.slices import Slice
from shared.postgres.source import LocalFile
from shared.postgres.temporary import Database
from shared.postgres.tools import Toolbox
from shared.postgres.verification import verify_database

type DumpFile = Callable[..., LocalFile]
type MakeDatabase = Callable[..., str]
type Dump = Callable[..., str]

LONG = 60.0
"""Seconds of a shift that ends before it is over."""


@pytest.fixture(autouse=True)
def many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each table has a slice of its own, and each index and key of a table with rows is a piece."""
    monkeypatch.setattr(slices, "SMALLEST", 1)
    monkeypatch.setattr(slices, "LARGEST", 1)
    monkeypatch.setattr(schedule, "LARGE", 1)


@dataclass
class Loads:
    """Loads of one file, each as a process of its own does them."""

    server: TargetServer
    toolbox: Toolbox
    file: LocalFile
    job: LoadJob
    log: io.BytesIO = field(default_factory=io.BytesIO)

    def begin_or_end(self) -> DatabaseLoad | Shared:
        return load_or_share(self.server, self.toolbox, self.file, self.job, self.log)

    def pieces(self, seconds: float = LONG) -> int:
        return load_pieces(self.server, self.toolbox, self.file, self.job, self.log, time.monotonic() + seconds)

    def whole(self) -> DatabaseLoad:
        return load_database(self.server, self.toolbox, self.file, self.job, self.log)

    @property
    def left(self) -> list[Database]:
        with self.server.connect() as connection:
            return temporary.temporaries(connection, self.job.key)


@pytest.fixture
def loads(
    request: pytest.FixtureRequest,
    server: TargetServer,
    toolbox: Toolbox,
    features: str,
    dump_file: DumpFile,
    tmp_path: Path,
) -> Loads:
    """Of the database with everything in it."""
    job = LoadJob(request.node.name, features, tmp_path, 1 << 30, wanted_route="sliced", jobs=2, lanes=3)
    return Loads(server, toolbox, dump_file(features, "-Fc"), job)


@pytest.fixture
def is_whole(
    source: FlexibleServer, target: FlexibleServer, loads: Loads, dump: Dump
) -> Callable[[DatabaseLoad], None]:
    """That a loaded database is what the source's is, byte by byte."""

    def check(loaded: DatabaseLoad) -> None:
        name = loads.job.database
        verify_database(loads.server, loaded, inspect(loads.file, loads.toolbox))
        promote(loads.server, loads.job.key, loaded.oid, name, on_conflict="replace")
        assert [note for note in loaded.notes.items if note.matters] == []
        assert dump(target, name, "--create") == dump(source, name, "--create")

    return check


def test_several_processes_share_the_pieces_of_a_database(
    loads: Loads, is_whole: Callable[[DatabaseLoad], None]
) -> None:
    """One begins it, all of them do pieces, each piece once, and one brings it to its end."""
    assert loads.begin_or_end() == Shared(3)
    with ThreadPoolExecutor(3) as pool:
        left = list(pool.map(lambda _: loads.pieces(), range(3)))
    assert left == [0, 0, 0]
    loaded = loads.begin_or_end()
    assert isinstance(loaded, DatabaseLoad)
    assert loaded.jobs == 6
    assert "3 function instances share it" in loaded.method_reason
    is_whole(loaded)
    done = [line for line in loads.log.getvalue().splitlines() if b", slice " in line]
    assert len(done) == len(set(done)) > 10


def test_a_shift_begins_no_piece_after_its_end_and_tells_what_is_left(loads: Loads) -> None:
    loads.begin_or_end()
    [before] = loads.left
    assert loads.pieces(seconds=0) > 10
    assert loads.left == [before]
    assert loads.pieces() == 0


def test_a_begun_load_is_not_touched_by_who_asks_for_it_again(loads: Loads) -> None:
    """The answer may have been lost, and others have begun with the pieces."""
    loads.begin_or_end()
    [before] = loads.left
    assert loads.begin_or_end() == Shared(3)
    assert loads.left == [before]


def test_who_loads_alone_does_the_pieces_that_others_have_left(
    loads: Loads, is_whole: Callable[[DatabaseLoad], None]
) -> None:
    loads.begin_or_end()
    [begun] = loads.left
    loaded = loads.whole()
    assert loaded.oid == begun.oid
    is_whole(loaded)


def test_a_loaders_connection_serves_one_piece_after_the_other_and_holds_nothing_between_them(
    loads: Loads, target: FlexibleServer
) -> None:
    loads.begin_or_end()
    [begun] = loads.left
    with loads.server.connect() as connection:
        pieces = [Piece(number, Slice(number, (), ())) for number in range(2)]
        shared = SharedBoard(loads.server, begun.name, pieces, read_resources(connection))
    with shared.hold(lambda: True) as first:
        pid = _backend(first)
    with target.connect() as connection:
        locks = connection.execute("SELECT FROM pg_locks WHERE pid = %s AND locktype = 'advisory'", [pid]).fetchall()
    assert locks == []
    with shared.hold(lambda: True) as second:
        assert (second and second.piece, _backend(second)) == (first and first.piece, pid)
    shared.close()
    with shared.hold(lambda: True) as third:
        assert _backend(third) != pid
    shared.close()


def _backend(held: Held | None) -> int:
    """The server's process behind the connection that holds a piece."""
    assert held is not None
    assert held.connection is not None
    return held.connection.info.backend_pid


def test_a_piece_that_fails_ends_the_load_of_the_others_soon(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    """They find it on the board; whoever asks for the database then begins it anew."""

    def fails(*_: object) -> Any:
        raise ImportFailed("no such operator class")

    loads.begin_or_end()
    [begun] = loads.left
    with monkeypatch.context() as patch:
        patch.setattr(Builder, "__call__", fails)
        with pytest.raises(ImportFailed, match="operator class"):
            loads.pieces()
    assert loads.pieces() == 0
    assert loads.begin_or_end() == Shared(3)
    [again] = loads.left
    assert again.oid != begun.oid


def test_an_index_that_was_built_and_not_marked_is_not_built_again(
    loads: Loads, monkeypatch: pytest.MonkeyPatch, is_whole: Callable[[DatabaseLoad], None]
) -> None:
    """Its process was ended between the two."""
    mark, lost = SharedBoard.mark, list[Piece]()

    def ends(self: SharedBoard, held: board.Held, findings: Any) -> None:
        if held.piece.build and len(lost) < 3:
            lost.append(held.piece)
            raise ConnectionResetError("ended")
        mark(self, held, findings)

    loads.begin_or_end()
    with monkeypatch.context() as patch:
        patch.setattr(SharedBoard, "mark", ends)
        patch.setattr(crew, "PAUSES", ())
        while len(lost) < 3:
            with pytest.raises(ConnectionResetError):
                loads.pieces()
    assert loads.pieces() == 0
    loaded = loads.begin_or_end()
    assert isinstance(loaded, DatabaseLoad)
    is_whole(loaded)


AFTERWARDS = (
    "CREATE SCHEMA shop",
    "CREATE TABLE shop.doc (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body jsonb, n integer UNIQUE)",
    "INSERT INTO shop.doc (body, n) SELECT jsonb_build_object('k', n), n FROM generate_series(1, 500) n",
    "CREATE INDEX by_body ON shop.doc USING gin (body)",
    "CREATE TABLE shop.line (doc bigint REFERENCES shop.doc, no int, PRIMARY KEY (doc, no)) PARTITION BY HASH (doc)",
    "CREATE TABLE shop.line_0 PARTITION OF shop.line FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
    "CREATE TABLE shop.line_1 PARTITION OF shop.line FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    "INSERT INTO shop.line SELECT n, 1 FROM generate_series(1, 500) n",
    "CREATE INDEX by_no ON shop.line (no)",
    "CREATE TABLE shop.note (doc integer REFERENCES shop.doc (n), text text, CHECK (text <> ''))",
    "INSERT INTO shop.note SELECT n, 'x' FROM generate_series(1, 500) n",
    "CREATE STATISTICS shop.both ON doc, text FROM shop.note",
    "CREATE FUNCTION shop.stop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE TRIGGER guard BEFORE DELETE ON shop.note FOR EACH ROW EXECUTE FUNCTION shop.stop()",
    "CREATE RULE quiet AS ON UPDATE TO shop.note DO INSTEAD NOTHING",
    "ALTER TABLE shop.note ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY mine ON shop.note USING (doc > 0)",
    "CREATE PUBLICATION notes FOR TABLE shop.note",
    "CREATE MATERIALIZED VIEW shop.counted AS SELECT count(*) AS n FROM shop.doc",
    "CREATE UNIQUE INDEX by_count ON shop.counted (n)",
    "COMMENT ON INDEX shop.by_body IS 'for containment'",
    "GRANT USAGE ON SCHEMA shop TO reporting",
    "GRANT SELECT ON ALL TABLES IN SCHEMA shop TO reporting",
)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (piece_load.PieceLoad, "finish"),
        (archive_load, "close_schemas"),
        (archive_load, "run_grants"),
        (archive_load.ArchiveLoad, "_closing"),
        (load, "analyze"),
    ],
    ids=lambda part: getattr(part, "__name__", part),
)
def test_the_finish_is_gone_on_with_where_it_was_ended(
    *,
    loads: Loads,
    monkeypatch: pytest.MonkeyPatch,
    is_whole: Callable[[DatabaseLoad], None],
    make_database: MakeDatabase,
    dump_file: DumpFile,
    module: Any,
    name: str,
) -> None:
    """No row is loaded again, nothing is made twice, and the ended attempt can do nothing in the database any more."""
    database = make_database(f"finish {name}", *AFTERWARDS)
    loads.job, loads.file = replace(loads.job, database=database, lanes=1), dump_file(database, "-Fc")
    work = getattr(module, name)

    def ends(*args: Any, **kwargs: Any) -> Any:
        work(*args, **kwargs)
        raise ConnectionResetError("ended")

    with monkeypatch.context() as patch:
        patch.setattr(module, name, ends)
        with pytest.raises(ConnectionResetError):
            loads.whole()
    [left] = loads.left
    assert left.underway
    assert left.underway.finishing
    before = loads.log.tell()
    loaded = loads.whole()
    assert (loaded.oid, loaded.temporary_name != left.name) == (left.oid, True)
    assert b", slice " not in loads.log.getvalue()[before:]
    is_whole(loaded)


def test_an_attempt_that_does_not_know_that_it_has_ended_does_nothing_in_the_database_any_more(
    loads: Loads, monkeypatch: pytest.MonkeyPatch, make_database: MakeDatabase, dump_file: DumpFile, wait: Any
) -> None:
    """It has lost the load's lock while it finished the load: its session is ended, and the database has a new name."""
    database = make_database("finish zombie", *AFTERWARDS)
    loads.job, loads.file = replace(loads.job, database=database, lanes=1), dump_file(database, "-Fc")
    asleep, go_on = threading.Event(), threading.Event()
    close_schemas, errors = schemas.close_schemas, list[BaseException]()

    def sleeps(*args: Any) -> None:
        if not asleep.is_set():
            asleep.set()
            assert go_on.wait(60)
        close_schemas(*args)

    def work() -> None:
        try:
            loads.whole()
        except FlexRestoreError as error:
            errors.append(error)

    monkeypatch.setattr(archive_load, "close_schemas", sleeps)
    zombie = threading.Thread(target=work)
    zombie.start()
    wait(asleep.is_set, "an attempt that stalls in its finish")
    with loads.server.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'flex-restore lock'"
        )
    loaded = loads.whole()
    go_on.set()
    zombie.join()
    assert [type(error) for error in errors] == [TargetUnavailable]
    assert [one.oid for one in loads.left] == [loaded.oid]
