"""What a request drops of a database, owners, grants, rows, is not on the target, and all the rest is."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad, LoadMethod, NoteKind, Verification
from shared.errors import UnreadableFile
from shared.postgres.archive import inspect
from shared.postgres.globals import run_globals
from shared.postgres.load import LoadJob
from shared.postgres.options import EVERYTHING, ImportOptions
from shared.postgres.promotion import promote
from shared.postgres.server import TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.tools import Toolbox
from shared.postgres.verification import verify_database

NO_OWNERS = ImportOptions(owners=False)
NO_GRANTS = ImportOptions(grants=False)
NO_ROWS = ImportOptions(rows=False)
NOTHING_BUT_DEFINITIONS = ImportOptions(owners=False, grants=False, rows=False)

FORMATS = pytest.mark.parametrize("options", [("-Fc",), ("-Ft",), ("-Fp", "--create")], ids=["custom", "tar", "plain"])
type Dump = Callable[..., str]
type DumpFile = Callable[..., LocalFile]
type MakeDatabase = Callable[..., str]
type Load = Callable[..., DatabaseLoad]
type Bring = Callable[..., tuple[DatabaseLoad, Verification]]
type Rows = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def bring(server: TargetServer, toolbox: Toolbox, load: Load, tmp_path: Path) -> Bring:
    """Load a file, verify it, and put it into place under the database's name."""

    def run(file: LocalFile, name: str, wanted: ImportOptions) -> tuple[DatabaseLoad, Verification]:
        one = LoadJob(f"{name} {wanted} {tmp_path}", name, tmp_path / "staging", 1 << 30, jobs=3, options=wanted)
        loaded = load(file, one)
        verified = verify_database(server, loaded, inspect(file, toolbox), wanted)
        promote(server, one.key, loaded.oid, name, on_conflict="replace")
        return loaded, verified

    return run


@pytest.fixture
def rows() -> Rows:
    """Ask a database, as the superuser."""

    def ask(server: FlexibleServer, database: str, query: str) -> list[tuple[object, ...]]:
        with server.connect(database, as_superuser=True) as connection:
            return list(connection.execute(query.encode()).fetchall())

    return ask


@pytest.fixture
def statements(dump: Dump) -> Dump:
    """A database as text, without comments, which list schema public once it was touched, and the service's grants."""

    def run(server: FlexibleServer, name: str, *options: str) -> str:
        lines = dump(server, name, "--create", *options).splitlines()
        return "\n".join(
            line for line in lines if line and not line.startswith("--") and "TO azure_pg_admin" not in line
        )

    return run


OWNERS = """
SELECT DISTINCT refobjid::regrole::text FROM pg_shdepend
 WHERE deptype = 'o' AND classid NOT IN ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass)
   AND (dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
        OR (classid = 'pg_database'::regclass
            AND objid = (SELECT oid FROM pg_database WHERE datname = current_database())))
"""
"""Who owns the database or something of it; default privileges and user mappings are not owned like that."""
RIGHTS = """
SELECT 'relation', relname::text, grantee::regrole::text, privilege_type, is_grantable
  FROM pg_class, aclexplode(relacl) WHERE grantee IN ('reporting'::regrole, '"Odd ""Role"'::regrole)
 UNION ALL
SELECT 'schema', nspname, grantee::regrole::text, privilege_type, is_grantable
  FROM pg_namespace, aclexplode(nspacl) WHERE grantee = 'reporting'::regrole
 UNION ALL
SELECT 'function', proname, grantee::regrole::text, privilege_type, is_grantable
  FROM pg_proc, aclexplode(proacl) WHERE grantee = 'reporting'::regrole
 UNION ALL
SELECT 'column', attname, grantee::regrole::text, privilege_type, is_grantable
  FROM pg_attribute, aclexplode(attacl) WHERE grantee IN ('reporting'::regrole, '"Odd ""Role"'::regrole)
 UNION ALL
SELECT 'default', defaclobjtype::text, grantee::regrole::text, privilege_type, is_grantable
  FROM pg_default_acl, aclexplode(defaclacl) WHERE grantee = 'reporting'::regrole
 UNION ALL
SELECT 'database', '', grantee::regrole::text, privilege_type, is_grantable
  FROM pg_database, aclexplode(datacl) WHERE datname = current_database() AND grantee = 'reporting'::regrole
 ORDER BY 1, 2, 3, 4
"""


def said(loaded: DatabaseLoad) -> list[tuple[str, bool]]:
    return [(note.subject, note.matters) for note in loaded.notes.items]


@FORMATS
def test_without_owners_the_import_s_user_owns_everything_and_the_grants_are_there(
    *,
    source: FlexibleServer,
    target: FlexibleServer,
    features: str,
    statements: Dump,
    dump_file: DumpFile,
    bring: Bring,
    rows: Rows,
    options: tuple[str, ...],
) -> None:
    loaded, verified = bring(dump_file(features, *options), features, NO_OWNERS)
    assert rows(target, features, OWNERS) == [(target.admin,)]
    assert len(rows(source, features, OWNERS)) == 3
    same = ("--no-owner", "--no-privileges")
    assert statements(target, features, *same) == statements(source, features, *same)
    assert rows(target, features, RIGHTS) == rows(source, features, RIGHTS)
    assert verified.rows > 1500
    assert [one for one in said(loaded) if one[1] or one[0] == "owners"] == [("owners", False)]


@FORMATS
def test_without_grants_rights_are_those_of_a_new_database(
    *,
    source: FlexibleServer,
    target: FlexibleServer,
    features: str,
    statements: Dump,
    dump_file: DumpFile,
    bring: Bring,
    options: tuple[str, ...],
) -> None:
    loaded, verified = bring(dump_file(features, *options), features, NO_GRANTS)
    assert statements(target, features) == statements(source, features, "--no-privileges")
    assert verified.rows > 1500
    assert [one for one in said(loaded) if one[1] or one[0] == "grants"] == [("grants", False)]


STATE = """
SELECT 'a sequence has a value', sequencename FROM pg_sequences WHERE last_value IS NOT NULL
 UNION ALL
SELECT 'a large object', oid::text FROM pg_largeobject_metadata
 UNION ALL
SELECT 'a view has contents', relname FROM pg_class c
 WHERE relkind = 'm' AND relispopulated AND relnamespace = 'sales'::regnamespace
"""


@pytest.mark.parametrize(
    "options",
    [
        ("-Fc", "--statistics"),
        ("-Ft",),
        ("-Fp", "--create", "--statistics"),
        ("-Fp", "--create", "--inserts", "--rows-per-insert=100"),
    ],
    ids=["custom", "tar", "plain", "inserts"],
)
def test_definitions_only_bring_no_rows_sequence_values_and_large_objects(
    *,
    source: FlexibleServer,
    target: FlexibleServer,
    features: str,
    statements: Dump,
    dump_file: DumpFile,
    bring: Bring,
    rows: Rows,
    options: tuple[str, ...],
) -> None:
    loaded, verified = bring(dump_file(features, *options), features, NO_ROWS)
    same = ("--schema-only",)
    assert statements(target, features, *same) == statements(source, features, *same)
    assert (verified.rows, verified.exact) == (0, True)
    assert verified.tables > 5
    assert rows(target, features, STATE) == []
    assert len(rows(source, features, STATE)) > 5
    assert [one for one in said(loaded) if one[1] or one[0] == "rows"] == [("rows", False)]


@FORMATS
def test_all_of_it_can_be_dropped_at_once(
    *,
    source: FlexibleServer,
    target: FlexibleServer,
    features: str,
    statements: Dump,
    dump_file: DumpFile,
    bring: Bring,
    rows: Rows,
    options: tuple[str, ...],
) -> None:
    loaded, verified = bring(dump_file(features, *options), features, NOTHING_BUT_DEFINITIONS)
    same = ("--schema-only", "--no-owner")
    assert statements(target, features, *same) == statements(source, features, *same, "--no-privileges")
    assert rows(target, features, OWNERS) == [(target.admin,)]
    assert verified.rows == 0
    assert [subject for subject, _ in said(loaded)][-3:] == ["owners", "grants", "rows"]


class HeadOnly(LocalFile):
    """A file whose data nobody gets."""

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        raise AssertionError(f"read on from {offset}")

    def download(self, path: Path, still_wanted: Callable[[], None] = lambda: None) -> NoReturn:  # noqa: ARG002
        raise AssertionError(f"downloaded to {path}")


@pytest.mark.parametrize(("option", "jobs"), [("-Fc", 3), ("-Ft", 1)], ids=["custom", "tar"])
def test_definitions_are_read_from_the_table_of_contents_alone(
    *, features: str, dump_file: DumpFile, load: Load, tmp_path: Path, option: str, jobs: int
) -> None:
    file = HeadOnly(dump_file(features, option).path)
    loaded = load(file, LoadJob(f"head {option}", features, tmp_path, 1 << 30, jobs=3, options=NO_ROWS))
    assert (loaded.method, loaded.jobs) == (LoadMethod.DEFINITIONS, jobs)
    assert "the table of contents is enough" in loaded.method_reason


@pytest.fixture(scope="module")
def lonely(source: FlexibleServer, target: FlexibleServer) -> str:
    """A role that the import's user may become and need not."""
    role = "lonely"
    for server in (source, target):
        with server.connect(autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {role}")
    with source.connect(autocommit=True) as connection:
        connection.execute(f"GRANT {role} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE")
    return role


@pytest.mark.parametrize(
    "options",
    [("-Fc",), ("-Fp",), ("-Fp", "--use-set-session-authorization")],
    ids=["custom", "plain", "session authorization"],
)
def test_the_import_s_user_does_not_become_owners_that_are_dropped(
    *,
    target: FlexibleServer,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    bring: Bring,
    rows: Rows,
    lonely: str,
    options: tuple[str, ...],
) -> None:
    name = make_database(
        "owned by nobody here",
        f"CREATE SCHEMA apart AUTHORIZATION {lonely}; CREATE TABLE apart.t (a integer)",
        f"ALTER TABLE apart.t OWNER TO {lonely}; GRANT SELECT ON apart.t TO reporting",
        "CREATE EXTENSION citext; CREATE TABLE after (b citext)",
    )
    bring(dump_file(name, *options), name, NO_OWNERS)
    assert rows(target, name, OWNERS) == [(target.admin,)]
    assert rows(target, name, "SELECT has_table_privilege('reporting', 'apart.t', 'SELECT')") == [(True,)]
    assert rows(target, name, f"SELECT pg_has_role('{target.admin}', '{lonely}', 'USAGE')") == [(False,)]


@pytest.mark.parametrize("options", [("-Fc",), ("-Fp",)], ids=["custom", "plain"])
def test_a_view_that_read_by_grants_stays_empty_without_them_and_says_so(
    *,
    target: FlexibleServer,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    bring: Bring,
    rows: Rows,
    options: tuple[str, ...],
) -> None:
    name = make_database(
        "read by grants",
        "GRANT CREATE, USAGE ON SCHEMA public TO app_owner; CREATE TABLE hidden AS SELECT 7 AS n",
        "GRANT SELECT ON hidden TO app_owner; CREATE MATERIALIZED VIEW seen AS SELECT n FROM hidden",
        "ALTER MATERIALIZED VIEW seen OWNER TO app_owner; CREATE MATERIALIZED VIEW beyond AS SELECT n FROM seen",
    )
    loaded, verified = bring(dump_file(name, *options), name, NO_GRANTS)
    populated = "SELECT relname, relispopulated FROM pg_class WHERE relkind = 'm' ORDER BY 1"
    assert rows(target, name, populated) == [("beyond", False), ("seen", False)]
    assert rows(target, name, "SELECT n FROM public.hidden") == [(7,)]
    assert verified.rows == 1
    told = [note for note in loaded.notes.items if note.matters and note.kind is NoteKind.TOLERATED]
    assert len(told) == 2
    assert all("REFRESH MATERIALIZED VIEW" in note.statement and "stays empty" in note.reason for note in told)


@pytest.mark.parametrize("wanted", [EVERYTHING, NO_ROWS], ids=["with rows", "without"])
@pytest.mark.parametrize("end", [b"two\n", b"\\.\n", b" integer)"], ids=["in rows", "behind rows", "in a statement"])
def test_a_script_that_breaks_off_is_not_whole_whatever_is_wanted_of_it(
    *, load: Load, tmp_path: Path, end: bytes, wanted: ImportOptions
) -> None:
    script = b"CREATE TABLE a (t text);\nCOPY a (t) FROM stdin;\none\ntwo\n\\.\nCREATE TABLE b (c integer);\n"
    path = tmp_path / "cut.sql"
    path.write_bytes(script[: script.index(end)])
    with pytest.raises(UnreadableFile, match="breaks off"):
        load(LocalFile(path), LoadJob("cut", "cut", options=wanted))


def test_a_schema_file_does_not_bring_back_what_the_request_drops(
    *, target: FlexibleServer, server: TargetServer, toolbox: Toolbox, rows: Rows
) -> None:
    script = b"""CREATE TABLE public.t (a integer);
ALTER TABLE public.t OWNER TO app_owner;
GRANT SELECT ON TABLE public.t TO reporting;
ALTER TABLE ONLY public.t ADD CONSTRAINT positive CHECK (a > 0);
"""
    with target.connect(autocommit=True) as connection:
        connection.execute("CREATE DATABASE shop")
    try:
        chunks = [b"\\connect shop\n" + script]
        result = run_globals(server, toolbox, chunks, {"shop": "shop"}, io.BytesIO(), options=NOTHING_BUT_DEFINITIONS)
        assert rows(target, "shop", "SELECT relowner::regrole::text, relacl FROM pg_class WHERE relname = 't'") == [
            (target.admin, None)
        ]
        assert rows(target, "shop", "SELECT conname FROM pg_constraint WHERE conname = 'positive'") == [("positive",)]
        assert result.statements == 2
        assert [(note.subject, note.matters) for note in result.notes.items] == [("2 statement(s)", False)]
    finally:
        with target.connect(autocommit=True) as connection:
            connection.execute("DROP DATABASE shop WITH (FORCE)")
