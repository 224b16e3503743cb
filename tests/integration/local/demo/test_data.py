"""The demo's data: large enough, of every kind, and the same rows on every server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.demo.catalog import user_databases
from local.demo.comparison import compare, snapshot
from local.demo.data import ATLAS, BANK, DATABASES, SUED, fill
from local.demo.differences import Area
from local.servers.postgres import FlexibleServer

OBJECT_KINDS = frozenset(
    {
        *(
            "ACL",
            "AGGREGATE",
            "CAST",
            "COLLATION",
            "COMMENT",
            "CONSTRAINT",
            "DEFAULT",
            "DOMAIN",
            "EXTENSION",
            "FUNCTION",
        ),
        *("INDEX", "OPERATOR", "POLICY", "PROCEDURE", "PUBLICATION", "RULE", "SCHEMA", "SEQUENCE", "SERVER"),
        *("STATISTICS", "TABLE", "TRIGGER", "TYPE", "VIEW"),
    }
)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FlexibleServer, FlexibleServer]]:
    """The demo's source, and one with a tenth of the bank."""
    folder = tmp_path_factory.mktemp("servers")
    with (
        FlexibleServer.create(folder, name="orders-prod") as source,
        FlexibleServer.create(folder, name="orders-small") as small,
        ThreadPoolExecutor() as threads,
    ):
        for filling in (threads.submit(fill, source), threads.submit(fill, small, bank_scale=1)):
            filling.result()
        yield source, small


def test_it_is_three_databases_of_more_than_200_megabytes(servers: tuple[FlexibleServer, FlexibleServer]) -> None:
    source, _ = servers
    with source.connect() as connection:
        rows = connection.execute("SELECT datname, pg_database_size(oid) FROM pg_database").fetchall()
    sizes = {str(name): int(size) for name, size in rows}

    assert sorted(user_databases(source)) == sorted(DATABASES)
    assert sum(sizes[name] for name in DATABASES) > 200_000_000


def test_nothing_but_the_size_of_the_bank_differs_between_two_fillings(
    servers: tuple[FlexibleServer, FlexibleServer],
) -> None:
    source, small = (snapshot(server, ["flexadmin"]) for server in servers)
    result = compare(source, small, {})

    assert [part.name for part in result.parts if not part.equal] == [BANK]
    (bank,) = [part for part in result.databases if part.name == BANK]
    assert {difference.item.area for difference in bank.differences} == {Area.ROWS}


def test_the_atlas_holds_every_kind_of_object(servers: tuple[FlexibleServer, FlexibleServer]) -> None:
    kinds = {
        item.subject.split()[0]
        for item in snapshot(servers[1], ["flexadmin"]).databases[ATLAS].inventory
        if item.area is Area.SCHEMA
    }

    assert kinds >= OBJECT_KINDS


def test_no_name_of_the_quoted_database_goes_without_quotes(servers: tuple[FlexibleServer, FlexibleServer]) -> None:
    with servers[1].connect(SUED) as connection:
        names = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = '\"Süd/Kunden\"'::regnamespace AND relkind IN ('r', 'v')"
        ).fetchall()

    assert len(names) == 3
    with servers[1].connect(SUED) as connection:
        assert all(
            connection.execute("SELECT quote_ident(%s) <> %s", [name, name]).fetchone() == (True,) for (name,) in names
        )
