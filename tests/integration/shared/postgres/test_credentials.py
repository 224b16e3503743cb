"""Passwords and tokens of the import's user: who gets them, how, and what happens when they end during an import."""

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from psycopg import sql

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad, LoadMethod
from shared.errors import TargetUnavailable
from shared.postgres import passfile, process
from shared.postgres.load import LoadJob, load_database
from shared.postgres.server import TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.tools import Toolbox

WAITS = (
    "CREATE OR REPLACE FUNCTION waits(integer) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN"
    " WHILE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ''go_on'') LOOP PERFORM pg_sleep(0.05); END LOOP;"
    " RETURN true; END'"
)
"""A check of a table's rows that lasts until there is a role of that name."""


@dataclass
class Token:
    """What the import's user signs in with; only the last one that was issued is good."""

    target: FlexibleServer
    number: int = 0
    asked: list[str] = field(default_factory=list)

    def __call__(self) -> str:
        self.asked.append(self.text)
        return self.text

    @property
    def text(self) -> str:
        return f"token-{self.number}"

    def issue(self) -> None:
        """A new one, with which the old one ends."""
        self.number += 1
        self.set_password(self.text)

    def set_password(self, password: str) -> None:
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
        with self.target.connect(as_superuser=True, autocommit=True) as connection:
            connection.execute(statement.format(sql.Identifier(self.target.admin), sql.Literal(password)))


@pytest.fixture
def token(target: FlexibleServer) -> Iterator[Token]:
    token = Token(target)
    token.issue()
    yield token
    token.set_password(target.password)
    with target.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS go_on")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_token_that_ends_while_rows_are_loaded_is_no_failure(
    *,
    target: FlexibleServer,
    server: TargetServer,
    bundled: Toolbox,
    token: Token,
    make_database: Callable[..., str],
    dump_file: Callable[..., LocalFile],
    wait: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    jobs: int,
) -> None:
    """What is connected stays so; each later program and connection gets the token of its time."""
    monkeypatch.setattr(passfile, "RENEWED_EVERY", 0.0)
    name = make_database(
        "outlives its token",
        "CREATE FUNCTION waits(integer) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        "CREATE TABLE a (n integer CHECK (waits(n))); INSERT INTO a VALUES (1)",
        "CREATE TABLE b AS SELECT 1 AS n; CREATE INDEX ON a (n); CREATE INDEX ON b (n)",
        "CREATE MATERIALIZED VIEW c AS SELECT * FROM a",
        WAITS,
    )
    file, log = dump_file(name, "-Fc"), io.BytesIO()
    job = LoadJob(f"token with {jobs}", name, tmp_path / "s", 1 << 30, jobs=jobs)
    loads: list[DatabaseLoad] = []
    fresh = replace(server, password=token)
    thread = threading.Thread(target=lambda: loads.append(load_database(fresh, bundled, file, job, log)))
    thread.start()

    def rows_are_being_loaded() -> bool:
        query = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND application_name = 'flex-restore'"
        with target.connect(as_superuser=True) as connection:
            return bool(connection.execute(query).fetchall())

    try:
        wait(rows_are_being_loaded, "the rows")
        token.issue()
        if jobs > 1:
            [written] = tmp_path.glob("s/*/password")
            wait(lambda: token.text in written.read_text(), "the new token in the file")
            assert written.stat().st_mode & 0o077 == 0
        commands = [" ".join(one.info["cmdline"] or []) for one in psutil.process_iter(["cmdline"])]
    finally:
        with target.connect(as_superuser=True, autocommit=True) as connection:
            connection.execute("CREATE ROLE go_on")
        thread.join()

    ours = [line for line in commands if "pg_restore" in line and str(tmp_path) in line]
    assert ours
    assert "token-" not in " ".join(ours)
    [loaded] = loads
    assert loaded.method is (LoadMethod.STREAMED if jobs == 1 else LoadMethod.STAGED_PARALLEL)
    assert {"token-1", "token-2"} == {*token.asked}
    with fresh.connect(loaded.temporary_name) as connection:
        assert connection.execute("SELECT (SELECT n FROM c), (SELECT n FROM b)").fetchone() == (1, 1)
    assert "token-" not in log.getvalue().decode() + loaded.model_dump_json()
    assert list(tmp_path.rglob("password")) == []


def test_each_program_and_connection_gets_the_token_of_its_time(
    *,
    server: TargetServer,
    bundled: Toolbox,
    token: Token,
    make_database: Callable[..., str],
    dump_file: Callable[..., LocalFile],
) -> None:
    """Here each token ends as soon as it was given to somebody who is to connect with it."""
    name = make_database(
        "many tokens", "CREATE TABLE a AS SELECT 1 AS n; CREATE MATERIALIZED VIEW b AS SELECT * FROM a"
    )

    def give() -> str:
        token.issue()
        return token()

    once = replace(server, password=give)
    load_database(once, bundled, dump_file(name, "-Fc"), LoadJob("tokens", name, jobs=1), io.BytesIO())

    assert len(token.asked) >= 5
    assert len({*token.asked}) == len(token.asked)


def test_psql_and_what_connects_beside_it_each_ask_for_a_token(
    *,
    server: TargetServer,
    bundled: Toolbox,
    token: Token,
    make_database: Callable[..., str],
    dump_file: Callable[..., LocalFile],
) -> None:
    """They connect at the same moment, so the token has to hold for both."""
    name = make_database("psql and tokens", "CREATE TABLE a AS SELECT 1 AS n")
    token.issue()
    asking = replace(server, password=token)
    load_database(asking, bundled, dump_file(name, "-Fp", "--create"), LoadJob("tokens", name), io.BytesIO())

    assert len(token.asked) >= 4


@pytest.mark.parametrize("secret", ["plain", "with:colon", "back\\slash", "ü'\"%s"])
def test_the_password_file_holds_any_password(
    *, server: TargetServer, token: Token, bundled: Toolbox, tmp_path: Path, secret: str
) -> None:
    token.set_password(secret)
    file = passfile.Passfile(tmp_path, replace(server, password=lambda: secret))
    argv: list[str | Path] = [bundled.psql.path, "-X", "--no-password", "-c", "SELECT 1", file.conninfo("postgres")]
    environment = {**server.environment("postgres"), "PGPASSWORD": "none of it"}
    assert process.capture(argv, environment=environment).exit_code == 0
    assert secret not in " ".join(map(str, argv))


def test_a_password_file_outlives_a_giver_of_tokens_that_fails_for_a_while(
    server: TargetServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passfile, "RENEWED_EVERY", 0.0)
    answers = iter(["first", "", "third"])

    def give() -> str:
        if answer := next(answers):
            return answer
        raise TargetUnavailable("no answer")

    file = passfile.Passfile(tmp_path, replace(server, password=give))
    for holds in ("first", "first", "third"):
        assert (tmp_path / "password").read_text() == f"*:*:*:*:{holds}\n"
        if holds != "third":
            file.renew()
