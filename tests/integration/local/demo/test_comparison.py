"""Planted differences are found: each one, and nothing else."""

from collections.abc import Iterator

import pytest

from local.demo.comparison import ServerSnapshot, compare, snapshot
from local.demo.differences import Area, Item
from local.servers.postgres import FlexibleServer

SETUP = """
CREATE ROLE app LOGIN;
CREATE ROLE readers;
CREATE SCHEMA shop;
CREATE TABLE shop.item (id int PRIMARY KEY, name text, price numeric);
INSERT INTO shop.item VALUES (1, 'one', 1.50), (2, 'two', 2), (3, NULL, 3), (4, 'twin', 4), (5, 'twin', 4);
CREATE TABLE shop.sold (day date) PARTITION BY RANGE (day);
CREATE TABLE shop.sold_2024 PARTITION OF shop.sold FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
INSERT INTO shop.sold VALUES ('2024-02-29'), ('2024-02-29');
CREATE MATERIALIZED VIEW shop.total AS SELECT sum(price) AS total FROM shop.item;
CREATE SEQUENCE shop.number START WITH 5000;
SELECT lo_from_bytea(4711, 'a scan');
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlexibleServer]:
    with FlexibleServer.create(tmp_path_factory.mktemp("server"), name="planted") as server:
        with server.connect(autocommit=True) as connection:
            connection.execute("CREATE DATABASE shop")
        execute(server, SETUP)
        yield server


@pytest.fixture(scope="module")
def pristine(server: FlexibleServer) -> ServerSnapshot:
    return look(server)


def execute(server: FlexibleServer, script: str) -> None:
    with server.connect("shop", autocommit=True, as_superuser=True) as connection:
        connection.execute(script.encode())


def look(server: FlexibleServer) -> ServerSnapshot:
    return snapshot(server, [server.admin])


def test_a_server_equals_itself(server: FlexibleServer, pristine: ServerSnapshot) -> None:
    result = compare(pristine, look(server), {})

    assert [part.name for part in result.parts if not part.equal] == []
    (shop,) = result.databases
    assert (shop.name, shop.tables, shop.rows) == ("shop", 3, 8)


@pytest.mark.parametrize(
    ("plant", "undo", "where"),
    [
        pytest.param(
            "ALTER TABLE shop.item ALTER price SET NOT NULL",
            "ALTER TABLE shop.item ALTER price DROP NOT NULL",
            Item(Area.SCHEMA, "TABLE shop item"),
            id="a constraint",
        ),
        pytest.param(
            "GRANT SELECT (name) ON shop.item TO app",
            "REVOKE SELECT (name) ON shop.item FROM app",
            Item(Area.SCHEMA, "ACL shop COLUMN item.name"),
            id="a grant on a column",
        ),
        pytest.param(
            "ALTER SCHEMA shop OWNER TO flexadmin",
            "ALTER SCHEMA shop OWNER TO azuresu",
            Item(Area.SCHEMA, "SCHEMA shop"),
            id="an owner",
        ),
        pytest.param(
            "COMMENT ON TABLE shop.sold IS 'note'",
            "COMMENT ON TABLE shop.sold IS NULL",
            Item(Area.SCHEMA, "COMMENT shop TABLE sold"),
            id="a comment",
        ),
        pytest.param(
            "UPDATE shop.item SET name = 'One' WHERE id = 1",
            "UPDATE shop.item SET name = 'one' WHERE id = 1",
            Item(Area.ROWS, "TABLE DATA shop item"),
            id="a value",
        ),
        pytest.param(
            "UPDATE shop.item SET name = '' WHERE id = 3",
            "UPDATE shop.item SET name = NULL WHERE id = 3",
            Item(Area.ROWS, "TABLE DATA shop item"),
            id="an empty text instead of NULL",
        ),
        pytest.param(
            "UPDATE shop.item SET price = 1.5 WHERE id = 1",
            "UPDATE shop.item SET price = 1.50 WHERE id = 1",
            Item(Area.ROWS, "TABLE DATA shop item"),
            id="the scale of a number",
        ),
        pytest.param(
            "DELETE FROM shop.sold WHERE ctid = (SELECT min(ctid) FROM shop.sold)",
            "INSERT INTO shop.sold VALUES ('2024-02-29')",
            Item(Area.ROWS, "TABLE DATA shop sold_2024"),
            id="one of two equal rows of a partition",
        ),
        pytest.param(
            "SELECT setval('shop.number', 7000)",
            "SELECT setval('shop.number', 5000, false)",
            Item(Area.SEQUENCE, "SEQUENCE SET shop number"),
            id="the value of a sequence",
        ),
        pytest.param(
            "SELECT setval('shop.number', 5000, true)",
            "SELECT setval('shop.number', 5000, false)",
            Item(Area.SEQUENCE, "SEQUENCE SET shop number"),
            id="whether a sequence's value was used",
        ),
        pytest.param(
            "SELECT lo_put(4711, 2, 'S')",
            "SELECT lo_put(4711, 2, 's')",
            Item(Area.LARGE_OBJECT, "LARGE OBJECT 4711"),
            id="a byte of a large object",
        ),
        pytest.param(
            "GRANT SELECT ON LARGE OBJECT 4711 TO app",
            "REVOKE SELECT ON LARGE OBJECT 4711 FROM app",
            Item(Area.LARGE_OBJECT, "LARGE OBJECT 4711"),
            id="a grant on a large object",
        ),
        pytest.param(
            "ALTER DATABASE shop SET timezone = 'Asia/Tokyo'",
            "ALTER DATABASE shop RESET timezone",
            Item(Area.PROPERTY, "ALTER DATABASE shop SET TimeZone"),
            id="a database's setting",
        ),
        pytest.param(
            "ALTER DATABASE shop OWNER TO azuresu; REVOKE ALL ON DATABASE shop FROM azuresu",
            "ALTER DATABASE shop OWNER TO flexadmin; GRANT ALL ON DATABASE shop TO flexadmin",
            Item(Area.PROPERTY, "ALTER DATABASE shop OWNER TO"),
            id="a database's owner",
        ),
        pytest.param(
            "GRANT CREATE ON DATABASE shop TO app",
            "REVOKE CREATE ON DATABASE shop FROM app",
            Item(Area.PROPERTY, "GRANT CREATE ON DATABASE shop TO app"),
            id="a right on a database",
        ),
        pytest.param(
            "ALTER ROLE app CREATEDB",
            "ALTER ROLE app NOCREATEDB",
            Item(Area.ROLE, "ALTER ROLE app WITH"),
            id="an attribute",
        ),
        pytest.param(
            "GRANT readers TO app WITH INHERIT FALSE",
            "REVOKE readers FROM app",
            Item(Area.ROLE, "GRANT readers TO app"),
            id="a membership",
        ),
        pytest.param(
            "ALTER ROLE app IN DATABASE shop SET work_mem = '9MB'",
            "ALTER ROLE app IN DATABASE shop RESET work_mem",
            Item(Area.ROLE, "ALTER ROLE app IN DATABASE shop SET work_mem"),
            id="a role's setting in a database",
        ),
        pytest.param(
            "COMMENT ON ROLE app IS 'note'",
            "COMMENT ON ROLE app IS NULL",
            Item(Area.ROLE, "COMMENT ON ROLE app IS"),
            id="a role's comment",
        ),
        pytest.param(
            "ALTER ROLE app PASSWORD 'secret'",
            "ALTER ROLE app PASSWORD NULL",
            Item(Area.ROLE, "ALTER ROLE app PASSWORD"),
            id="that a role has a password",
        ),
        pytest.param(
            "CREATE DATABASE extra", "DROP DATABASE extra", Item(Area.DATABASE, "DATABASE extra"), id="a whole database"
        ),
    ],
)
def test_a_planted_difference_is_found_in_its_place(
    server: FlexibleServer, pristine: ServerSnapshot, plant: str, undo: str, where: Item
) -> None:
    execute(server, plant)
    try:
        result = compare(pristine, look(server), {})
    finally:
        execute(server, undo)

    found = [difference.item for part in result.parts for difference in part.differences]
    assert where in found
    assert {item.area for item in found} == {where.area}
    assert not result.explained
