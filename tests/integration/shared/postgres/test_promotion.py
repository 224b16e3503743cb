"""Loaded databases get their names, whatever is there already and however often it is asked for."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad
from shared.errors import DatabaseExists, ImportFailed, TargetRefused
from shared.postgres import temporary
from shared.postgres.load import LoadJob
from shared.postgres.promotion import discard, promote
from shared.postgres.server import TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.temporary import Record

type Load = Callable[[LocalFile, LoadJob], DatabaseLoad]
type Names = Callable[[], set[str]]


@pytest.fixture
def job(tmp_path: Path) -> LoadJob:
    return LoadJob(f"restore into {tmp_path.name}", "shop")


@pytest.fixture
def loaded(load: Load, job: LoadJob, tmp_path: Path) -> DatabaseLoad:
    path = tmp_path / "shop.sql"
    path.write_text("CREATE TABLE new (a integer);\n")
    return load(LocalFile(path), job)


@pytest.fixture
def existing(target: FlexibleServer) -> str:
    with target.connect(autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS shop WITH (FORCE)")
        connection.execute("CREATE DATABASE shop")
    with target.connect("shop") as connection:
        connection.execute("CREATE TABLE old (a integer)")
    return "shop"


def tables(target: FlexibleServer, database: str) -> list[str]:
    with target.connect(database) as connection:
        return [name for (name,) in connection.execute("SELECT relname FROM pg_class WHERE relname IN ('old', 'new')")]


def test_nobody_but_its_owner_can_connect_before_the_promotion(
    target: FlexibleServer, server: TargetServer, loaded: DatabaseLoad, job: LoadJob
) -> None:
    query = (
        "SELECT has_database_privilege('reporting', %s, 'CONNECT'), has_database_privilege('reporting', %s, 'CREATE')"
    )
    with target.connect() as connection:
        before = connection.execute(query, [loaded.temporary_name] * 2).fetchone()
        promote(server, job.key, loaded.oid, "promoted shop")
        after = connection.execute(query, ["promoted shop"] * 2).fetchone()
    assert before is not None
    assert (before[0], after) == (False, (True, False))


def test_an_existing_database_is_kept_when_the_request_says_fail(
    target: FlexibleServer, server: TargetServer, existing: str, loaded: DatabaseLoad, job: LoadJob, databases: Names
) -> None:
    with pytest.raises(DatabaseExists, match='"shop"'):
        promote(server, job.key, loaded.oid, existing)
    assert tables(target, existing) == ["old"]
    assert loaded.temporary_name in databases()


@pytest.mark.parametrize("times", [1, 2])
def test_an_existing_database_is_kept_and_the_loaded_one_dropped_when_the_request_says_skip(
    *,
    target: FlexibleServer,
    server: TargetServer,
    existing: str,
    loaded: DatabaseLoad,
    job: LoadJob,
    databases: Names,
    times: int,
) -> None:
    for _ in range(times):
        assert promote(server, job.key, loaded.oid, existing, on_conflict="skip").skipped
    assert tables(target, existing) == ["old"]
    assert loaded.temporary_name not in databases()


def test_an_existing_database_is_replaced_with_sessions_on_it(
    *,
    target: FlexibleServer,
    server: TargetServer,
    existing: str,
    loaded: DatabaseLoad,
    job: LoadJob,
    databases: Names,
) -> None:
    before = databases()
    session = target.connect(existing)
    promoted = promote(server, job.key, loaded.oid, existing, on_conflict="replace")
    assert (promoted.oid, promoted.replaced) == (loaded.oid, True)
    assert tables(target, existing) == ["new"]
    assert databases() == before - {loaded.temporary_name}
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    session.close()
    assert promote(server, job.key, loaded.oid, existing, on_conflict="replace").oid == loaded.oid
    assert tables(target, existing) == ["new"]


def test_what_a_killed_promotion_left_of_the_replaced_database_is_dropped_by_the_next(
    *,
    target: FlexibleServer,
    server: TargetServer,
    existing: str,
    loaded: DatabaseLoad,
    job: LoadJob,
    databases: Names,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(temporary, "drop", killed)
        with pytest.raises(KeyboardInterrupt):
            promote(server, job.key, loaded.oid, existing, on_conflict="replace")
    assert tables(target, existing) == ["new"]
    assert [name for name in databases() if name.startswith("shop_replaced_")] != []
    assert promote(server, job.key, loaded.oid, existing, on_conflict="replace").replaced
    assert [name for name in databases() if name.startswith("shop_replaced_")] == []


def test_a_database_that_belongs_to_someone_else_is_not_replaced_and_stays_open(
    *, target: FlexibleServer, server: TargetServer, loaded: DatabaseLoad, job: LoadJob
) -> None:
    with target.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute("CREATE DATABASE foreigners")
    with pytest.raises(TargetRefused, match='belongs to role "azuresu"'):
        promote(server, job.key, loaded.oid, "foreigners", on_conflict="replace")
    target.connect("foreigners").close()


@pytest.mark.parametrize("name", ["postgres", "azure_sys", "template1"])
def test_databases_of_the_server_are_never_replaced(
    server: TargetServer, loaded: DatabaseLoad, job: LoadJob, name: str
) -> None:
    with pytest.raises(TargetRefused, match="never replaced"):
        promote(server, job.key, loaded.oid, name, on_conflict="replace")


def test_a_replaced_database_stays_open_when_its_sessions_cannot_be_ended(
    *, target: FlexibleServer, server: TargetServer, existing: str, loaded: DatabaseLoad, job: LoadJob
) -> None:
    """Only a superuser ends a superuser's session."""
    with (
        target.connect(existing, as_superuser=True),
        pytest.raises(TargetRefused, match='session of role "azuresu" is connected'),
    ):
        promote(server, job.key, loaded.oid, existing, on_conflict="replace")
    assert tables(target, existing) == ["old"]


def test_a_loaded_database_that_is_gone_is_said_so(
    server: TargetServer, loaded: DatabaseLoad, job: LoadJob, databases: Names
) -> None:
    before = databases()
    for _ in range(2):
        discard(server, job.key)
        assert databases() == before - {loaded.temporary_name}
    with pytest.raises(ImportFailed, match="no longer on the server"):
        promote(server, job.key, loaded.oid, "nothing to promote")


def test_a_statement_about_another_database_is_left_out_and_noted(
    target: FlexibleServer, server: TargetServer, loaded: DatabaseLoad, job: LoadJob
) -> None:
    closing = ("RESET ROLE", "ALTER DATABASE bystander CONNECTION LIMIT 3")
    record = Record(load=loaded, source_name="shop", closing=(*closing, "ALTER DATABASE shop CONNECTION LIMIT 4"))
    with target.connect(autocommit=True) as connection:
        connection.execute("CREATE DATABASE bystander")
        temporary.comment(connection, loaded.temporary_name, record.model_dump_json())
        notes = promote(server, job.key, loaded.oid, "shop closed").notes.items
        limits = connection.execute(
            "SELECT datconnlimit FROM pg_database WHERE datname IN ('bystander', 'shop closed') ORDER BY datname"
        ).fetchall()
        connection.execute("DROP DATABASE bystander")
    assert limits == [(-1,), (4,)]
    assert [(note.statement, note.matters) for note in notes] == [(closing[-1], True)]
