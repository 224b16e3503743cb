"""The bench's databases: varied data, and data that one table dominates; a scale of 1 is about 1 GB of rows."""

from dataclasses import dataclass

from local.servers.postgres import FlexibleServer

VARIED, DOMINATED = "varied", "dominated"

_EVENT = """
    CREATE TABLE event (
        id bigint PRIMARY KEY, at timestamptz NOT NULL, kind text NOT NULL, body jsonb NOT NULL, price numeric(12, 2),
        source inet, token uuid, tags text[], raw bytea
    );
    INSERT INTO event
    SELECT n, timestamptz '2026-01-01' + n * interval '7 s', 'kind-' || n % 40,
           jsonb_build_object('n', n, 'k', md5(n::text), 'w', jsonb_build_array(n % 100, md5((n % 5000)::text))),
           n % 100000 / 100.0, ('10.' || n % 250 || '.' || n % 200 || '.7')::inet, md5((n * 3)::text)::uuid,
           ARRAY[md5((n % 900)::text), 't' || n % 90], decode(md5(n::text) || md5((n + 1)::text), 'hex')
    FROM generate_series(1, {events}) n;
    CREATE INDEX event_body ON event USING gin (body jsonb_path_ops);
    CREATE INDEX event_at ON event (at);
    CREATE INDEX event_kind ON event (kind, at);
    CREATE INDEX event_token ON event (token)
"""
_ACCOUNT = """
    CREATE TABLE account (aid integer PRIMARY KEY, bid integer, balance integer, filler char(84));
    INSERT INTO account SELECT n, n % 50, 0, '' FROM generate_series(1, {accounts}) n;
    CREATE INDEX account_bid ON account (bid)
"""
_METRIC = """
    CREATE TABLE metric (
        id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz, device integer, value double precision,
        twice double precision GENERATED ALWAYS AS (value * 2) STORED
    ) PARTITION BY HASH (device);
    CREATE TABLE metric_0 PARTITION OF metric FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE metric_1 PARTITION OF metric FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO metric (at, device, value)
    SELECT timestamptz '2026-01-01' + n * interval '1 s', n % 5000, sin(n) FROM generate_series(1, {metrics}) n;
    CREATE INDEX metric_at ON metric USING brin (at);
    CREATE INDEX metric_device ON metric (device, at)
"""
_SMALL = """
    CREATE TABLE customer (id integer PRIMARY KEY, name text, mail text UNIQUE);
    INSERT INTO customer SELECT n, md5(n::text), md5(n::text) || '@example.org' FROM generate_series(1, {customers}) n;
    CREATE TABLE purchase (id integer PRIMARY KEY, customer integer REFERENCES customer, event bigint REFERENCES event);
    INSERT INTO purchase SELECT n, n, n FROM generate_series(1, {customers}) n;
    SELECT lo_from_bytea(0, convert_to(repeat(md5(n::text), 2000), 'UTF8')) FROM generate_series(1, 10) n;
    DO $$ BEGIN FOR n IN 1..40 LOOP
        EXECUTE format('CREATE TABLE small_%s AS SELECT g AS id, md5(g::text) FROM generate_series(1, 500) g', n);
        EXECUTE format('ALTER TABLE small_%s ADD PRIMARY KEY (id)', n);
    END LOOP; END $$
"""


@dataclass(frozen=True)
class Contents:
    """Rows of the large tables at a scale of 1."""

    events: int
    accounts: int
    metrics: int
    customers: int = 50_000


CONTENTS = {
    VARIED: Contents(events=1_150_000, accounts=3_300_000, metrics=1_500_000),
    DOMINATED: Contents(events=2_000_000, accounts=300_000, metrics=150_000),
}


def fill(server: FlexibleServer, database: str, scale: float) -> None:
    """Make one of the bench's databases."""
    contents = CONTENTS[database]
    rows = {name: max(1_000, round(count * scale)) for name, count in vars(contents).items()}
    rows["customers"] = min(rows["customers"], rows["events"])
    with server.connect(autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}".encode())
    with server.connect(database, autocommit=True) as connection:
        for part in (_EVENT, _ACCOUNT, _METRIC, _SMALL):
            connection.execute(part.format(**rows).encode())


def count(server: FlexibleServer, database: str) -> dict[str, int]:
    """The rows of each table of a database."""
    tables = "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    with server.connect(database, as_superuser=True) as connection:
        names = [name for (name,) in connection.execute(tables).fetchall()]
        rows = {name: connection.execute(f"SELECT count(*) FROM public.{name}".encode()).fetchone() for name in names}
    return {name: row[0] if row else 0 for name, row in rows.items()}
