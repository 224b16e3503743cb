"""Databases that a dead restore left on its target are dropped; those of others, and what somebody works with, stay."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import sql

from local.environment import Services
from shared.contracts.imports import Promotion
from shared.contracts.progress import Phase
from shared.postgres import temporary
from shared.postgres.promotion import replaced_name
from shared.postgres.server import Connection, TargetServer
from shared.postgres.temporary import LoadKey, Replaced
from shared.settings import settings
from shared.storage.ledger import Ledger, database_record
from shared.targets import target_server

KEY = LoadKey("r", "shop")
type Names = Callable[[], set[str]]


@pytest.fixture
def server(app: Services) -> Iterator[TargetServer]:  # noqa: ARG001 -- settings first
    """The target, on which the test leaves nothing."""
    target = target_server("drill")
    with target.connect() as connection:
        before = {one.oid for one in temporary.all_databases(connection)}
        yield target
        for database in temporary.all_databases(connection):
            if database.oid not in before:
                unmark = sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(database.name))
                connection.execute(unmark)
                temporary.drop(connection, database.name)


@pytest.fixture
def connection(server: TargetServer) -> Iterator[Connection]:
    with server.connect() as connection:
        yield connection


@pytest.fixture
def names(connection: Connection) -> Names:
    return lambda: {one.name for one in temporary.all_databases(connection)}


def dead(house: Any, phase: Phase = Phase.FAILED) -> Ledger:
    """A restore that had the files of one database."""
    ledger: Ledger = house.restore("r", phase, days=0)
    house.bring("r", "b_database_shop.sql")
    return ledger


def test_temporary_databases_of_a_restore_that_is_over_are_dropped(
    house: Any, connection: Connection, names: Names
) -> None:
    dead(house)
    mine = [KEY.new_name(), KEY.new_name()]
    for name in mine:
        temporary.create(connection, name, "")
    removed = house.keep("drop_databases").removed

    assert {one.name for one in removed} == {f"temporary database {name} on target drill" for name in mine}
    assert not names() & {*mine}


def test_databases_of_others_stay_whatever_they_are_called(house: Any, connection: Connection, names: Names) -> None:
    """Of a restore that is not known here, of another database of ours, and of nobody."""
    dead(house)
    others = {
        LoadKey("of another app", "shop").new_name(),
        LoadKey("r", "other").new_name(),
        f"{KEY.prefix}copy",
        "flexrestore",
        "shop_replaced_20261125_101500_ab12",
    }
    for name in others:
        temporary.create(connection, name, "")

    assert house.keep("drop_databases").removed == ()
    assert others <= names()


def test_no_more_records_are_read_than_it_takes_to_know_whose_a_database_is(
    house: Any, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither those of restores into other targets nor those of older restores."""
    read: list[str] = []

    class Watched(Ledger):
        def read(self, record: str, model: Any = None) -> Any:
            read.append(f"{self.request_id} {record}")
            return super().read(record, model)

    monkeypatch.setattr("shared.housekeeping.databases.Ledger", Watched)
    dead(house)
    house.restore("elsewhere", Phase.FAILED, days=0, target="other")
    house.restore("older", Phase.FAILED, days=1)
    assert house.keep("drop_databases").removed == ()
    assert read == []

    temporary.create(connection, KEY.new_name(), "")
    assert len(house.keep("drop_databases").removed) == 1
    assert read == ["r listing"]


@pytest.mark.parametrize("at_work", ["r", "r:import"])
def test_a_running_restores_database_stays(house: Any, connection: Connection, names: Names, at_work: str) -> None:
    dead(house)
    name = KEY.new_name()
    temporary.create(connection, name, "")
    house.engine.add(at_work)
    assert house.keep("drop_databases").removed == ()

    del house.engine.instances[at_work]
    house.restore("r", Phase.IMPORTING, days=-1)
    assert house.keep("drop_databases").removed == ()
    assert name in names()


def test_a_database_that_a_load_fills_stays_though_nobody_hears_of_that_load(
    house: Any, server: TargetServer, connection: Connection, names: Names
) -> None:
    """A machine that the engine has lost sight of still holds the lock."""
    dead(house)
    name = KEY.new_name()
    temporary.create(connection, name, "")
    with server.advisory_lock(KEY.lock):
        done = house.keep("drop_databases")
        assert (done.removed, done.failed) == ((), ())
        assert name in names()

    assert len(house.keep("drop_databases").removed) == 1


def replace(connection: Connection, house: Any) -> tuple[str, str]:
    """A database that took the place of another one, which the server did not drop then; both names."""
    ledger = dead(house, Phase.COMPLETED_WITH_WARNINGS)
    new, old = "shop_housekeeping", replaced_name("shop_housekeeping", datetime.now(UTC))
    oid = temporary.create(connection, new, "")
    temporary.create(connection, old, "IS_TEMPLATE true")
    temporary.comment(connection, old, Replaced(replaced_by=oid).model_dump_json())
    ledger.write(database_record("shop", "promotion"), Promotion(name=new, oid=oid, replaced=True))
    return new, old


def test_a_replaced_database_is_dropped_while_its_successor_stands(
    house: Any, connection: Connection, names: Names
) -> None:
    new, old = replace(connection, house)
    (removed,) = house.keep("drop_databases").removed

    assert removed.name == f"replaced database {old} on target drill"
    assert (new in names(), old in names()) == (True, False)


def test_a_replaced_database_is_kept_when_its_successor_is_gone(
    house: Any, connection: Connection, names: Names
) -> None:
    """Somebody dropped the new one: then the old one is all there is."""
    new, old = replace(connection, house)
    temporary.drop(connection, new)

    house.keep("drop_databases")
    assert old in names()


def test_a_replaced_database_that_no_record_of_ours_knows_stays(
    house: Any, connection: Connection, names: Names
) -> None:
    _, old = replace(connection, house)
    Ledger("r").delete(database_record("shop", "promotion"))

    assert house.keep("drop_databases").removed == ()
    assert old in names()


def test_a_target_that_does_not_answer_is_told_and_holds_up_no_other(
    house: Any, connection: Connection, configure: Callable[..., None]
) -> None:
    dead(house)
    temporary.create(connection, KEY.new_name(), "")
    standing = settings().targets["drill"].model_dump(mode="json", by_alias=True)
    away = {**standing, "port": 1}
    configure(FLEX_RESTORE_TARGETS=json.dumps({"away": away, "drill": standing}))
    done = house.keep("drop_databases")

    assert [one.name for one in done.failed] == ["target away"]
    assert "does not answer" in done.failed[0].message
    assert len(done.removed) == 1


def test_a_database_that_cannot_be_dropped_holds_up_no_other(house: Any, connection: Connection) -> None:
    """It is told, and tried again."""
    dead(house)
    stubborn, other = KEY.new_name(), KEY.new_name()
    for name in (stubborn, other):
        temporary.create(connection, name, "")
    connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(sql.Identifier(stubborn)))
    done = house.keep("drop_databases")

    assert [stubborn in one.name for one in done.failed] == [True]
    assert [other in one.name for one in done.removed] == [True]
