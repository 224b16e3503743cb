"""What psql 15 and 18 and pg_restore 15 and 18 really wrote, read back."""

import pytest

from shared.postgres.diagnostics import (
    FIELD_LIMIT,
    Diagnostic,
    DiagnosticReader,
    Severity,
    classify,
    is_system_role,
)


def _read(text: str) -> list[Diagnostic]:
    reader = DiagnosticReader()
    said = [*map(reader.feed, text.splitlines()), reader.close()]
    return [diagnostic for diagnostic in said if diagnostic]


ERROR, FATAL, WARNING, NOTICE = Severity.ERROR, Severity.FATAL, Severity.WARNING, Severity.NOTICE


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        (
            ('psql:<stdin>:1: ERROR:  42710: role "x" already exists\n'
            "LOCATION:  CreateRole, user.c:375\n"
            "psql:<stdin>:1: STATEMENT:  create role x;\n"),
            Diagnostic(ERROR, 'role "x" already exists', "42710", statement="create role x;", line=1),
        ),
        (  # The excerpt of an error with a place is no part of the message.
            ('psql:<stdin>:5: ERROR:  42703: column "nix" does not exist\n'
            "LINE 3:  nix;\n"
            "         ^\n"
            "LOCATION:  errorMissingColumn, parse_relation.c:3854\n"
            "psql:<stdin>:5: STATEMENT:  select E'a\\\n"
            "',\n"
            " nix;\n"),
            Diagnostic(ERROR, 'column "nix" does not exist', "42703", statement="select E'a\\\n',\n nix;", line=5),
        ),
        (  # Message and detail have lines, also empty ones.
            ("psql:<stdin>:3: ERROR:  P0001: a\n\nb\nDETAIL:  d\n1\nHINT:  h\n"
            "CONTEXT:  PL/pgSQL function inline_code_block line 1 at RAISE\n"
            "LOCATION:  exec_stmt_raise, pl_exec.c:3909\n"),
            Diagnostic(ERROR, "a\n\nb", "P0001", detail="d\n1", hint="h", line=3),
        ),
        (
            'psql:<stdin>:3: NOTICE:  00000: role "foo" does not exist, skipping\nLOCATION:  DropRole, user.c:1139\n',
            Diagnostic(NOTICE, 'role "foo" does not exist, skipping', "00000", line=3),
        ),
        (
            "psql:<stdin>:8: error: backslash commands are restricted; only \\unrestrict is allowed\n",
            Diagnostic(ERROR, "backslash commands are restricted; only \\unrestrict is allowed", line=8),
        ),
        (
            ('psql: error: connection to server at "127.0.0.1", port 1 failed: Connection refused\n'
            "\tIs the server running on that host and accepting TCP/IP connections?\n"),
            Diagnostic(
                ERROR,
                'connection to server at "127.0.0.1", port 1 failed: Connection refused\n'
                "\tIs the server running on that host and accepting TCP/IP connections?",
            ),
        ),
        (
            ("pg_restore: from TOC entry 2747; 0 16686 TABLE DATA c azuresu\n"
            'pg_restore: error: COPY failed for table "a": ERROR:  duplicate key value violates "a_pkey"\n'
            "DETAIL:  Key (x)=(1) already exists.\n"
            "CONTEXT:  COPY a, line 1\n"),
            Diagnostic(
                ERROR,
                'duplicate key value violates "a_pkey"',
                detail="Key (x)=(1) already exists.",
                entry="2747; 0 16686 TABLE DATA c azuresu",
            ),
        ),
        (
            ('pg_restore: error: could not execute query: ERROR:  permission denied to create event trigger "et"\n'
            "HINT:  Must be superuser to create an event trigger.\n"
            "Command was: CREATE EVENT TRIGGER et ON ddl_command_start\n"
            "   EXECUTE FUNCTION public.et();\n"
            "\n\n"),
            Diagnostic(
                ERROR,
                'permission denied to create event trigger "et"',
                hint="Must be superuser to create an event trigger.",
                statement="CREATE EVENT TRIGGER et ON ddl_command_start\n   EXECUTE FUNCTION public.et();",
            ),
        ),
        (
            "pg_restore: error: could not read from input file: end of file\n",
            Diagnostic(ERROR, "could not read from input file: end of file"),
        ),
        (
            "pg_restore: error: unsupported version (1.99) in file header\n",
            Diagnostic(ERROR, "unsupported version (1.99) in file header"),
        ),
        (
            ("pg_restore: error: could not execute query: ERROR:  could not extend file: No space left on device\n"
            "HINT:  Check free disk space.\nCommand was: CREATE TABLE t ();\n"),
            Diagnostic(
                ERROR,
                'could not extend file: No space left on device',
                hint="Check free disk space.",
                statement="CREATE TABLE t ();",
            ),
        ),
        (
            'pg_restore: WARNING:  no privileges were granted for column "oid" of relation "pg_subscription"\n',
            Diagnostic(WARNING, 'no privileges were granted for column "oid" of relation "pg_subscription"'),
        ),
        (
            "setpriv: failed to execute psql: No such file or directory\n",
            Diagnostic(ERROR, "setpriv: failed to execute psql: No such file or directory"),
        ),
        (  # The server's words in another language.
            "psql:/x y/z.sql:12: ERROR:  42P01: Relation »x« existiert nicht\nTIPP:  nichts\n",
            Diagnostic(ERROR, "Relation »x« existiert nicht\nTIPP:  nichts", "42P01", line=12),
        ),
    ],
)  # fmt: skip
def test_a_message_is_read_with_all_that_belongs_to_it(stderr: str, expected: Diagnostic) -> None:
    assert _read(stderr) == [expected]


VERBOSE = """\
pg_restore: connecting to database for restore
pg_restore: creating TABLE "public.a"
pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 221; 1259 16457 TABLE a gone
pg_restore: error: could not execute query: ERROR:  relation "a" already exists
Command was: CREATE TABLE public.a (
    x integer NOT NULL
);


pg_restore: error: could not execute query: ERROR:  role "gone" does not exist
Command was: ALTER TABLE public.a OWNER TO gone;

pg_restore: processing item 2834 COMMENT TABLE a
pg_restore: from TOC entry 222; 1259 16463 TABLE b nogo
pg_restore: error: could not execute query: ERROR:  must be able to SET ROLE "nogo"
Command was: ALTER TABLE public.b OWNER TO nogo;

pg_restore: warning: errors ignored on restore: 3
"""

OVERWRITTEN = """\
pg_restore: launching item 2747 TABLE DATA c
pg_restore: from TOC entry 2747; 0 16686 TABLE DATA c azuresu
pg_restore: error: pg_restore:could not execute query: ERROR:  permission denied for table c
Command was: COPY public.c (z) FROM stdin;
 executing SELECT pg_catalog.set_config('search_path', '', false);
pg_restore: finished item 2747 TABLE DATA c
pg_restore: pg_restore: WARNING:  no privileges were granted for "pg_replication_origin_xact_setup"
finished item 2767 ACL FUNCTION pg_show_replication_origin_status(OUT local_id oid)
pg_restore: pg_restore: finished item 2768 ACL FUNCTION pg_stat_reset()
error: could not execute query: ERROR:  out of memory
"""


def test_messages_follow_each_other_and_name_their_entries() -> None:
    reader = DiagnosticReader()
    read = [said for line in VERBOSE.splitlines() if (said := reader.feed(line))]

    assert reader.close() is None
    assert [(said.entry[:3], said.message) for said in read] == [
        ("221", 'relation "a" already exists'),
        ("221", 'role "gone" does not exist'),
        ("222", 'must be able to SET ROLE "nogo"'),
    ]
    assert read[0].statement == "CREATE TABLE public.a (\n    x integer NOT NULL\n);"
    assert (reader.missed, reader.counted) == (0, True)


def test_processes_that_write_over_each_other_hide_no_failure_and_make_none_up() -> None:
    """Lines of a pg_restore -j2 -v."""
    assert [said.message for said in _read(OVERWRITTEN) if said.failed] == [
        "permission denied for table c",
        "error: could not execute query: ERROR:  out of memory",
    ]


def test_failures_that_pg_restore_counted_and_nobody_read_are_told() -> None:
    reader = DiagnosticReader()
    reader.feed("pg_restore: error: could not execute query: ERROR:  x")
    reader.feed("pg_restore: warning: errors ignored on restore: 3")

    assert (reader.missed, reader.counted) == (2, True)


PARALLEL = """\
pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 220; 1259 16468 TABLE lost_owner gone
pg_restore: error: could not execute query: ERROR:  role "gone" does not exist
Command was: ALTER TABLE public.lost_owner OWNER TO gone;
pg_restore: entering main parallel loop
pg_restore: from TOC entry 2573; 6104 16474 PUBLICATION everything azuresu
pg_restore: error: could not execute query: ERROR:  must be superuser to create FOR ALL TABLES publication
Command was: CREATE PUBLICATION everything FOR ALL TABLES;
pg_restore: error: could not execute query: ERROR:  publication "everything" does not exist
Command was: ALTER PUBLICATION everything OWNER TO azuresu;
pg_restore: from TOC entry 2586; 0 0 COMMENT PUBLICATION everything azuresu
pg_restore: error: could not execute query: ERROR:  publication "everything" does not exist
Command was: COMMENT ON PUBLICATION everything IS 'all of it';
"""


@pytest.mark.parametrize(("counted", "missed"), [(6, 0), (7, 1), (8, 2)])
def test_a_parallel_pg_restore_counts_each_entry_that_failed_once_more(counted: int, missed: int) -> None:
    """Lines of a pg_restore -j2 -v, which counted 6."""
    reader = DiagnosticReader()
    for line in f"{PARALLEL}pg_restore: warning: errors ignored on restore: {counted}".splitlines():
        reader.feed(line)
    assert reader.missed == missed


def test_a_message_without_end_is_held_in_part() -> None:
    reader = DiagnosticReader()
    reader.feed("psql:<stdin>:1: ERROR:  42601: syntax error")
    reader.feed("psql:<stdin>:1: STATEMENT:  select")
    for _ in range(FIELD_LIMIT):
        reader.feed("x" * 1000)

    said = reader.close()

    assert said
    assert said.message == "syntax error"
    assert len(said.statement) <= FIELD_LIMIT


@pytest.mark.parametrize(
    ("diagnostic", "lost"),
    [
        (Diagnostic(FATAL, "terminating connection due to administrator command", "57P01"), True),
        (Diagnostic(ERROR, "server closed the connection unexpectedly\n\tThis probably means"), True),
        (Diagnostic(ERROR, "could not receive data from server: Connection timed out"), True),
        (Diagnostic(ERROR, "SSL SYSCALL error: EOF detected"), True),
        (Diagnostic(ERROR, "out of shared memory", "53200"), False),
        (Diagnostic(NOTICE, "terminating connection is only talked about", "00000"), False),
    ],
)
def test_a_lost_session_is_told_from_a_failed_statement(diagnostic: Diagnostic, lost: bool) -> None:
    assert diagnostic.lost_connection is lost


MISSING_OWNERS = frozenset({"gone", "nogo"})
OWNER, GRANT = "ALTER TABLE public.a OWNER TO gone;", "GRANT SELECT ON TABLE public.a TO gone;"


@pytest.mark.parametrize(
    ("diagnostic", "name"),
    [
        # Microsoft's own list.
        (Diagnostic(ERROR, 'role "azure_pg_admin" already exists', "42710"), "system role exists"),
        (Diagnostic(ERROR, 'role "azuresu" already exists', "42710"), "system role exists"),
        (Diagnostic(ERROR, 'role "app" already exists', "42710"), None),
        (
            Diagnostic(ERROR, "must be superuser to create superusers", statement="CREATE ROLE azuresu SUPERUSER;"),
            "system role is superuser",
        ),
        (Diagnostic(ERROR, "must be superuser to create superusers", statement="CREATE ROLE app SUPERUSER;"), None),
        (
            Diagnostic(
                ERROR,
                'permission denied to grant privileges as role "azuresu"',
                detail='Only roles with privileges of role "azuresu" may grant privileges as this role.',
            ),
            "granted by a system role",
        ),
        (Diagnostic(ERROR, 'permission denied to grant privileges as role "boss"'), None),
        (Diagnostic(ERROR, 'permission denied to grant role "pg_use_reserved_connections"'), "predefined role"),
        (Diagnostic(ERROR, 'only superusers can grant role "pg_execute_server_program"'), "predefined role"),
        (Diagnostic(ERROR, 'permission denied to grant role "app"'), None),
        # Extensions.
        (
            Diagnostic(ERROR, "must be owner of extension hstore", statement="COMMENT ON EXTENSION hstore IS 'x';"),
            "comment on an extension",
        ),
        (Diagnostic(ERROR, "must be owner of extension hstore", statement="ALTER EXTENSION hstore UPDATE;"), None),
        (
            Diagnostic(ERROR, 'extension "pgaadauth" is not allow-listed for "azure_pg_admin" users in Azure'),
            "system extension",
        ),
        (Diagnostic(ERROR, 'extension "pg_availability" is not available'), "system extension"),
        (Diagnostic(ERROR, 'extension "vector" is not allow-listed for "azure_pg_admin" users in Azure'), None),
        # Privileges in pg_catalog.
        (
            Diagnostic(WARNING, 'no privileges were granted for column "oid" of relation "pg_subscription"'),
            "no privileges to grant",
        ),
        (
            Diagnostic(
                ERROR,
                "permission denied for table pg_authid",
                statement="GRANT SELECT ON TABLE pg_catalog.pg_authid TO azure_pg_admin;",
            ),
            "privileges on system objects",
        ),
        (
            Diagnostic(
                ERROR,
                'role "replication" does not exist',
                statement="GRANT ALL ON FUNCTION pg_catalog.pg_ls_dir(text) TO replication;",
            ),
            "privileges on system objects",
        ),
        (
            Diagnostic(
                ERROR,
                "permission denied for table t",
                statement="GRANT SELECT ON pg_catalog.pg_class TO x; INSERT INTO t VALUES (1);",
            ),
            None,
        ),
        (Diagnostic(ERROR, "permission denied for table pg_authid", statement="TABLE pg_catalog.pg_authid"), None),
        # What each new database has, and what no managed server can have.
        (Diagnostic(ERROR, 'schema "public" already exists', "42P06"), "schema public exists"),
        (Diagnostic(ERROR, 'schema "app" already exists', "42P06"), None),
        (Diagnostic(ERROR, 'permission denied to create event trigger "et"'), "event trigger"),
        # Roles that are known to be missing are excused as owners only.
        (Diagnostic(ERROR, 'role "gone" does not exist', statement=OWNER), "owner not on the target"),
        (Diagnostic(ERROR, 'must be able to SET ROLE "nogo"', statement=OWNER), "owner not on the target"),
        (Diagnostic(ERROR, 'must be member of role "nogo"', statement=OWNER), "owner not on the target"),
        (Diagnostic(ERROR, 'role "other" does not exist', statement=OWNER), None),
        (Diagnostic(ERROR, 'role "gone" does not exist', statement=GRANT), None),
        (Diagnostic(ERROR, 'role "gone" does not exist', statement="CREATE POLICY p ON t TO gone;"), None),
        # And nothing else.
        (Diagnostic(ERROR, 'relation "a" already exists', "42P07"), None),
        (Diagnostic(ERROR, "out of memory", "53200"), None),
    ],
)  # fmt: skip
def test_only_known_classes_are_harmless(diagnostic: Diagnostic, name: str | None) -> None:
    harmless = classify(diagnostic, MISSING_OWNERS)

    assert (harmless.name if harmless else None) == name


def test_nothing_is_expected_unless_it_was_said() -> None:
    assert classify(Diagnostic(ERROR, 'role "gone" does not exist', statement=OWNER)) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("azuresu", True), ("azure_pg_admin", True), ("pg_monitor", True), ("replication", True), ("app", False)],
)
def test_roles_of_the_service_are_known(name: str, expected: bool) -> None:
    assert is_system_role(name) is expected


def test_a_failure_whose_name_went_to_another_jobs_line_is_read_by_itself() -> None:
    stderr = """\
pg_restore: while PROCESSING TOC:
pg_restore: error: pg_restore: from TOC entry 3275; 2613 424243 BLOB 424243 flexadmin
could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"
Command was: SET transaction_timeout = 0;
"""
    (said,) = _read(stderr)

    assert said.message.endswith('unrecognized configuration parameter "transaction_timeout"')
    assert (said.statement, said.entry) == ("SET transaction_timeout = 0;", "3275; 2613 424243 BLOB 424243 flexadmin")
