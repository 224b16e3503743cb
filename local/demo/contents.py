"""The contents of a database: rows of tables, values of sequences, large objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from local.demo.differences import Area, Inventory, Item
from local.servers.postgres import FlexibleServer

# Whatever a database's or a role's settings say, values become text in one way.
_SESSION = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "search_path": "pg_catalog",
        "timezone": "UTC",
        "datestyle": "ISO",
        "intervalstyle": "postgres",
        "extra_float_digits": "3",
        "bytea_output": "hex",
        "lc_monetary": "C",
    }.items()
)

_RELATIONS: LiteralString = """
SELECT n.nspname, c.relname, c.relkind = 'S',
       coalesce(array_agg(a.attname ORDER BY a.attname) FILTER (WHERE a.attnum > 0 AND NOT a.attisdropped), '{}')
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'm', 'S') AND c.relispopulated
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
GROUP BY n.nspname, c.relname, c.relkind
ORDER BY n.nspname, c.relname
"""

# Sums do not depend on the order of rows, and unlike xor they see rows that are there twice. OFFSET 0 keeps the planner
# from making each row's text once per sum.
_ROWS: LiteralString = """
SELECT count(*), coalesce(sum(hashtextextended(line, 0)), 0), coalesce(sum(hashtextextended(line, 1)), 0)
FROM (SELECT ROW({columns})::text COLLATE "C" AS line FROM ONLY {relation} OFFSET 0) AS lines
"""

_LARGE_OBJECTS: LiteralString = """
SELECT format('LARGE OBJECT %s', m.oid),
       concat_ws(E'\\n',
           format('%s bytes', length(lo_get(m.oid))),
           format('sha256 %s', encode(sha256(lo_get(m.oid)), 'hex')),
           format('owner %s', pg_get_userbyid(m.lomowner)),
           (SELECT string_agg(format('%s to %s%s', privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC'
                              ELSE pg_get_userbyid(grantee) END, CASE WHEN is_grantable THEN ' with grant option' END),
                              E'\\n' ORDER BY pg_get_userbyid(grantee), privilege_type)
            FROM aclexplode(coalesce(m.lomacl, acldefault('L', m.lomowner)))),
           'comment ' || obj_description(m.oid, 'pg_largeobject'))
FROM pg_largeobject_metadata AS m
"""


@dataclass(frozen=True)
class Contents:
    """What a database holds.

    Attributes:
        inventory: counts and checksums of tables, values of sequences, large objects.
        rows: how many rows each table and materialized view has.
    """

    inventory: Inventory
    rows: Mapping[str, int]


def read_contents(server: FlexibleServer, database: str) -> Contents:
    """Read everything once, as the superuser, whom no row security hides anything from."""
    inventory: dict[Item, str] = {}
    rows: dict[str, int] = {}
    with server.connect(database, as_superuser=True, options=_SESSION) as connection:
        for schema, name, is_sequence, columns in connection.execute(_RELATIONS).fetchall():
            relation = sql.Identifier(schema, name)
            if is_sequence:
                inventory[Item(Area.SEQUENCE, f"SEQUENCE SET {schema} {name}")] = _value(connection, relation)
            else:
                count, checksum = _count(connection, relation, columns)
                rows[f"{schema}.{name}"] = count
                inventory[Item(Area.ROWS, f"TABLE DATA {schema} {name}")] = f"{count} rows\nchecksum {checksum}"
        for subject, text in connection.execute(_LARGE_OBJECTS).fetchall():
            inventory[Item(Area.LARGE_OBJECT, subject)] = text
    return Contents(inventory, rows)


def _value(connection: psycopg.Connection[TupleRow], sequence: sql.Identifier) -> str:
    last, called = connection.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(sequence)).fetchall()[0]
    return f"{last}, {'used' if called else 'next'}"


def _count(connection: psycopg.Connection[TupleRow], table: sql.Identifier, columns: list[str]) -> tuple[int, str]:
    """The number of rows, and a checksum of their texts that depends on no order, of rows or of columns."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    query = sql.SQL(_ROWS).format(columns=names, relation=table)
    count, first, second = connection.execute(query).fetchall()[0]
    return count, f"{first} {second}"
