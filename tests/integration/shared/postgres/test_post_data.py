"""What comes after the data: large indexes by the schedule, everything else behind them, on both ways."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from local.servers.postgres import FlexibleServer
from shared.contracts.imports import DatabaseLoad, LoadMethod
from shared.errors import ImportFailed
from shared.postgres import schedule
from shared.postgres.load import LoadJob, load_database
from shared.postgres.server import TargetServer
from shared.postgres.source import LocalFile
from shared.postgres.tools import Toolbox

type DumpFile = Callable[..., LocalFile]
type MakeDatabase = Callable[..., str]

STATEMENTS = (
    "CREATE TABLE doc (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body jsonb, n integer NOT NULL)",
    "ALTER TABLE doc ADD CONSTRAINT once UNIQUE (n)",
    "INSERT INTO doc (body, n) SELECT jsonb_build_object('k', n % 50), n FROM generate_series(1, 5000) n",
    "CREATE INDEX by_body ON doc USING gin (body)",
    "CREATE INDEX by_expression ON doc ((n % 7)) WHERE n > 10",
    "ALTER TABLE doc CLUSTER ON once",
    "ALTER TABLE doc REPLICA IDENTITY USING INDEX once",
    "COMMENT ON INDEX by_body IS 'for containment'",
    "CREATE TABLE line (doc bigint REFERENCES doc, no integer, PRIMARY KEY (doc, no)) PARTITION BY HASH (doc)",
    "CREATE TABLE line_0 PARTITION OF line FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
    "CREATE TABLE line_1 PARTITION OF line FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    "INSERT INTO line SELECT n % 5000 + 1, n / 5000 FROM generate_series(0, 9999) n",
    "CREATE INDEX by_no ON line (no)",
    "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'",
    "CREATE TRIGGER guard BEFORE INSERT ON doc FOR EACH ROW EXECUTE FUNCTION stop()",
)
SCHEMA = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid, indisclustered, indisreplident,
           obj_description(indexrelid), (SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = indexrelid)
    FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1
"""
CONSTRAINTS = (
    "SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint WHERE conrelid <> 0 ORDER BY 1, 2"
)


@pytest.fixture
def every_table_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "LARGE", 1)


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., LoadJob]:
    return lambda route, name: LoadJob(
        restore_id=f"after-{route}", database=name, staging=tmp_path, staging_budget=1 << 30, wanted_route=route, jobs=3
    )


def read(server: FlexibleServer, database: str, query: str) -> list[tuple[object, ...]]:
    with server.connect(database, as_superuser=True) as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.mark.usefixtures("every_table_is_large")
@pytest.mark.parametrize("route", ["staged", "sliced"])
def test_indexes_and_constraints_are_those_of_the_source(
    source: FlexibleServer,
    target: FlexibleServer,
    server: TargetServer,
    toolbox: Toolbox,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    job: Callable[..., LoadJob],
    route: str,
) -> None:
    name = make_database(f"built {route}", *STATEMENTS)
    log = io.BytesIO()
    loaded: DatabaseLoad = load_database(server, toolbox, dump_file(name, "-Fc"), job(route, name), log)

    assert loaded.method is (LoadMethod.SLICED if route == "sliced" else LoadMethod.STAGED_PARALLEL)
    for query in (SCHEMA, CONSTRAINTS):
        assert read(target, loaded.temporary_name, query) == read(source, name, query)
    assert read(
        target, loaded.temporary_name, "SELECT count(*) FROM public.doc AS d JOIN public.line AS l ON d.id = l.doc"
    ) == [(10_000,)]
    runs = re.findall(r"-- pg_restore: (\d+) entries, from head", log.getvalue().decode())
    assert runs.count("1") >= 4  # the gin index, the one on an expression, both constraints, each by itself


@pytest.mark.usefixtures("every_table_is_large")
def test_the_first_index_that_cannot_be_built_ends_the_load(
    server: TargetServer,
    toolbox: Toolbox,
    make_database: MakeDatabase,
    dump_file: DumpFile,
    job: Callable[..., LoadJob],
    databases: Callable[[], set[str]],
) -> None:
    """The others are stopped, and nothing is left."""
    name = make_database(
        "unbuilt",
        *STATEMENTS[:4],
        "CREATE FUNCTION odd(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS"
        " 'BEGIN IF current_database() <> ''unbuilt'' THEN RAISE EXCEPTION ''not here''; END IF; RETURN $1; END'",
        "CREATE INDEX by_odd ON doc (odd(n))",
    )
    wanted = job("staged", name)
    with pytest.raises(ImportFailed, match="not here"):
        load_database(server, toolbox, dump_file(name, "-Fc"), wanted, io.BytesIO())

    assert not [one for one in databases() if one.startswith(wanted.key.prefix)]
