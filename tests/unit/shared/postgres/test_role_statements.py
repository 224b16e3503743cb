"""Statements of roles files of PostgreSQL 11 to 18 are understood whole, or not at all."""

import pytest

from shared.postgres.role_statements import (
    AlterRole,
    CreateRole,
    Membership,
    ParameterGrant,
    RoleComment,
    RoleSetting,
    RoleStatement,
    SecurityLabel,
    SessionSetting,
    Unknown,
    parse,
)
from shared.postgres.script import split


def _parse(sql: str) -> RoleStatement:
    [statement] = split(sql)
    return parse(statement)


FLAGS = {"SUPERUSER": False, "INHERIT": True, "LOGIN": True}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE ROLE app;", CreateRole("app")),
        ('--\n-- Roles\n--\n\nCREATE ROLE "My ""App; x";', CreateRole('My "App; x')),
        ("ALTER ROLE app WITH NOSUPERUSER INHERIT LOGIN;", AlterRole("app", FLAGS)),
        (
            "ALTER ROLE app WITH NOSUPERUSER INHERIT LOGIN CONNECTION LIMIT 5 PASSWORD 'a''x' VALID UNTIL 'infinity';",
            AlterRole("app", FLAGS, ("CONNECTION LIMIT 5", "VALID UNTIL 'infinity'"), "'a''x'"),
        ),
        ("ALTER ROLE app WITH CONNECTION LIMIT -1 PASSWORD NULL;", AlterRole("app", {}, ("CONNECTION LIMIT -1",))),
        ("COMMENT ON ROLE app IS E'a\\'; b';", RoleComment("app", "E'a\\'; b'")),
        ("ALTER ROLE app SET search_path TO 'a', \"B\";", RoleSetting("app", "\"search_path\" TO 'a', \"B\"")),
        ("ALTER ROLE app SET plugin.level TO '-1';", RoleSetting("app", '"plugin"."level" TO \'-1\'')),
        ("ALTER ROLE app IN DATABASE \"D b\" SET a TO '1MB';", RoleSetting("app", "\"a\" TO '1MB'", "D b")),
        ("GRANT a TO b;", Membership("a", "b")),
        ("GRANT a TO b WITH ADMIN OPTION GRANTED BY postgres;", Membership("a", "b", admin=True, grantor="postgres")),
        (
            "GRANT a TO b WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY azuresu;",
            Membership("a", "b", admin=True, inherit=False, set=False, grantor="azuresu"),
        ),
        ("GRANT a TO b WITH INHERIT TRUE GRANTED BY c;", Membership("a", "b", inherit=True, grantor="c")),
        (
            "SECURITY LABEL FOR pgaadauth ON ROLE \"u@x.com\" IS 'aadauth,oid=1,type=user';",
            SecurityLabel("u@x.com", "pgaadauth", "aadauth,oid=1,type=user"),
        ),
        ("GRANT SET ON PARAMETER log_min_messages TO app;", ParameterGrant("log_min_messages", "app")),
        ("GRANT SET, ALTER SYSTEM ON PARAMETER a.b TO app WITH GRANT OPTION;", ParameterGrant("a.b", "app")),
        ("SET client_encoding = 'UTF8';", SessionSetting("client_encoding", "UTF8")),
        ("SET standard_conforming_strings = on;", SessionSetting("standard_conforming_strings", "on")),
        # What pg_dumpall does not write, and what only begins like it.
        ("CREATE ROLE app LOGIN;", Unknown()),
        ("CREATE ROLE a; ", CreateRole("a")),
        ("ALTER ROLE app WITH LOGIN USER x;", Unknown()),
        ("ALTER ROLE app WITH NOTHING;", Unknown()),
        ("ALTER ROLE app RENAME TO b;", Unknown()),
        ("ALTER ROLE app SET work_mem FROM CURRENT;", Unknown()),
        ("ALTER ROLE app SET work_mem TO '1MB' || 'x';", Unknown()),
        ("GRANT a, b TO c;", Unknown()),
        ("GRANT a TO b, c;", Unknown()),
        ("GRANT SELECT ON t TO b;", Unknown()),
        ("GRANT a TO b WITH SOMETHING TRUE;", Unknown()),
        ("DROP ROLE app;", Unknown()),
        ("COMMENT ON DATABASE x IS 'y';", Unknown()),
        (";", Unknown()),
    ],
)  # fmt: skip
def test_a_statement_is_understood_whole_or_not_at_all(sql: str, expected: RoleStatement) -> None:
    assert _parse(sql) == expected


@pytest.mark.parametrize(
    "sql",
    [
        'CREATE ROLE "My ""App; x";',
        'ALTER ROLE "app" WITH NOSUPERUSER LOGIN CONNECTION LIMIT 5 VALID UNTIL \'infinity\' PASSWORD \'x\';',
        "COMMENT ON ROLE \"app\" IS E'a\\'b';",
        "COMMENT ON ROLE \"app\" IS NULL;",
        'ALTER ROLE "app" SET "search_path" TO \'a\', "B";',
        "SECURITY LABEL FOR \"p\" ON ROLE \"app\" IS 'it''s';",
    ],
)  # fmt: skip
def test_what_is_written_again_says_the_same(sql: str) -> None:
    found = _parse(sql)

    assert isinstance(found, CreateRole | AlterRole | RoleComment | RoleSetting | SecurityLabel)
    assert found.sql() == sql


@pytest.mark.parametrize(
    ("membership", "version", "expected"),
    [
        (Membership("a", "b", grantor="c"), 180_000, 'GRANT "a" TO "b";'),
        (
            Membership("a", "b", admin=True, inherit=False, set=True),
            160_000,
            'GRANT "a" TO "b" WITH ADMIN TRUE, INHERIT FALSE, SET TRUE;',
        ),
        (Membership("a", "b", inherit=True), 170_000, 'GRANT "a" TO "b" WITH INHERIT TRUE;'),
        (Membership("a", "b", admin=True, inherit=False), 150_000, 'GRANT "a" TO "b" WITH ADMIN OPTION;'),
        (Membership("a", "b", admin=False, inherit=False), 140_000, 'GRANT "a" TO "b";'),
    ],
)
def test_a_membership_is_granted_in_the_words_of_the_target(
    membership: Membership, version: int, expected: str
) -> None:
    assert membership.sql(version) == expected
