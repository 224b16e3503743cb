"""A target server that is lost, full, crowded or disturbed while it is loaded.

Whatever happens, nobody sees a half-filled database, what was loaded of it is dropped at once where the server lets us,
and the load ends right when it is tried again, or says what to do.
"""

import io
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest
from psycopg import sql

from local.servers.flaky import Direction, FlakyProxy
from local.servers.places import give, private_folder
from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad, LoadMethod
from shared.errors import FlexRestoreError, ImportFailed, LoadInterrupted, TargetUnavailable, TransientError
from shared.postgres.archive import inspect
from shared.postgres.load import LoadJob, load_database
from shared.postgres.promotion import promote
from shared.postgres.server import TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.tools import Toolbox
from shared.postgres.verification import verify_database

NAME = "rows"
ROWS = 18_000
FILL = f"CREATE TABLE big AS SELECT n, repeat(md5(n::text), 20) AS filler FROM generate_series(1, {ROWS}) AS n"
SIZE = ROWS * 640
"""Bytes of the COPY, about."""
WAYS = {
    "staged": ("-Fc", LoadMethod.STAGED_PARALLEL),
    "streamed": ("-Fc", LoadMethod.STREAMED),
    "plain": ("-Fp", LoadMethod.SCRIPT),
}
type Names = Callable[[], set[str]]
type Wait = Callable[[Callable[[], object], str], object]


@dataclass
class Loading:
    """One database on its way into a server, as often as it takes."""

    target: FlexibleServer
    server: TargetServer
    toolbox: Toolbox
    file: LocalFile
    job: LoadJob
    names: Names

    def load(self, file: LocalFile | None = None) -> DatabaseLoad:
        return load_database(self.server, self.toolbox, file or self.file, self.job, io.BytesIO())

    def left(self) -> set[str]:
        """Everything on the server that is of this load, under whatever name."""
        return {name for name in self.names() if name.startswith(self.job.key.prefix) or name == NAME}

    def ends_right(self) -> DatabaseLoad:
        """Load it once more, and compare."""
        loaded = self.load()
        assert self.left() == {loaded.temporary_name}
        assert verify_database(self.server, loaded, inspect(self.file, self.toolbox)).rows == ROWS
        return loaded


@pytest.fixture(scope="module")
def files(make_database: Callable[..., str], dump_file: Callable[..., LocalFile]) -> dict[str, LocalFile]:
    """One database in both formats."""
    name = make_database(NAME, FILL)
    return {form: dump_file(name, form) for form in ("-Fc", "-Fp")}


@pytest.fixture
def loading(
    *,
    target: FlexibleServer,
    server: TargetServer,
    toolbox: Toolbox,
    files: dict[str, LocalFile],
    databases: Names,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> Iterator[Loading]:
    """By the way that the test names; streamed when it names none."""
    form, method = getattr(request, "param", WAYS["streamed"])
    staging = tmp_path / "staging" if method is LoadMethod.STAGED_PARALLEL else None
    route: Literal["auto", "streamed"] = "streamed" if method is LoadMethod.STREAMED else "auto"
    job = LoadJob(tmp_path.name, NAME, staging=staging, staging_budget=1 << 30, jobs=2, wanted_route=route)
    one = Loading(target, server, toolbox, files[form], job, databases)
    yield one
    with target.connect(as_superuser=True, autocommit=True) as connection:
        for name in one.left():
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


every_way = pytest.mark.parametrize("loading", WAYS.values(), ids=WAYS, indirect=True)


@contextmanager
def network_of(loading: Loading) -> Iterator[FlakyProxy]:
    """A network between the load and its server."""
    direct = loading.server
    with FlakyProxy(direct.port) as network:
        loading.server = replace(direct, port=network.port)
        yield network
    loading.server = direct


@every_way
def test_a_connection_that_is_cut_in_the_middle_of_a_copy_means_try_again_and_leaves_nothing(loading: Loading) -> None:
    with network_of(loading) as network:
        network.cut_after(SIZE // 2, Direction.TO_SERVER)
        with pytest.raises((TargetUnavailable, LoadInterrupted)):
            loading.load()
        assert (network.pending, loading.left()) == (0, set())
    loading.ends_right()


def test_a_server_that_stays_out_of_reach_is_left_with_a_database_that_nobody_sees_until_the_next_try(
    loading: Loading,
) -> None:
    with network_of(loading) as network:
        network.lose_after(SIZE // 2, Direction.TO_SERVER)
        with pytest.raises((TargetUnavailable, LoadInterrupted)):
            loading.load()
    [left] = loading.left()
    query = "SELECT has_database_privilege('reporting', %s, 'CONNECT')"
    with loading.target.connect() as connection:
        assert connection.execute(query, [left]).fetchone() == (False,)
    assert left.startswith("flexrestore_")
    assert loading.ends_right().temporary_name != left


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A file system of that size; it takes the rights of a machine's administrator."""
    folder = private_folder()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "flex-restore", str(folder)]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    try:
        give(folder)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # noqa: S607 -- as the mount command
        folder.rmdir()


@pytest.fixture
def full(target: FlexibleServer) -> Iterator[Path]:
    """New databases of the target are on a disk that is too small for the rows."""
    with small_disk(20) as folder, target.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE TABLESPACE small LOCATION {}").format(sql.Literal(str(folder))))
        try:
            connection.execute("ALTER DATABASE template0 SET TABLESPACE small")
            yield folder
        finally:
            connection.execute("ALTER DATABASE template0 SET TABLESPACE pg_default")
            connection.execute("DROP TABLESPACE small")


@every_way
def test_a_server_whose_disk_is_full_says_so_and_gets_its_room_back(loading: Loading, full: Path) -> None:
    with pytest.raises(ImportFailed, match=r"ran out of storage: .*No space left on device; give it more storage"):
        loading.load()
    assert loading.left() == set()

    (full / "ballast").write_bytes(bytes(8 << 20))
    with pytest.raises(ImportFailed, match=r"ran out of storage: .*No space left on device; give it more storage"):
        loading.load()
    assert loading.left() == set()


@pytest.fixture
def admin(target: FlexibleServer) -> Iterator[Callable[[str], None]]:
    """Change the import's user; afterwards it is as it was."""
    with target.connect(as_superuser=True, autocommit=True) as connection:
        role = sql.Identifier(target.admin)

        def alter(change: str) -> None:
            connection.execute(sql.SQL("ALTER ROLE {} ").format(role) + sql.SQL(change))

        yield alter
        alter("CONNECTION LIMIT -1")
        alter("RESET ALL")


def sessions(target: FlexibleServer) -> int:
    """Sessions that the import's user has."""
    with target.connect(as_superuser=True) as connection:
        query = "SELECT count(*)::int FROM pg_stat_activity WHERE usename = %s"
        return int(connection.execute(query, [target.admin]).fetchall()[0][0])


@pytest.mark.parametrize("loading", [WAYS["staged"]], ids=["staged"], indirect=True)
def test_a_load_is_content_with_the_few_connections_that_its_user_may_have(
    loading: Loading, admin: Callable[[str], None]
) -> None:
    admin(f"CONNECTION LIMIT {sessions(loading.target) + 3}")
    assert loading.load().jobs == 1
    admin("CONNECTION LIMIT -1")
    loading.ends_right()


def test_a_server_without_a_free_connection_is_told_what_to_do_and_nothing_stays(
    loading: Loading, admin: Callable[[str], None], wait: Wait
) -> None:
    """The load's first connection, which holds its lock, is the last one there is."""
    wait(lambda: sessions(loading.target) == 0, "the end of other sessions")
    admin("CONNECTION LIMIT 1")
    with pytest.raises(TargetUnavailable, match=r"too many connections.*raise the server parameter max_connections"):
        loading.load()
    admin("CONNECTION LIMIT -1")
    assert loading.left() == set()
    loading.ends_right()


@contextmanager
def in_the_middle(loading: Loading, wait: Wait) -> Iterator[list[FlexRestoreError]]:
    """While the load's COPY stands still; how the load failed, afterwards."""
    errors: list[FlexRestoreError] = []

    def work() -> None:
        try:
            loading.load()
        except FlexRestoreError as error:
            errors.append(error)

    with network_of(loading) as network:
        network.hold_after(SIZE // 2, Direction.TO_SERVER)
        thread = threading.Thread(target=work)
        thread.start()
        try:
            wait(lambda: network.pending == 0, "the copy")
            yield errors
        finally:
            network.resume()
            thread.join()


PIDS = "SELECT {}(pid) FROM pg_stat_activity WHERE query LIKE 'COPY %%' AND starts_with(datname, %s)"


@pytest.mark.parametrize("loading", [WAYS["streamed"], WAYS["plain"]], ids=["streamed", "plain"], indirect=True)
@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("pg_cancel_backend", "cancelled a statement.*keep them from sessions of .*flex-restore"),
        (
            "pg_terminate_backend",
            "terminating connection due to administrator command|went away during|server closed the connection",
        ),
    ],
)
def test_a_load_that_somebody_on_the_server_ends_is_tried_again_and_says_who_may_have_been_it(
    loading: Loading, wait: Wait, function: str, words: str
) -> None:
    with in_the_middle(loading, wait) as errors, loading.target.connect(autocommit=True) as connection:
        query = sql.SQL(PIDS).format(sql.Identifier(function))
        assert connection.execute(query, [loading.job.key.prefix]).fetchall() == [(True,)]
    [error] = errors
    assert isinstance(error, TransientError)
    assert re.search(words, error.text)
    assert loading.left() == set()
    loading.ends_right()


def test_limits_that_the_user_has_for_statements_are_none_for_an_import(
    loading: Loading, admin: Callable[[str], None]
) -> None:
    for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"):
        admin(f"SET {limit} = '50ms'")
    admin("SET default_transaction_read_only = on")
    with loading.target.connect() as connection, pytest.raises(psycopg.Error):
        connection.execute("SELECT pg_sleep(1)")
    loaded = loading.ends_right()
    assert promote(loading.server, loading.job.key, loaded.oid, NAME).oid == loaded.oid


def test_a_connection_whose_limits_cannot_be_lifted_is_not_left_open(
    server: TargetServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody but the server would know of it, for as long as the error is held."""
    monkeypatch.setattr("shared.postgres.server.newer_limits", lambda _version: ["no_such_limit"])
    opened: list[psycopg.Connection] = []
    connect = psycopg.connect

    def remember(**options: Any) -> psycopg.Connection:
        opened.append(connect(**options))
        return opened[-1]

    monkeypatch.setattr(psycopg, "connect", remember)
    with pytest.raises(psycopg.Error, match="no_such_limit"):
        server.connect()
    assert [one.closed for one in opened] == [True]
