"""What a schema file must not do to a target server never reaches psql."""

import io
from collections.abc import Iterable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from shared.contracts.imports import Note
from shared.postgres import globals as schema_file
from shared.postgres.psql import ScriptResult
from shared.postgres.script import Event, Statement

REPLICATES = "a restored copy must not start to replicate from the source's publisher"
SUPERUSER = "only a superuser can create event triggers, and a managed server has none for customers"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a script into a psql that does nothing; answers what psql was given, and the notes."""
    given: list[str] = []

    def psql(_server: object, _toolbox: object, _dbname: str, events: Iterable[Event], **_: object) -> ScriptResult:
        given.extend(event.text.strip() for event in events if isinstance(event, Statement))
        return ScriptResult(len(given), (), (), complete=True)

    def run(script: str) -> tuple[list[str], tuple[Note, ...]]:
        server: Any = SimpleNamespace(maintenance_database="postgres", advisory_lock=lambda *_: nullcontext())
        result = schema_file.run_globals(server, None, [script.encode()], {"shop": "drill"}, io.BytesIO())  # type: ignore[arg-type]  # no tool is run
        return given, result.notes.items

    monkeypatch.setattr(schema_file, "run_script", psql)
    return run


@pytest.mark.parametrize(
    ("statement", "reason", "matters"),
    [
        ("CREATE SUBSCRIPTION s CONNECTION 'host=h password=secret' PUBLICATION p;", REPLICATES, False),
        (
            "-- " + "long " * 100 + "\ncreate /* " + "long " * 100 + "*/ subscription s CONNECTION '';",
            REPLICATES,
            False,
        ),
        ("ALTER SUBSCRIPTION s ENABLE;", REPLICATES, False),
        ("ALTER SUBSCRIPTION s CONNECTION 'password=secret';", REPLICATES, False),
        ("DROP SUBSCRIPTION s;", REPLICATES, False),
        ("COMMENT ON SUBSCRIPTION s IS 'x';", REPLICATES, False),
        ("CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION f();", SUPERUSER, False),
        ("ALTER EVENT TRIGGER t DISABLE;", SUPERUSER, False),
        ("COMMENT ON EVENT TRIGGER t IS 'x';", SUPERUSER, False),
        ("ALTER SYSTEM SET work_mem TO '1GB';", "settings of the server are its server parameters", True),
    ],
)
def test_it_is_left_out_and_the_reason_is_noted(run: Any, statement: str, reason: str, *, matters: bool) -> None:
    given, notes = run(f"SELECT 1;\n\\connect shop\n{statement}\nSELECT 2;\n")
    assert given == ["SELECT 1;", "SELECT 2;"]
    assert [note.matters for note in notes] == [matters]
    assert notes[0].reason.startswith(reason)
    assert "secret" not in str(notes)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.subscription (event integer);",
        "COMMENT ON TABLE public.event IS 'x';",
        "COMMENT ON TRIGGER event ON public.subscription IS 'x';",
        "CREATE TRIGGER event BEFORE INSERT ON public.subscription EXECUTE FUNCTION f();",
        "GRANT SELECT ON TABLE public.system TO app;",
    ],
)
def test_what_only_has_such_a_name_runs(run: Any, statement: str) -> None:
    assert run(statement) == ([statement], ())


def test_a_statement_without_its_end_is_not_left_out_but_handed_on_and_found(run: Any) -> None:
    """Of a file that breaks off, psql's feed says so; it must not look whole."""
    assert run("SELECT 1;\nCREATE ROLE half") == (["SELECT 1;", "CREATE ROLE half"], ())
