"""What the request says about roles, owners, grants and rows reaches the imports; each activity may run twice."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from activities.databases import discard_database, load_database, promote_database, verify_database
from activities.scripts import import_roles, run_script
from local.servers.postgres import FlexibleServer
from shared.contracts.importing import DatabaseImport, ScriptImport
from shared.contracts.imports import DatabaseLoad, ScriptRun, Verification
from shared.contracts.plan import Plan, TargetRef
from shared.contracts.request import read_request
from shared.storage.landing import restored_files
from shared.storage.ledger import Ledger, database_record
from shared.topology import LANDING_CONTAINERS

ROLES = b"""CREATE ROLE clerk;
ALTER ROLE clerk WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS;
CREATE ROLE porter;
ALTER ROLE porter WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS;
"""
TABLE = b"CREATE TABLE public.t (a text);\nALTER TABLE public.t OWNER TO clerk;\n"
ROWS = b"COPY public.t (a) FROM stdin;\none\n\\.\n"
GRANT = b"GRANT SELECT ON TABLE public.t TO PUBLIC;\n"
pytestmark = pytest.mark.usefixtures("app")
type Put = Callable[..., None]
type Begin = Callable[..., Ledger]


@pytest.fixture
def begin() -> Begin:
    """A restore whose request was planned."""

    def begin(**asked: object) -> Ledger:
        source = {"container": LANDING_CONTAINERS[0], "backupName": "b"}
        request = read_request({"requestId": "options", "source": source, "target": "drill", **asked})
        ledger = Ledger("options")
        ledger.write("plan", Plan(request=request, target=TargetRef(alias="drill", host="h", version="18.6")))
        return ledger

    return begin


@pytest.fixture
def clerk(flexible_server: FlexibleServer) -> Iterator[None]:
    """One of the backup's roles is on the target, and is another there."""
    with flexible_server.connect(autocommit=True) as connection:
        connection.execute("CREATE ROLE clerk NOLOGIN; GRANT clerk TO CURRENT_USER WITH SET TRUE")
    yield
    with flexible_server.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS shop WITH (FORCE)")
        connection.execute("DROP ROLE clerk; DROP ROLE IF EXISTS porter")


def value(outcome: dict[str, Any]) -> Any:
    assert outcome["ok"], outcome
    return outcome["value"]


def subject(kind: type[ScriptImport] | type[DatabaseImport], name: str, **more: str) -> dict[str, Any]:
    file = next(file for file in restored_files(LANDING_CONTAINERS[0]) if file.name == name)
    return kind(request_id="options", container=LANDING_CONTAINERS[0], file=file, **more).to_wire()


def ask(server: FlexibleServer, database: str, query: str) -> list[tuple[object, ...]]:
    with server.connect(database, as_superuser=True) as connection:
        return list(connection.execute(query.encode()).fetchall())


@pytest.mark.parametrize(
    ("asked", "updated", "kept", "logs_in"),
    [("missing", (), ("clerk",), False), ("all", ("clerk",), (), True)],
)
@pytest.mark.usefixtures("clerk")
def test_what_was_there_before_the_restore_is_remembered_and_treated_as_the_request_says(
    *,
    flexible_server: FlexibleServer,
    put: Put,
    begin: Begin,
    asked: str,
    updated: tuple[str, ...],
    kept: tuple[str, ...],
    logs_in: bool,
) -> None:
    put("b_roles.sql", content=ROLES)
    ledger = begin(roles=asked)
    for _ in range(2):
        value(import_roles(subject(ScriptImport, "b_roles.sql")))
        run = ScriptRun.from_wire(ledger.read("scripts/roles")["run"])
        assert (run.created, run.updated, run.kept) == (("porter",), updated, kept)
        assert run.without_password == ("porter",)
    query = "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'clerk'"
    assert ask(flexible_server, "postgres", query) == [(logs_in,)]


@pytest.mark.parametrize(
    ("asked", "found", "notes"),
    [
        ({}, ("clerk", True, 1), []),
        ({"owners": "drop"}, ("flexadmin", True, 1), ["owners"]),
        ({"grants": "drop"}, ("clerk", False, 1), ["grants"]),
        ({"schemaOnly": True}, ("clerk", True, 0), ["rows"]),
    ],
    ids=["everything", "no owners", "no grants", "no rows"],
)
@pytest.mark.usefixtures("clerk")
def test_a_database_is_imported_as_the_request_says_and_its_schema_file_changes_nothing_about_it(
    *,
    flexible_server: FlexibleServer,
    put: Put,
    begin: Begin,
    asked: dict[str, object],
    found: tuple[object, ...],
    notes: list[str],
) -> None:
    put("b_database_shop.sql", content=TABLE + ROWS + GRANT)
    put("b_schema.sql", content=b"\\connect shop\n" + TABLE + GRANT)
    ledger = begin(schema="import", **asked)
    database = subject(DatabaseImport, "b_database_shop.sql", final_name="shop")
    for activity in (load_database, verify_database, promote_database):
        value(activity(database))
    value(run_script(subject(ScriptImport, "b_schema.sql")))
    query = "SELECT relowner::regrole::text, relacl::text LIKE '%=r/%', (SELECT count(*) FROM public.t)"
    assert ask(flexible_server, "shop", f"{query} FROM pg_class WHERE relname = 't'") == [
        (found[0], found[1] or None, found[2])
    ]
    load = ledger.read(database_record("shop", "load"), DatabaseLoad)
    verification = ledger.read(database_record("shop", "verification"), Verification)
    assert load
    assert verification
    assert [note.subject for note in load.notes.items if note.subject in {"owners", "grants", "rows"}] == notes
    assert verification.rows == found[2]


@pytest.mark.parametrize(
    ("asked", "wanted", "outcome"),
    [
        ({}, "SELECT count(*) = 1 FROM t", [("rows", True)]),
        ({}, "SELECT count(*) = 2 FROM t", "check rows: False"),
        ({"schemaOnly": True}, "SELECT count(*) = 1 FROM t", []),
    ],
    ids=["well", "not well", "no rows"],
)
@pytest.mark.usefixtures("clerk")
def test_a_database_is_asked_the_checks_of_its_target_before_it_gets_its_name(
    *,
    put: Put,
    begin: Begin,
    configure: Callable[..., None],
    asked: dict[str, object],
    wanted: str,
    outcome: list[tuple[str, bool]] | str,
) -> None:
    targets = json.loads(os.environ["FLEX_RESTORE_TARGETS"])
    checks = {"rows": {"database": "sh*", "sql": wanted}, "of another": {"database": "crm", "sql": "SELECT false"}}
    targets["drill"]["checks"] = checks
    configure(FLEX_RESTORE_TARGETS=json.dumps(targets))
    put("b_database_shop.sql", content=TABLE + ROWS)
    ledger = begin(**asked)
    database = subject(DatabaseImport, "b_database_shop.sql", final_name="shop")
    value(load_database(database))

    for _ in range(2):
        verified = verify_database(database)

    found = ledger.read(database_record("shop", "verification"), Verification)
    if isinstance(outcome, str):
        assert (verified["ok"], found) == (False, None)
        assert outcome in verified["error"]["details"]
    else:
        assert found
        assert [(check.name, check.ok) for check in found.checks] == outcome
    value(discard_database({"job": database, "error": {"code": "x", "message": "y"}}))
