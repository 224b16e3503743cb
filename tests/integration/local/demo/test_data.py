"""The demo's data: large enough, of every kind, and the same rows on every server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.demo.catalog import user_databases
from local.demo.comparison import ServerSnapshot, compare, snapshot
from local.demo.data import ATLAS, BANK, BANK_SCALE, DATABASES, SUED, fill
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


type Servers = tuple[FlexibleServer, FlexibleServer]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Two servers with the demo's data, but for the size of the bank, which pgbench scales."""
    folder = tmp_path_factory.mktemp("servers")
    with (
        FlexibleServer.create(folder, name="one") as one,
        FlexibleServer.create(folder, name="other") as other,
        ThreadPoolExecutor() as threads,
    ):
        for filling in [threads.submit(fill, server, bank_scale=1) for server in (one, other)]:
            filling.result()
        yield one, other


@pytest.fixture(scope="module")
def snapshots(servers: Servers) -> list[ServerSnapshot]:
    return [snapshot(server, ["flexadmin"]) for server in servers]


def test_it_is_three_databases_of_more_than_200_megabytes(servers: Servers) -> None:
    with servers[0].connect(BANK) as connection:
        rows = connection.execute("SELECT datname, pg_database_size(oid) FROM pg_database").fetchall()
        accounts = connection.execute("SELECT pg_total_relation_size('pgbench_accounts')").fetchall()[0][0]
    sizes = {str(name): int(size) for name, size in rows}

    assert sorted(user_databases(servers[0])) == sorted(DATABASES)
    assert sum(sizes[name] for name in DATABASES) + (BANK_SCALE - 1) * accounts > 200_000_000


def test_every_filling_holds_the_same(snapshots: list[ServerSnapshot]) -> None:
    one, other = snapshots

    assert [part.name for part in compare(one, other, {}).parts if not part.equal] == []


def test_the_atlas_holds_every_kind_of_object(snapshots: list[ServerSnapshot]) -> None:
    items = snapshots[0].databases[ATLAS].inventory
    kinds = {item.subject.split()[0] for item in items if item.area is Area.SCHEMA}

    assert kinds >= OBJECT_KINDS


def test_no_name_of_the_quoted_database_goes_without_quotes(servers: Servers) -> None:
    with servers[0].connect(SUED) as connection:
        names = connection.execute(
            "SELECT relname, quote_ident(relname) FROM pg_class"
            " WHERE relnamespace = '\"Süd/Kunden\"'::regnamespace AND relkind IN ('r', 'v')"
        ).fetchall()

    assert len(names) == 3
    assert [name for name, quoted in names if name == quoted] == []
