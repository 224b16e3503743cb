"""Loaded databases get their names, whatever is there already and however often it is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad, Promotion
from shared.errors import DatabaseExists, ImportFailed, TargetRefused
from shared.postgres import temporary
from shared.postgres.load import LoadJob
from shared.postgres.promotion import OnConflict, discard, promote
from shared.postgres.server import TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.temporary import Record

type Load = Callable[[LocalFile, LoadJob], DatabaseLoad]
type Names = Callable[[], set[str]]


@dataclass(frozen=True)
class Shop:
    """A loaded database that waits for its name."""

    target: FlexibleServer
    server: TargetServer
    load: DatabaseLoad
    job: LoadJob

    def promote(self, name: str, on_conflict: OnConflict = "fail") -> Promotion:
        return promote(self.server, self.job.key, self.load.oid, name, on_conflict=on_conflict)

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


def test_what_a_killed_promotion_left_of_the_replaced_database_is_dropped_by_the_next(
    shop: Shop, existing: str, databases: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(temporary, "drop", killed)
        with pytest.raises(KeyboardInterrupt):
            shop.promote(existing, "replace")
    assert shop.tables(existing) == ["new"]
    assert [name for name in databases() if name.startswith("shop_replaced_")] != []
    assert shop.promote(existing, "replace").replaced
    assert [name for name in databases() if name.startswith("shop_replaced_")] == []


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


def test_a_replaced_database_stays_open_when_its_sessions_cannot_be_ended(shop: Shop, existing: str) -> None:
    """Only a superuser ends a superuser's session."""
    with (
        shop.target.connect(existing, as_superuser=True),
        pytest.raises(TargetRefused, match='session of role "azuresu" is connected'),
    ):
        shop.promote(existing, "replace")
    assert shop.tables(existing) == ["old"]


def test_a_loaded_database_that_is_gone_is_said_so(shop: Shop, databases: Names) -> None:
    before = databases()
    for _ in range(2):
        discard(shop.server, shop.job.key)
        assert databases() == before - {shop.load.temporary_name}
    with pytest.raises(ImportFailed, match="no longer on the server"):
        shop.promote("nothing to promote")


def test_a_statement_about_another_database_is_left_out_and_noted(shop: Shop) -> None:
    closing = ("RESET ROLE", "ALTER DATABASE bystander CONNECTION LIMIT 3")
    record = Record(load=shop.load, source_name="shop", closing=(*closing, "ALTER DATABASE shop CONNECTION LIMIT 4"))
    with shop.target.connect(autocommit=True) as connection:
        connection.execute("CREATE DATABASE bystander")
        temporary.comment(connection, shop.load.temporary_name, record.model_dump_json())
        notes = shop.promote("shop closed").notes.items
        limits = connection.execute(
            "SELECT datconnlimit FROM pg_database WHERE datname IN ('bystander', 'shop closed') ORDER BY datname"
        ).fetchall()
        connection.execute("DROP DATABASE bystander")
    assert limits == [(-1,), (4,)]
    assert [(note.statement, note.matters) for note in notes] == [(closing[-1], True)]
