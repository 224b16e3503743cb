"""Loaded databases get their names, whatever is there already and however often it is asked for."""

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import ModuleType

import psycopg
import pytest

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad, Promotion
from shared.errors import DatabaseExists, ImportFailed, RestoreEnded, TargetRefused, TargetUnavailable
from shared.postgres import promotion, temporary
from shared.postgres.load import LoadJob
from shared.postgres.promotion import OnConflict, discard, promote, replaced_name
from shared.postgres.server import Connection, TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.temporary import Record

type Load = Callable[[LocalFile, LoadJob], DatabaseLoad]
type Names = Callable[[], set[str]]

DATED = re.compile(r"shop_replaced_\d{8}_\d{6}_[0-9a-f]{4}")


@dataclass(frozen=True)
class Shop:
    """A loaded database that waits for its name."""

    target: FlexibleServer
    server: TargetServer
    load: DatabaseLoad
    job: LoadJob

    def promote(self, name: str, on_conflict: OnConflict = "fail") -> Promotion:
        return promote(self.server, self.job.key, self.load.oid, name, on_conflict=on_conflict)

    def close_with(self, *statements: str) -> None:
        """Let statements wait for the name."""
        record = Record(load=self.load, source_name="shop", closing=statements)
        with self.target.connect(autocommit=True) as connection:
            temporary.comment(connection, self.load.temporary_name, record.model_dump_json())

    def tables(self, database: str) -> list[str]:
        query = "SELECT relname FROM pg_class WHERE relname IN ('old', 'new')"
        with self.target.connect(database) as connection:
            return [name for (name,) in connection.execute(query)]


@pytest.fixture
def shop(target: FlexibleServer, server: TargetServer, load: Load, tmp_path: Path) -> Shop:
    path = tmp_path / "shop.sql"
    path.write_text("CREATE TABLE new (a integer);\n")
    job = LoadJob(f"restore into {tmp_path.name}", "shop")
    return Shop(target, server, load(LocalFile(path), job), job)


@pytest.fixture
def existing(target: FlexibleServer) -> str:
    with target.connect(autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS shop WITH (FORCE)")
        connection.execute("CREATE DATABASE shop")
    with target.connect("shop") as connection:
        connection.execute("CREATE TABLE old (a integer)")
    return "shop"


def test_nobody_but_its_owner_can_connect_before_the_promotion(shop: Shop) -> None:
    query = (
        "SELECT has_database_privilege('reporting', %s, 'CONNECT'), has_database_privilege('reporting', %s, 'CREATE')"
    )
    with shop.target.connect() as connection:
        before = connection.execute(query, [shop.load.temporary_name] * 2).fetchone()
        shop.promote("promoted shop")
        after = connection.execute(query, ["promoted shop"] * 2).fetchone()
    assert before is not None
    assert (before[0], after) == (False, (True, False))


def test_an_existing_database_is_kept_when_the_request_says_fail(shop: Shop, existing: str, databases: Names) -> None:
    with pytest.raises(DatabaseExists, match="'shop'"):
        shop.promote(existing)
    assert shop.tables(existing) == ["old"]
    assert shop.load.temporary_name in databases()


@pytest.mark.parametrize("times", [1, 2])
def test_an_existing_database_is_kept_and_the_loaded_one_dropped_when_the_request_says_skip(
    shop: Shop, existing: str, databases: Names, times: int
) -> None:
    for _ in range(times):
        assert shop.promote(existing, "skip").skipped
    assert shop.tables(existing) == ["old"]
    assert shop.load.temporary_name not in databases()


def test_an_existing_database_is_replaced_with_sessions_on_it(shop: Shop, existing: str, databases: Names) -> None:
    before = databases()
    session = shop.target.connect(existing)
    promoted = shop.promote(existing, "replace")
    assert (promoted.oid, promoted.replaced) == (shop.load.oid, True)
    assert shop.tables(existing) == ["new"]
    assert databases() == before - {shop.load.temporary_name}
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    session.close()
    assert shop.promote(existing, "replace").oid == shop.load.oid
    assert shop.tables(existing) == ["new"]


@pytest.mark.parametrize(
    ("module", "function", "call", "stands"),
    [
        (promotion, "_check_replaceable", 1, "old"),
        (promotion, "_alter", 1, "old"),
        (promotion, "_alter", 2, "old"),
        (promotion, "_close", 1, "old"),
        (promotion, "_alter", 4, "old"),
        (temporary, "comment", 2, "old"),
        (promotion, "_drop_replaced", 1, "new"),
        (temporary, "drop", 1, "new"),
    ],
    ids=[
        "before the rename",
        "at the old one's rename",
        "at the new one's rename",
        "before the closing statements",
        "at the closing statements",
        "when the old one gets its comment",
        "before the drop",
        "at the drop",
    ],
)
def test_a_promotion_that_breaks_off_leaves_one_whole_database_and_the_next_brings_it_to_its_end(
    *,
    shop: Shop,
    existing: str,
    databases: Names,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    function: str,
    call: int,
    stands: str,
) -> None:
    """The connection is lost at each point in turn."""
    shop.close_with("ALTER DATABASE shop OWNER TO nobody_here")
    before, calls = databases(), count(1)
    original = getattr(module, function)

    def lose_connection(connection: Connection, *args: object) -> object:
        if next(calls) == call:
            with shop.target.connect(as_superuser=True) as superuser:
                superuser.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
        return original(connection, *args)

    with monkeypatch.context() as patch:
        patch.setattr(module, function, lose_connection)
        with pytest.raises(TargetUnavailable):
            shop.promote(existing, "replace")

    kept = [name for name in databases() if DATED.fullmatch(name)]
    if stands == "old":
        assert databases() == before
    else:
        assert databases() == {*before, *kept} - {shop.load.temporary_name}
        assert [shop.tables(name) for name in kept] == [["old"]]
    assert shop.tables(existing) == [stands]
    again = shop.promote(existing, "replace")
    assert again.replaced
    assert [note.reason for note in again.notes.items] == ['role "nobody_here" does not exist']
    assert shop.tables(existing) == ["new"]
    assert databases() == before - {shop.load.temporary_name}


def test_what_nobody_wants_any_more_replaces_nothing(shop: Shop, existing: str, databases: Names) -> None:
    def ended() -> None:
        raise RestoreEnded

    before = databases()
    with pytest.raises(RestoreEnded):
        promote(shop.server, shop.job.key, shop.load.oid, existing, on_conflict="replace", still_wanted=ended)
    assert databases() == before
    assert shop.tables(existing) == ["old"]


def test_a_replaced_database_that_cannot_be_dropped_stays_under_its_dated_name_and_is_told(
    shop: Shop, existing: str, databases: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion, "_QUIET_SECONDS", 0)
    with shop.target.connect(existing, as_superuser=True, autocommit=True) as connection:
        connection.execute(
            "CREATE SUBSCRIPTION s CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE)"
        )
    promoted = shop.promote(existing, "replace")
    [kept] = [name for name in databases() if DATED.fullmatch(name)]
    with shop.target.connect(kept, as_superuser=True, autocommit=True) as connection:
        connection.execute("DROP SUBSCRIPTION s")
    assert promoted.replaced
    assert [(note.subject, note.matters) for note in promoted.notes.items] == [(f'database "{kept}"', True)]
    assert "could not be dropped" in promoted.notes.items[0].reason
    assert (shop.tables(existing), shop.tables(kept)) == (["new"], ["old"])
    assert shop.promote(existing, "replace").replaced
    assert kept not in databases()


def test_a_replaced_database_is_dropped_as_soon_as_the_superuser_has_left_it(
    shop: Shop, existing: str, databases: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that came after the rename, which nobody else may end."""
    before, sessions = databases(), list[object]()
    drop = temporary.drop

    def drop_beside_a_superuser(connection: Connection, name: str) -> None:
        if sessions or not DATED.fullmatch(name):
            drop(connection, name)
            return
        with shop.target.connect(name, as_superuser=True) as session:
            sessions.append(session)
            drop(connection, name)

    monkeypatch.setattr(temporary, "drop", drop_beside_a_superuser)
    promoted = shop.promote(existing, "replace")
    assert (promoted.replaced, promoted.notes.items, len(sessions)) == (True, (), 1)
    assert databases() == before - {shop.load.temporary_name}


@pytest.mark.parametrize("name", ["shop", "ü" * 31, "x" * 63])
def test_the_name_of_a_replaced_database_tells_what_it_was_and_since_when(name: str) -> None:
    names = {replaced_name(name, datetime(2026, 11, 25, 10, 15, tzinfo=UTC)) for _ in range(2)}
    assert len(names) == 2
    for made in names:
        assert re.fullmatch(rf"{name[0]}+.*_replaced_20261125_101500_[0-9a-f]{{4}}", made)
        assert len(made.encode()) <= 63


def test_a_database_that_belongs_to_someone_else_is_not_replaced_and_stays_open(shop: Shop) -> None:
    with shop.target.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute("CREATE DATABASE foreigners")
    with pytest.raises(TargetRefused, match='belongs to role "azuresu"'):
        shop.promote("foreigners", "replace")
    shop.target.connect("foreigners").close()


@pytest.mark.parametrize("name", ["postgres", "azure_sys", "template1"])
def test_databases_of_the_server_are_never_replaced(shop: Shop, name: str) -> None:
    with pytest.raises(TargetRefused, match="never replaced"):
        shop.promote(name, "replace")


def test_a_replaced_database_stays_open_when_its_sessions_cannot_be_ended(
    shop: Shop, existing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a superuser ends a superuser's session."""
    monkeypatch.setattr(promotion, "_QUIET_SECONDS", 0)
    with (
        shop.target.connect(existing, as_superuser=True),
        pytest.raises(TargetRefused, match='session of role "azuresu" is connected'),
    ):
        shop.promote(existing, "replace")
    assert shop.tables(existing) == ["old"]


def test_a_session_of_the_service_that_goes_by_itself_is_waited_for(shop: Shop, existing: str) -> None:
    session = shop.target.connect(existing, as_superuser=True)
    leaving = threading.Timer(1, session.close)
    leaving.start()
    try:
        assert shop.promote(existing, "replace").replaced
    finally:
        leaving.join()
    assert shop.tables(existing) == ["new"]


def test_a_pool_that_connects_again_at_once_does_not_keep_its_database_from_being_replaced(
    shop: Shop, existing: str, databases: Names
) -> None:
    """Each of its sessions holds a lock in a transaction, and comes back as soon as it was thrown out."""
    before, stopped, seen = databases(), threading.Event(), threading.Semaphore(0)

    def come_back() -> None:
        while not stopped.is_set():
            with suppress(psycopg.Error), shop.target.connect(existing) as session:
                session.execute("LOCK TABLE old IN ACCESS SHARE MODE")
                seen.release()
                session.execute("SELECT pg_sleep(60)")

    pool = [threading.Thread(target=come_back) for _ in range(20)]
    for thread in pool:
        thread.start()
    try:
        for _ in pool:
            assert seen.acquire(timeout=30)
        promoted = shop.promote(existing, "replace")
    finally:
        stopped.set()
        with shop.target.connect() as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [existing])
        for thread in pool:
            thread.join()
    assert (promoted.replaced, promoted.notes.items) == (True, ())
    assert shop.tables(existing) == ["new"]
    assert databases() == before - {shop.load.temporary_name}


def test_a_loaded_database_that_is_gone_is_said_so(shop: Shop, databases: Names) -> None:
    before = databases()
    for _ in range(2):
        discard(shop.server, shop.job.key)
        assert databases() == before - {shop.load.temporary_name}
    with pytest.raises(ImportFailed, match="no longer on the server"):
        shop.promote("nothing to promote")


def test_a_statement_about_another_database_is_left_out_and_noted(shop: Shop) -> None:
    closing = ("RESET ROLE", "ALTER DATABASE bystander CONNECTION LIMIT 3")
    shop.close_with(*closing, "ALTER DATABASE shop CONNECTION LIMIT 4")
    with shop.target.connect(autocommit=True) as connection:
        connection.execute("CREATE DATABASE bystander")
        notes = shop.promote("shop closed").notes.items
        limits = connection.execute(
            "SELECT datconnlimit FROM pg_database WHERE datname IN ('bystander', 'shop closed') ORDER BY datname"
        ).fetchall()
        connection.execute("DROP DATABASE bystander")
    assert limits == [(-1,), (4,)]
    assert [(note.statement, note.matters) for note in notes] == [(closing[-1], True)]
