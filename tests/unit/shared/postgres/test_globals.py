r"""The schema and tablespaces files: which database a `\connect` means, and which statements other files are for."""

import pytest

from shared.postgres.globals import _not_here, connected_database
from shared.postgres.options import ImportOptions


@pytest.mark.parametrize(
    ("command", "database"),
    [
        ("\\connect shop", "shop"),
        ("\\connect shop ", "shop"),
        ("\\connect shop\r", "shop"),
        ('\\connect "Shop"', "Shop"),
        ('\\connect "select"', "select"),
        ('\\connect "a.b"', "a.b"),
        ("""\\connect -reuse-previous=on "dbname='Kunden ""Süd""'\"""", 'Kunden "Süd"'),
        ("""\\connect -reuse-previous=on "dbname='it\\'s'\"""", "it's"),
        ("""\\connect -reuse-previous=on "dbname='back\\\\slash'\"""", "back\\slash"),
        ("""\\connect -reuse-previous=on "dbname='a=b port=1'\"""", "a=b port=1"),
        ("""\\connect -reuse-previous=on "dbname='dbname=\\'x\\''\"""", "dbname='x'"),
        ("""\\connect -reuse-previous=on "dbname='a; DROP TABLE b'\"""", "a; DROP TABLE b"),
        ("\\connect", ""),
    ],
)
def test_a_connect_names_its_database_as_pg_dumpall_writes_it(command: str, database: str) -> None:
    assert connected_database(command) == database


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE DATABASE shop WITH TEMPLATE = template0;",
        "ALTER DATABASE shop OWNER TO app;",
        "DROP DATABASE shop;",
        "COMMENT ON DATABASE shop IS 'x';",
        "GRANT CONNECT ON DATABASE shop TO app;",
        "REVOKE ALL ON DATABASE shop FROM PUBLIC;",
        "SECURITY LABEL FOR x ON DATABASE shop IS 'y';",
        "-- a comment\n\nCREATE DATABASE shop;",
        'create\ndatabase "Shop";',
    ],
)
def test_what_makes_a_database_is_left_to_its_own_file(statement: str) -> None:
    assert "their own files" in _not_here(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE ROLE app;",
        "ALTER ROLE app WITH LOGIN PASSWORD 'x';",
        "ALTER ROLE app IN DATABASE shop SET work_mem TO '5MB';",
        "CREATE USER app;",
        "DROP ROLE app;",
        "COMMENT ON ROLE app IS 'on duty';",
        "GRANT app TO reporting WITH INHERIT TRUE GRANTED BY azuresu;",
        "REVOKE app FROM reporting;",
        "GRANT SET,ALTER SYSTEM ON PARAMETER log_min_messages TO app;",
    ],
)
def test_what_makes_a_role_is_left_to_the_roles_file(statement: str) -> None:
    assert "roles file" in _not_here(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLESPACE temptblspace OWNER azuresu LOCATION '/tmp';",
        "GRANT CREATE ON TABLESPACE temptblspace TO PUBLIC;",
        "COMMENT ON TABLESPACE temptblspace IS 'x';",
        "ALTER TABLESPACE temptblspace SET (random_page_cost = 1);",
    ],
)
def test_the_services_own_tablespace_is_left_alone(statement: str) -> None:
    assert "service's own" in _not_here(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SET default_transaction_read_only = off;",
        "CREATE TABLE public.database (id integer);",
        'CREATE TABLE public."on" ("database" integer);',
        "ALTER TABLE public.role OWNER TO app;",
        "COMMENT ON TABLE public.role IS 'roles are imported';",
        "GRANT SELECT ON TABLE public.orders TO app;",
        "REVOKE ALL ON SCHEMA public FROM app;",
        "ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO reporting;",
        "CREATE TABLESPACE fast OWNER app LOCATION '/fast';",
        "CREATE USER MAPPING FOR app SERVER elsewhere;",
        "ALTER USER MAPPING FOR app SERVER elsewhere OPTIONS (SET user 'a');",
        "DROP USER MAPPING FOR app SERVER elsewhere;",
        "SELECT pg_catalog.set_config('search_path', '', false);",
        "",
    ],
)
def test_everything_else_runs(statement: str) -> None:
    assert _not_here(statement) == ""


def test_what_the_request_drops_does_not_come_back_with_the_schema_file() -> None:
    statement = "ALTER TABLE public.t OWNER TO app;"
    assert _not_here(statement) == ""
    assert _not_here(statement, ImportOptions(grants=False)) == ""
    assert "the request drops" in _not_here(statement, ImportOptions(owners=False))
