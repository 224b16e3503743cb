"""A database's name comes from a file's name: it is a name to every program and every statement, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import sql

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad
from shared.postgres.archive import inspect
from shared.postgres.globals import connected_database
from shared.postgres.load import LoadJob
from shared.postgres.promotion import promote
from shared.postgres.server import TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.tools import Toolbox
from shared.postgres.verification import verify_database
from shared.storage.landing import classify

NAMES = (
    "dbname=x host=evil",
    "postgresql://evil/x",
    "-c",
    "--file=/etc/passwd",
    "../../x",
    "quotes \" and '' and \\",
    "$(touch x); `touch x`",
    "x_database_y.sql_roles",
    "Größe 数据 \N{PILE OF POO}",
    "ü" * 31 + "x",
    "two\nlines",
    "%s %(x)s {}",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_database_comes_over_under_exactly_its_own_name(
    source: FlexibleServer,
    target: FlexibleServer,
    server: TargetServer,
    toolbox: Toolbox,
    dump_file: Callable[..., LocalFile],
    load: Callable[..., DatabaseLoad],
    databases: Callable[[], set[str]],
    tmp_path: Path,
    name: str,
) -> None:
    file_name = f"d98a8d0a-89c8-4b84-9c58-c6c8743e8478_database_{name}.sql"
    create, drop = (sql.SQL(text).format(sql.Identifier(name)) for text in ("CREATE DATABASE {}", "DROP DATABASE {}"))
    with source.connect(autocommit=True) as connection:
        connection.execute(create)
    with source.connect(name, autocommit=True) as connection:
        connection.execute("CREATE TABLE only_here AS SELECT 1 AS a")
    before = databases()
    known = classify(file_name)
    job = LoadJob("odd", name, tmp_path, 1 << 30, jobs=2)

    file = dump_file(name, "-Fc")
    loaded = load(file, job)
    verified = verify_database(server, loaded, inspect(file, toolbox))
    promoted = promote(server, job.key, loaded.oid, name)

    assert known is not None
    assert known.database == name
    assert (promoted.name, verified.rows) == (name, 1)
    assert databases() == before | {name}
    with target.connect(name) as connection:
        assert connection.execute("SELECT a FROM only_here").fetchone() == (1,)
    for flexible in (source, target):
        with flexible.connect(autocommit=True) as connection:
            connection.execute(drop)


def test_a_connection_string_in_a_script_names_a_database_and_no_host() -> None:
    assert connected_database("\\connect -reuse-previous=on \"dbname='dbname=x host=evil'\"") == "dbname=x host=evil"
