"""The planner's statistics after a load: of every table, of partitioned ones as a whole, too."""

from collections.abc import Callable
from pathlib import Path

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad
from shared.postgres.load import LoadJob
from shared.postgres.source import LocalFile

TABLES = (
    'CREATE SCHEMA "odd \'Schema"',
    'CREATE TABLE "odd \'Schema"."T""1" AS SELECT n FROM generate_series(1, 300) n',
    "CREATE TABLE parts (n integer) PARTITION BY HASH (n)",
    "CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0) PARTITION BY HASH (n)",
    "CREATE TABLE parts_00 PARTITION OF parts_0 FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
    "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    "INSERT INTO parts SELECT generate_series(1, 300)",
    "CREATE TABLE parent AS SELECT n FROM generate_series(1, 300) n; CREATE TABLE child () INHERITS (parent)",
    "INSERT INTO child VALUES (1), (2)",
    "CREATE MATERIALIZED VIEW seen AS SELECT n FROM parent",
)
EVERY = {
    ('T"1', False), ("parts", True), ("parts_0", True), ("parts_00", False), ("parts_1", False),
    ("parent", False), ("parent", True), ("child", False), ("seen", False),
}  # fmt: skip
"""Each table, and whether it is meant with what belongs to it."""


def test_every_table_has_statistics(
    *,
    target: FlexibleServer,
    make_database: Callable[..., str],
    dump_file: Callable[..., LocalFile],
    load: Callable[..., DatabaseLoad],
    tmp_path: Path,
) -> None:
    name = make_database("statistics", *TABLES)
    loaded = load(dump_file(name, "-Fc"), LoadJob("statistics", name, tmp_path, 1 << 30, jobs=3))
    with target.connect(loaded.temporary_name, as_superuser=True) as connection:
        query = "SELECT tablename, inherited FROM pg_stats WHERE schemaname IN ('public', 'odd ''Schema')"
        assert {*connection.execute(query).fetchall()} == EVERY
