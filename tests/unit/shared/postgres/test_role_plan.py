"""What of a roles file is run depends on what the target's admin may do and on which roles were there before."""

from dataclasses import replace

import pytest

from shared.contracts.imports import NoteKind
from shared.errors import UnreadableFile
from shared.postgres.role_plan import RolePlan, RoleTarget, StatementKind, plan_roles
from shared.postgres.script import Statements
from shared.postgres.server import Capabilities

ADMIN = Capabilities(
    version=180_000,
    user="admin",
    superuser=False,
    createdb=True,
    createrole=True,
    replication=False,
    bypassrls=True,
    extensions_available=frozenset(),
    extensions_allowed=None,
    max_connections=100,
)
TARGET = RoleTarget(
    capabilities=ADMIN,
    roles=frozenset({"admin", "old", "other", "azure_pg_admin", "azuresu", "pg_monitor", "pg_checkpoint"}),
    memberships=frozenset({("old", "other")}),
    grantable=frozenset({"pg_monitor", "old"}),
)
EXISTING = TARGET.roles


def _plan(
    script: str, target: RoleTarget = TARGET, existing: frozenset[str] = EXISTING, *, update: bool = False
) -> RolePlan:
    return plan_roles(Statements([script.encode()]), target, existing, update=update)


def _sql(plan: RolePlan) -> list[str]:
    return [statement.sql for statement in plan.statements if not statement.sql.startswith("SET ")]


def _on(**capabilities: object) -> RoleTarget:
    return replace(TARGET, capabilities=replace(ADMIN, **capabilities))  # type: ignore[arg-type]  # names are fields


ALL = "SUPERUSER NOINHERIT CREATEROLE CREATEDB LOGIN REPLICATION BYPASSRLS"
NONE = "NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS"


@pytest.mark.parametrize(
    ("target", "attributes", "expected", "dropped"),
    [
        (TARGET, ALL, "NOINHERIT CREATEROLE CREATEDB LOGIN BYPASSRLS", "REPLICATION, SUPERUSER"),
        (TARGET, NONE, "INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOBYPASSRLS", None),
        (_on(replication=True), "REPLICATION", "REPLICATION", None),
        (_on(bypassrls=False), "BYPASSRLS LOGIN", "LOGIN", "BYPASSRLS"),
        (_on(createdb=False), "CREATEDB NOLOGIN", "NOLOGIN", "CREATEDB"),
        # Before PostgreSQL 16 CREATEROLE was enough for CREATEDB, and only a superuser gave the other two.
        (_on(version=150_000, createdb=False), "CREATEDB BYPASSRLS", "CREATEDB", "BYPASSRLS"),
        (_on(superuser=True), ALL, ALL, None),
    ],
)
def test_attributes_that_the_admin_cannot_give_are_left_out_and_the_others_kept(
    target: RoleTarget, attributes: str, expected: str, dropped: str | None
) -> None:
    plan = _plan(f"CREATE ROLE app; ALTER ROLE app WITH {attributes};", target)

    assert _sql(plan) == ['CREATE ROLE "app";', f'ALTER ROLE "app" WITH {expected};']
    changed = [note.reason for note in plan.notes if note.kind is NoteKind.CHANGED and note.subject == 'role "app"']
    assert changed == ([f"created without {dropped}, which the target's admin cannot give"] if dropped else [])


def test_a_role_that_can_have_none_of_its_attributes_is_created_all_the_same() -> None:
    plan = _plan("CREATE ROLE app; ALTER ROLE app WITH SUPERUSER;")

    assert _sql(plan) == ['CREATE ROLE "app";']


def test_roles_that_were_there_before_are_kept_and_roles_of_the_service_left_out() -> None:
    script = "".join(
        f"CREATE ROLE {name};ALTER ROLE {name} WITH LOGIN;COMMENT ON ROLE {name} IS 'x'; ALTER ROLE {name} SET a TO 1;"
        for name in ("old", "admin", "azuresu", "azure_pg_admin", "localadmin", "pg_new")
    )

    plan = _plan(script)

    assert plan.statements == ()
    assert plan.kept == ("old", "admin")
    assert plan.created == ()
    assert [(note.subject, note.matters) for note in plan.notes] == [
        ('system roles "azure_pg_admin", "azuresu", "localadmin", "pg_new"', False)
    ]


def test_a_role_of_an_earlier_attempt_is_not_created_again_and_altered_again() -> None:
    target = replace(TARGET, roles=TARGET.roles | {"app"})

    plan = _plan("CREATE ROLE app; ALTER ROLE app WITH LOGIN; COMMENT ON ROLE app IS 'x';", target)

    assert _sql(plan) == ['ALTER ROLE "app" WITH LOGIN;', "COMMENT ON ROLE \"app\" IS 'x';"]
    assert plan.created == ("app",)


@pytest.mark.parametrize(
    ("grant", "expected"),
    [
        # Created roles, among themselves and with others.
        ("GRANT new TO app", 'GRANT "new" TO "app";'),
        ("GRANT new TO old", 'GRANT "new" TO "old";'),
        ("GRANT new TO azure_pg_admin", 'GRANT "new" TO "azure_pg_admin";'),
        ("GRANT old TO new", 'GRANT "old" TO "new";'),
        ("GRANT pg_monitor TO new WITH INHERIT TRUE", 'GRANT "pg_monitor" TO "new" WITH INHERIT TRUE;'),
        # No ADMIN OPTION, no such role, both were there before.
        ("GRANT pg_checkpoint TO new", 'the target\'s admin "admin" has no ADMIN OPTION on role "pg_checkpoint"'),
        ("GRANT azure_pg_admin TO new", 'the target\'s admin "admin" has no ADMIN OPTION on role "azure_pg_admin"'),
        ("GRANT new TO nobody", 'there is no role "nobody" on the target'),
        ("GRANT nobody TO new", 'there is no role "nobody" on the target'),
        ("GRANT other TO old", "both roles were there before the restore, which leaves them as they are"),
        # No news: there already, the service's own, or made by creating the role.
        ("GRANT old TO other", None),
        ("GRANT pg_checkpoint TO azure_pg_admin WITH ADMIN OPTION", None),
        ("GRANT new TO admin WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY azuresu", None),
    ],
)
def test_memberships_are_granted_where_they_can_be(grant: str, expected: str | None) -> None:
    plan = _plan(f"CREATE ROLE new; CREATE ROLE app; {grant};")

    said = [sql for sql in _sql(plan) if sql.startswith("GRANT")]
    said += [note.reason for note in plan.notes if note.subject.startswith("membership of")]
    assert said == ([expected] if expected else [])


def test_grants_of_several_grantors_add_up() -> None:
    """PostgreSQL 16 keeps one grant for each grantor; here all come from the admin, where the last one would win."""
    plan = _plan(
        "CREATE ROLE a; CREATE ROLE b;"
        "GRANT a TO b WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY azuresu;"
        "GRANT a TO b WITH INHERIT TRUE GRANTED BY b;"
    )

    assert _sql(plan)[2:] == ['GRANT "a" TO "b" WITH ADMIN TRUE, INHERIT TRUE, SET TRUE;']


def test_the_grantors_that_are_lost_are_told_once() -> None:
    plan = _plan(
        "CREATE ROLE a; CREATE ROLE b; CREATE ROLE c;"
        "GRANT a TO b GRANTED BY azuresu; GRANT b TO c GRANTED BY x; GRANT a TO c GRANTED BY admin;"
    )

    [note] = [note for note in plan.notes if note.subject == "grantors of memberships"]
    assert note.reason == 'recorded as granted by "admin", because nobody may grant in the name of "azuresu", "x"'


def test_membership_options_that_an_old_target_does_not_know_are_told() -> None:
    plan = _plan("CREATE ROLE a; CREATE ROLE b; GRANT a TO b WITH INHERIT FALSE;", _on(version=150_000))

    assert _sql(plan)[2:] == ['GRANT "a" TO "b";']
    [note] = [note for note in plan.notes if note.subject.startswith("membership")]
    assert note.kind is NoteKind.CHANGED


@pytest.mark.parametrize(("version", "expected"), [(160_000, True), (150_000, False)])
def test_the_admin_becomes_a_member_of_what_it_creates(version: int, expected: bool) -> None:
    plan = _plan("CREATE ROLE a;", _on(version=version))

    assert ("createrole_self_grant" in plan.statements[0].sql) is expected


def test_roles_of_entra_principals_are_told_by_their_label() -> None:
    label = 'SECURITY LABEL FOR "pgaadauth" ON ROLE "u@x.com" IS \'aadauth,oid=1,type=user\';'

    plan = _plan(
        'CREATE ROLE "u@x.com"; ALTER ROLE "u@x.com" WITH LOGIN; CREATE ROLE app; ALTER ROLE app WITH LOGIN;' + label
    )

    assert plan.without_password == ("app",)
    [note] = [note for note in plan.notes if note.subject == 'role "u@x.com"']
    assert "Entra administrator" in note.reason
    assert note.statement == label


def test_no_password_gets_into_the_notes() -> None:
    plan = _plan("CREATE ROLE a; ALTER ROLE a WITH SUPERUSER LOGIN PASSWORD 'hush'; ALTER ROLE b PASSWORD 'hush';")

    assert "PASSWORD 'hush'" in _sql(plan)[1]
    assert "hush" not in str(plan.notes)
    assert plan.without_password == ()


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DROP ROLE old;", "no statement that pg_dumpall writes into a roles file"),
        ("SET work_mem = '1GB';", "no statement that pg_dumpall writes into a roles file"),
        ("\\! reboot\n", "a command of psql, which no file gets to run"),
        ("ALTER ROLE nobody WITH LOGIN;", "the file alters this role and does not create it"),
        ("GRANT SET ON PARAMETER x TO new;", "only a superuser can grant rights on parameters, here on x"),
        (
            "ALTER ROLE new IN DATABASE d SET a TO 1;",
            'the setting is for the database "d" only, whose own file brings it along',
        ),
        ("SECURITY LABEL FOR selinux ON ROLE new IS 'x';", "security labels of selinux are not imported"),
    ],
)
def test_what_is_not_run_is_told(statement: str, reason: str) -> None:
    plan = _plan(f"CREATE ROLE new;{statement}")

    assert _sql(plan) == ['CREATE ROLE "new";']
    assert reason in [note.reason for note in plan.notes if note.kind is NoteKind.SKIPPED]


def test_the_dump_s_own_frame_is_no_news() -> None:
    plan = _plan(
        "\\restrict abc\nSET default_transaction_read_only = off;\nSET client_encoding = 'UTF8';\n"
        "SET standard_conforming_strings = on;\n\n\\unrestrict abc\n-- done\n"
    )

    assert (plan.statements, plan.notes) == ((), ())


@pytest.mark.parametrize(
    "script",
    ["CREATE ROLE a", "COPY t FROM stdin;\n1\n\\.\n", "SET client_encoding = 'LATIN1';", "CREATE ROLE a \\gexec\n"],
)
def test_what_is_no_whole_roles_file_is_refused(script: str) -> None:
    with pytest.raises(UnreadableFile, match="roles file"):
        _plan(script)


def test_an_update_gives_existing_roles_what_the_file_says() -> None:
    plan = _plan(
        "CREATE ROLE old; ALTER ROLE old WITH NOSUPERUSER LOGIN CREATEDB CONNECTION LIMIT 3;"
        "COMMENT ON ROLE old IS 'x'; ALTER ROLE old SET a TO 1; CREATE ROLE new; ALTER ROLE new WITH NOLOGIN;"
        "GRANT old TO new; GRANT new TO old; GRANT pg_monitor TO old; GRANT old TO other;",
        update=True,
    )

    assert _sql(plan) == [
        'ALTER ROLE "old" WITH LOGIN CREATEDB CONNECTION LIMIT 3;',
        "COMMENT ON ROLE \"old\" IS 'x';",
        'ALTER ROLE "old" SET "a" TO 1;',
        'CREATE ROLE "new";',
        'ALTER ROLE "new" WITH NOLOGIN;',
        'GRANT "old" TO "new";',
        'GRANT "new" TO "old";',
        'GRANT "pg_monitor" TO "old";',
        'GRANT "old" TO "other";',
    ]
    assert (plan.created, plan.updated, plan.kept) == (("new",), ("old",), ())
    assert plan.without_password == ()
    kinds = {statement.sql: statement.kind for statement in plan.statements}
    assert kinds['GRANT "old" TO "new";'] is StatementKind.MEMBERSHIP
    assert kinds['GRANT "new" TO "old";'] is StatementKind.ROLE


@pytest.mark.parametrize(
    ("expiring", "said", "expected"),
    [
        (frozenset[str](), "", "LOGIN CONNECTION LIMIT -1"),
        (frozenset({"old"}), "", "LOGIN CONNECTION LIMIT -1 VALID UNTIL 'infinity'"),
        (frozenset({"old"}), " VALID UNTIL '2031-01-01'", "LOGIN VALID UNTIL '2031-01-01' CONNECTION LIMIT -1"),
        (frozenset({"other"}), " CONNECTION LIMIT 5", "LOGIN CONNECTION LIMIT 5"),
    ],
)
def test_an_update_sets_back_what_the_file_leaves_at_its_default(
    expiring: frozenset[str], said: str, expected: str
) -> None:
    plan = _plan(f"CREATE ROLE old; ALTER ROLE old WITH LOGIN{said};", replace(TARGET, expiring=expiring), update=True)

    assert _sql(plan) == [f'ALTER ROLE "old" WITH {expected};']


def test_an_update_tells_what_it_can_neither_give_nor_take() -> None:
    had = replace(TARGET, flags={"old": frozenset({"REPLICATION", "LOGIN"})})

    plan = _plan("CREATE ROLE old; ALTER ROLE old WITH SUPERUSER LOGIN NOREPLICATION;", had, update=True)

    assert _sql(plan) == ['ALTER ROLE "old" WITH LOGIN CONNECTION LIMIT -1;']
    assert [note.reason for note in plan.notes] == [
        "updated without NOREPLICATION, SUPERUSER, which the target's admin cannot give"
    ]


@pytest.mark.parametrize(
    ("target", "role", "matters", "said"),
    [
        (TARGET, "admin", False, "the import's own user is never altered"),
        (TARGET, "other", True, "ADMIN OPTION"),
        (_on(createrole=False), "old", True, "CREATEROLE"),
        (replace(TARGET, flags={"old": frozenset({"SUPERUSER"})}), "old", True, "only a superuser"),
        (replace(_on(version=150_000), flags={"old": frozenset({"REPLICATION"})}), "old", True, "only a superuser"),
    ],
)
def test_an_update_keeps_the_roles_that_the_user_may_not_alter_and_says_so(
    target: RoleTarget, role: str, said: str, *, matters: bool
) -> None:
    plan = _plan(
        f"CREATE ROLE {role}; ALTER ROLE {role} WITH LOGIN; COMMENT ON ROLE {role} IS 'x';", target, update=True
    )

    assert plan.statements == ()
    assert (plan.updated, plan.kept) == ((), (role,))
    [note] = plan.notes
    assert (note.kind, note.subject, note.matters) == (NoteKind.SKIPPED, f'role "{role}"', matters)
    assert note.reason.startswith("it stays as it is: ")
    assert said in note.reason


@pytest.mark.parametrize("target", [_on(superuser=True), _on(version=150_000)])
def test_before_postgresql_16_and_as_a_superuser_no_admin_option_is_needed(target: RoleTarget) -> None:
    plan = _plan("CREATE ROLE other; ALTER ROLE other WITH LOGIN;", target, update=True)

    assert plan.updated == ("other",)


def test_an_update_leaves_the_service_s_roles_and_the_user_s_own_memberships_alone() -> None:
    plan = _plan(
        "CREATE ROLE old; CREATE ROLE azure_pg_admin; ALTER ROLE azure_pg_admin WITH LOGIN; CREATE ROLE pg_monitor;"
        "GRANT old TO admin; GRANT azure_pg_admin TO admin;",
        update=True,
    )

    assert plan.statements == ()
    assert (plan.updated, plan.kept) == (("old",), ())
    assert [note.matters for note in plan.notes] == [False, False, False]


def test_of_two_existing_roles_whose_membership_cannot_be_had_that_is_a_warning() -> None:
    plan = _plan("CREATE ROLE other; GRANT pg_checkpoint TO other;", update=True)

    assert [(note.subject, note.matters) for note in plan.notes] == [
        ('membership of role "other" in role "pg_checkpoint"', True),
        ('role "other"', True),
    ]


def test_an_updated_role_keeps_its_labels() -> None:
    label = "SECURITY LABEL FOR \"pgaadauth\" ON ROLE old IS 'aadauth,oid=1,type=user';"

    plan = _plan(f"CREATE ROLE old; {label}", update=True)

    assert [note.reason for note in plan.notes] == [
        "security labels of pgaadauth are not imported: the role keeps those that it has"
    ]


def test_roles_that_the_operator_keeps_out_are_neither_created_nor_changed_and_told_once() -> None:
    target = replace(TARGET, left_out=frozenset({"dba@example.org", "old"}))
    plan = _plan(
        'CREATE ROLE "dba@example.org"; ALTER ROLE "dba@example.org" WITH LOGIN;'
        " CREATE ROLE old; ALTER ROLE old WITH LOGIN; CREATE ROLE app; ALTER ROLE app WITH LOGIN;"
        ' GRANT app TO "dba@example.org"; GRANT old TO app;'
        " COMMENT ON ROLE old IS 'x'; ALTER ROLE old SET search_path TO 'a';",
        target,
        update=True,
    )

    assert (plan.created, plan.updated, plan.kept) == (("app",), (), ())
    assert not any("dba@example.org" in sql or "old" in sql for sql in _sql(plan))
    (note,) = [note for note in plan.notes if "operator keeps" in note.reason]
    assert (note.subject.count("dba@example.org"), note.subject.count("old"), note.matters) == (1, 1, False)
