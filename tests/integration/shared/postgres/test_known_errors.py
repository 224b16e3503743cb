"""The errors that people meet when they import such a backup by hand, one row each, and what this import does instead.

The rows are those of Microsoft's support matrix ("errors that may be ignored") and of the reports of people who have
restored files into a flexible server. Everything runs against a server whose admin is no superuser.
"""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import pytest
from psycopg import sql
from pydantic import SecretStr

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import Note, NoteKind
from shared.errors import ImportFailed, TargetRefused
from shared.postgres import temporary
from shared.postgres.load import LoadJob, load_database
from shared.postgres.promotion import discard
from shared.postgres.roles import import_roles, read_roles
from shared.postgres.server import TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.tools import Toolbox
from shared.topology import SYSTEM_DATABASES

NAME = "known errors"
PLPGSQL = "COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL procedural language';"


class Handling(StrEnum):
    """What the import does about an error."""

    PREVENTED = "what fails is not run, or cannot fail any more"
    ADAPTED = "it is run in another form"
    TOLERATED = "it is run, fails, and that is noted"
    FAILED = "it fails the file, and the failure says what to do"


PREVENTED, ADAPTED, TOLERATED, FAILED = Handling


@dataclass(frozen=True)
class Row:
    """An error, and how it comes about."""

    error: str
    """What people see, in part; a regular expression."""
    custom: Handling | None
    """What is done in an archive; None: it does not come about there."""
    plain: Handling | None
    """What is done in plain SQL."""
    put: str = ""
    """Into the source's database by its admin."""
    as_superuser: str = ""
    """Into it by the service itself."""
    script: str = ""
    """Behind the end of the plain file."""
    says: str = ""
    """What the notes or the failure say."""
    query: str = "SELECT true"
    """What is asked of the loaded database, and is true."""


DATABASES = {
    "privileges on pg_catalog": Row(
        "no privileges were granted|permission denied for",
        PREVENTED,
        TOLERATED,
        as_superuser="GRANT SELECT (oid) ON pg_catalog.pg_subscription TO azure_pg_admin;"
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_replication_origin_advance(text, pg_lsn) TO azure_pg_admin",
        says="pg_catalog",
    ),
    "an extension that is not allow-listed": Row(
        "is not allow-listed",
        FAILED,
        FAILED,
        as_superuser="CREATE EXTENSION isn",
        says="--name azure.extensions --value",
    ),
    "an extension of the service": Row(
        'extension "pg_availability"',
        PREVENTED,
        TOLERATED,
        as_superuser="CREATE EXTENSION pg_availability",
        says="the service (itself|installs)",
    ),
    "pgaadauth": Row(
        'extension "pgaadauth"',
        PREVENTED,
        TOLERATED,
        as_superuser="CREATE EXTENSION pgaadauth WITH SCHEMA pg_catalog",
        says="the service (itself|installs)",
    ),
    "the comment on an extension of the superuser's": Row(
        "must be owner of extension",
        PREVENTED,
        PREVENTED,
        as_superuser="CREATE EXTENSION citext; COMMENT ON EXTENSION citext IS 'as it was'",
        query="SELECT obj_description(oid) = 'as it was' FROM pg_extension WHERE extname = 'citext'",
    ),
    "the comment on plpgsql, as older versions write it": Row(
        "must be owner of extension plpgsql", None, TOLERATED, script=PLPGSQL, says="brings its own comment"
    ),
    "schema public of an owner that is not here": Row(
        'role "gone" does not exist',
        TOLERATED,
        ADAPTED,
        put="ALTER SCHEMA public OWNER TO gone",
        says='there is no role "gone"',
    ),
    "schema public of an owner whom the admin cannot become": Row(
        "must be (able to SET ROLE|member of role)",
        TOLERATED,
        ADAPTED,
        put="CREATE TABLE kept (); ALTER SCHEMA public OWNER TO postgres; ALTER TABLE kept OWNER TO postgres",
        says='cannot become role "postgres"',
        query="SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'kept'",
    ),
    "an application that may not use schema public": Row(
        "permission denied for schema public",
        PREVENTED,
        PREVENTED,
        put="GRANT ALL ON SCHEMA public TO reporting",
        as_superuser="ALTER SCHEMA public OWNER TO azure_pg_admin",
        query="SELECT has_schema_privilege('reporting', 'public', 'CREATE') AND nspowner = 'azure_pg_admin'::regrole"
        " FROM pg_namespace WHERE nspname = 'public'",
    ),
    "a new database without schema public": Row(
        'schema "public" does not exist',
        PREVENTED,
        PREVENTED,
        put="CREATE TABLE public.kept ()",
        query="SELECT to_regclass('public.kept') IS NOT NULL",
    ),
    "an event trigger": Row(
        "permission denied to create event trigger",
        PREVENTED,
        PREVENTED,
        put="CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
        as_superuser="CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION public.on_ddl()",
        says="only a superuser can create event triggers",
        query="SELECT to_regproc('on_ddl') IS NOT NULL",
    ),
    "a library that the server does not load": Row(
        "can only be loaded via shared_preload_libraries",
        FAILED,
        FAILED,
        # As pg_cron says it, which is on Azure only.
        put="CREATE FUNCTION job() RETURNS integer LANGUAGE sql AS 'SELECT 1';"
        "CREATE MATERIALIZED VIEW jobs AS SELECT job();"
        "CREATE OR REPLACE FUNCTION job() RETURNS integer LANGUAGE plpgsql AS"
        " 'BEGIN RAISE ''pg_cron can only be loaded via shared_preload_libraries''; END'",
        says="server parameter shared_preload_libraries.*restart the server",
    ),
}

CASES = [
    pytest.param(row, form, id=f"{name} ({form})")
    for name, row in DATABASES.items()
    for form in ("custom", "plain")
    if getattr(row, form)
]


@pytest.fixture(scope="module", autouse=True)
def roles_of_others(source: FlexibleServer, target: FlexibleServer) -> Iterator[None]:
    """A role that the target's admin cannot become, and a user of the target's who is no admin."""
    with source.connect(autocommit=True) as connection:
        connection.execute("CREATE ROLE postgres; GRANT postgres TO CURRENT_USER WITH INHERIT TRUE, SET TRUE")
    with target.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute("CREATE ROLE postgres; CREATE ROLE outsider LOGIN CREATEDB PASSWORD 'outside'")
    yield
    with target.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute("DROP ROLE postgres; DROP ROLE outsider")
    with source.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(NAME)))
        connection.execute("DROP ROLE postgres")


@pytest.mark.parametrize(("row", "form"), CASES)
def test_what_is_done_about_each_error_of_a_database_file(
    *,
    row: Row,
    form: str,
    source: FlexibleServer,
    target: FlexibleServer,
    server: TargetServer,
    toolbox: Toolbox,
    make_database: Callable[..., str],
    dump_file: Callable[..., LocalFile],
) -> None:
    make_database(NAME, *filter(None, [row.put]))
    with source.connect(NAME, as_superuser=True, autocommit=True) as connection:
        connection.execute((row.as_superuser or "SELECT 1").encode())
    file = dump_file(NAME, *(["-Fc"] if form == "custom" else ["-Fp", "--create"]))
    if row.script:
        with file.path.open("a") as script:
            script.write(f"{row.script}\n")
    job, log = LoadJob(f"{row.error} {form}", NAME), io.BytesIO()
    handling: Handling = getattr(row, form)

    if handling is FAILED:
        with pytest.raises((ImportFailed, TargetRefused)) as failed:
            load_database(server, toolbox, file, job, log)
        words = " ".join([failed.value.text, *failed.value.details])
        assert re.search(row.error, words)
        assert re.search(row.says, words)
        with server.connect() as connection:
            assert temporary.temporaries(connection, job.key) == []
        return

    loaded = load_database(server, toolbox, file, job, log)

    with target.connect(loaded.temporary_name) as connection:
        assert connection.execute(row.query.encode()).fetchone() == (True,)
    discard(server, job.key)
    _check_notes(row, handling, loaded.notes.items, log)


def _check_notes(row: Row, handling: Handling, notes: tuple[Note, ...], log: io.BytesIO) -> None:
    """What failed is in the log, what was prevented is not; and a note says what is missing or different."""
    kinds = {note.kind for note in notes if re.search(row.says, f"{note.subject} {note.reason}")} if row.says else set()
    failures = [line for line in log.getvalue().decode().splitlines() if "ERROR: " in line or "WARNING: " in line]
    failed = [line for line in failures if re.search(row.error, line)]
    match handling:
        case Handling.TOLERATED:
            assert failed
            assert kinds & {NoteKind.TOLERATED, NoteKind.CHANGED}
        case Handling.ADAPTED:
            assert failures == []
            assert NoteKind.CHANGED in kinds
        case _:
            assert failures == []
            assert kinds == ({NoteKind.SKIPPED} if row.says else set())


@dataclass(frozen=True)
class RoleRow:
    """An error of a roles file, and the statements that bring it about, as pg_dumpall writes them."""

    error: str
    script: str
    says: str = ""
    query: str = "SELECT true"
    kind: NoteKind = NoteKind.SKIPPED


CREATE = "CREATE ROLE known_app;\n"
ATTRIBUTES = "NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS"
MAY_LOG_IN = "SELECT rolcanlogin AND NOT rolsuper FROM pg_roles WHERE rolname = 'known_app'"
ROLES = {
    "roles of the service": RoleRow(
        'role "(azure_pg_admin|azuresu|replication)" already exists',
        "CREATE ROLE azure_pg_admin;\nALTER ROLE azure_pg_admin WITH NOSUPERUSER NOLOGIN;\nCREATE ROLE azuresu;\n"
        "ALTER ROLE azuresu WITH SUPERUSER LOGIN REPLICATION BYPASSRLS;\nCREATE ROLE replication;\n"
        "ALTER ROLE replication WITH NOSUPERUSER LOGIN REPLICATION;\n",
        says='system roles "azure_pg_admin", "azuresu", "replication"',
    ),
    "a superuser": RoleRow(
        "must be superuser to create superusers|Only roles with the SUPERUSER attribute",
        f"{CREATE}ALTER ROLE known_app WITH SUPERUSER LOGIN;\n",
        says="created without SUPERUSER",
        query=MAY_LOG_IN,
        kind=NoteKind.CHANGED,
    ),
    "what every role is not": RoleRow(
        "must be superuser to (change bypassrls|alter)|permission denied to alter role",
        f"{CREATE}ALTER ROLE known_app WITH {ATTRIBUTES};\n",
        query=MAY_LOG_IN,
    ),
    "a membership granted by the superuser": RoleRow(
        'privileges (of|as) role "azuresu"',
        f"{CREATE}CREATE ROLE known_group;\nGRANT known_group TO known_app WITH INHERIT TRUE GRANTED BY azuresu;\n",
        says='nobody may grant in the name of "azuresu"',
        query="SELECT pg_has_role('known_app', 'known_group', 'USAGE')",
        kind=NoteKind.CHANGED,
    ),
    "pg_use_reserved_connections": RoleRow(
        'permission denied to grant role "pg_use_reserved_connections"',
        f"{CREATE}GRANT pg_use_reserved_connections TO known_app WITH INHERIT TRUE GRANTED BY azuresu;\n",
        says='no ADMIN OPTION on role "pg_use_reserved_connections"',
        query="SELECT NOT pg_has_role('known_app', 'pg_use_reserved_connections', 'USAGE')",
    ),
    "pg_execute_server_program": RoleRow(
        '(only superusers can|permission denied to) grant role "pg_execute_server_program"',
        f"{CREATE}GRANT pg_execute_server_program TO known_app;\n",
        says='no ADMIN OPTION on role "pg_execute_server_program"',
        query="SELECT rolname = 'known_app' FROM pg_roles WHERE rolname = 'known_app'",
    ),
    "passwords that nobody may read": RoleRow(
        "permission denied for table pg_authid",
        f"{CREATE}ALTER ROLE known_app WITH LOGIN;\n",
        says='login roles "known_app" .*hold no passwords',
        query=MAY_LOG_IN,
        kind=NoteKind.CHANGED,
    ),
}


@pytest.fixture(params=["the server's admin", "an admin without BYPASSRLS"])
def role_admin(request: pytest.FixtureRequest, target: FlexibleServer, server: TargetServer) -> Iterator[TargetServer]:
    """The users of whom roles files are imported; the roles that they made are gone afterwards."""
    before = read_roles(server)
    admin = server
    with target.connect(as_superuser=True, autocommit=True) as connection:
        if request.param != "the server's admin":
            connection.execute(
                "CREATE ROLE plain_admin LOGIN CREATEROLE PASSWORD 'plain'; GRANT azure_pg_admin TO plain_admin"
            )
            admin = replace(server, user="plain_admin", password=SecretStr("plain"))
        yield admin
        for role in sorted(read_roles(server) - before):
            connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(role)))


@pytest.mark.parametrize("row", ROLES.values(), ids=ROLES)
def test_what_is_done_about_each_error_of_a_roles_file(
    row: RoleRow, role_admin: TargetServer, toolbox: Toolbox
) -> None:
    log = io.BytesIO()

    run = import_roles(role_admin, toolbox, [row.script.encode()], read_roles(role_admin), log)

    assert "ERROR" not in log.getvalue().decode()
    if row.says:
        found = [note for note in run.notes.items if re.search(row.says, f"{note.subject} {note.reason}")]
        assert [note.kind for note in found] == [row.kind]
    with role_admin.connect() as connection:
        assert connection.execute(row.query.encode()).fetchone() == (True,)


def test_an_import_by_a_user_who_is_no_admin_says_what_it_takes(
    *, server: TargetServer, toolbox: Toolbox, make_database: Callable[..., str], dump_file: Callable[..., LocalFile]
) -> None:
    make_database(NAME, "CREATE EXTENSION citext")
    outsider = replace(server, user="outsider", password=SecretStr("outside"))
    with pytest.raises((ImportFailed, TargetRefused), match="azure_pg_admin"):
        load_database(outsider, toolbox, dump_file(NAME, "-Fc"), LoadJob("outside", NAME), io.BytesIO())


def test_databases_of_the_service_are_never_imported() -> None:
    """Else `extension "pg_availability" is not available` and `schema "cron" does not exist` come about."""
    assert {"postgres", "azure_maintenance", "azure_sys", "template1"} <= SYSTEM_DATABASES
