"""Grants are adapted to the roles of the target, statement by statement."""

import pytest

from shared.contracts.imports import NoteKind
from shared.postgres.privileges import adapt_grant, grantors, named_roles, plan_grants
from shared.postgres.script import tokens
from shared.postgres.server import Roles
from shared.postgres.toc import Entry

ROLES = Roles(existing=frozenset({"app", "reporting", "azure_pg_admin", "to"}), settable=frozenset({"app"}))


@pytest.mark.parametrize(
    ("statement", "runs"),
    [
        ("GRANT SELECT ON TABLE a.b TO reporting;", "GRANT SELECT ON TABLE a.b TO reporting;"),
        (
            "GRANT SELECT ON TABLE a.b TO reporting WITH GRANT OPTION;",
            "GRANT SELECT ON TABLE a.b TO reporting WITH GRANT OPTION;",
        ),
        ("REVOKE ALL ON SCHEMA public FROM PUBLIC;", "REVOKE ALL ON SCHEMA public FROM PUBLIC;"),
        ('GRANT SELECT("from") ON TABLE a TO "to";', 'GRANT SELECT("from") ON TABLE a TO "to";'),
        ("SET SESSION AUTHORIZATION app;", 'SET ROLE "app"'),
        ("RESET SESSION AUTHORIZATION;", "RESET ROLE"),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA s GRANT SELECT ON TABLES TO reporting;",
            "ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA s GRANT SELECT ON TABLES TO reporting;",
        ),
    ],
)
def test_what_works_here_is_run(statement: str, runs: str) -> None:
    adapted = adapt_grant("TABLE a", "app", statement, ROLES)
    assert (adapted.statement, adapted.note) == (runs, None)


@pytest.mark.parametrize(
    ("statement", "kind", "reason"),
    [
        ("GRANT SELECT ON TABLE a TO gone;", NoteKind.SKIPPED, 'there is no role "gone"'),
        ('GRANT SELECT ON TABLE a TO reporting, "Gone";', NoteKind.SKIPPED, 'there is no role "Gone"'),
        ("REVOKE SELECT ON TABLE a FROM gone;", NoteKind.SKIPPED, 'there is no role "gone"'),
        ("SET SESSION AUTHORIZATION reporting;", NoteKind.CHANGED, "in the name of the owner"),
        ("ALTER DEFAULT PRIVILEGES FOR ROLE gone GRANT SELECT ON TABLES TO app;", NoteKind.SKIPPED, "no role"),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE reporting GRANT SELECT ON TABLES TO app;",
            NoteKind.SKIPPED,
            "cannot become",
        ),
    ],
)
def test_what_does_not_work_here_is_noted(statement: str, kind: NoteKind, reason: str) -> None:
    adapted = adapt_grant("TABLE a", "app", statement, ROLES)
    assert adapted.statement is None
    assert adapted.note is not None
    assert (adapted.note.kind, adapted.note.statement) == (kind, statement)
    assert reason in adapted.note.reason


def test_privileges_of_the_servers_own_roles_on_its_own_objects_do_not_matter() -> None:
    statement = "GRANT ALL ON FOREIGN DATA WRAPPER f TO azure_pg_admin WITH GRANT OPTION;"
    of_the_server = adapt_grant("FOREIGN DATA WRAPPER f", "azuresu", statement, ROLES)
    assert of_the_server.statement is None
    assert of_the_server.note is not None
    assert not of_the_server.note.matters
    assert adapt_grant("TABLE t", "app", "GRANT ALL ON TABLE t TO azure_pg_admin;", ROLES).statement is not None


def test_one_missing_grantee_loses_no_other_grant() -> None:
    definition = "GRANT SELECT ON TABLE t TO gone;\nGRANT SELECT ON TABLE t TO reporting;\n"
    grants = plan_grants([Entry(1, "ACL", "s", "TABLE t", "app", definition, ())], ROLES)
    assert [statement for _, statement in grants.statements] == ["GRANT SELECT ON TABLE t TO reporting;"]
    assert len(grants.notes) == 1


def test_roles_that_grant_and_roles_that_are_named_are_known_beforehand() -> None:
    entries = [
        Entry(
            1, "ACL", "", "TABLE t", "app", 'SET SESSION AUTHORIZATION "My Role";\nRESET SESSION AUTHORIZATION;\n', ()
        ),
        Entry(2, "DEFAULT ACL", "", "x", "b", "ALTER DEFAULT PRIVILEGES FOR ROLE b GRANT SELECT ON TABLES TO c;\n", ()),
        Entry(3, "COMMENT", "", "TABLE t", "d", "COMMENT ON TABLE t IS 'SET SESSION AUTHORIZATION x';\n", ()),
    ]
    assert grantors(entries) == {"My Role", "b"}
    assert named_roles(tokens("GRANT a ON TABLE b TO c, GROUP d, PUBLIC WITH GRANT OPTION")) == ["c", "d"]
