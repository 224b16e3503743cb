"""Compare a loaded database with the table of contents it was loaded from."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from psycopg import sql

from shared.contracts.imports import (
    TABLES_LIMIT,
    ArchiveFormat,
    DatabaseLoad,
    Note,
    NoteKind,
    Notes,
    TableRows,
    Verification,
)
from shared.errors import VerificationFailed
from shared.postgres.archive import Archive
from shared.postgres.contents import Selection, select
from shared.postgres.notes import make_note, readable
from shared.postgres.options import EVERYTHING, ImportOptions
from shared.postgres.server import Connection, TargetServer, server_errors
from shared.postgres.toc import Entry

COUNT_LIMIT = 20 << 30
"""Bytes of tables whose rows are counted one by one; beyond that, ANALYZE's estimates serve."""


@dataclass(frozen=True)
class Rows:
    """The rows of all tables."""

    tables: int
    rows: int
    exact: bool
    by_table: tuple[TableRows, ...]
    notes: tuple[Note, ...]


def verify_database(
    server: TargetServer,
    load: DatabaseLoad,
    archive: Archive,
    options: ImportOptions = EVERYTHING,
    *,
    count_limit: int = COUNT_LIMIT,
) -> Verification:
    """Look in the catalog for every object of the archive that was wanted, and count rows.

    Of plain SQL there is no table of contents: what was found is counted.

    Raises:
        VerificationFailed: something is missing, invalid, or has another value; the details name each finding.
        TargetUnavailable: try again.
    """
    with server_errors(), server.connect(load.temporary_name) as connection:
        connection.execute("SELECT pg_catalog.set_config('search_path', '', false)")
        found = _catalog(connection)
        if archive.format is ArchiveFormat.PLAIN:
            objects = {kind: sum(names.values()) for kind, names in found.items()}
        else:
            objects = _compare(connection, select(archive.entries, options), load, found)
        rows = _count_rows(connection, count_limit)
    return Verification(
        tables=rows.tables,
        rows=rows.rows,
        exact=rows.exact,
        by_table=rows.by_table,
        objects=objects,
        notes=Notes.bounded(rows.notes),
    )


type Found = dict[str, Counter[tuple[str, str]]]
"""By kind of entry: schema and name of what is in the catalog, and how often."""


def _catalog(connection: Connection) -> Found:
    """What there is, under the names that pg_dump gives it in a table of contents."""
    found: Found = {}
    for kind, schema, name in connection.execute(_inventory()):
        found.setdefault(kind, Counter())[schema or "", name] += 1
    return found


@cache
def _inventory() -> bytes:
    return resources.files(__package__).joinpath("inventory.sql").read_bytes()


def _compare(connection: Connection, selection: Selection, load: DatabaseLoad, found: Found) -> dict[str, int]:
    """How many entries of each kind are there."""
    wanted = [entry for entry in selection.objects if entry.dump_id not in load.absent]
    large_objects = _large_objects(wanted)
    problems = [
        *_missing(wanted, found),
        *_not_valid(connection, wanted),
        *_wrong_sequences(connection, wanted),
        *_missing_large_objects(connection, large_objects),
    ]
    if problems:
        raise VerificationFailed(
            f"the loaded database differs from the archive in {len(problems)} points", details=problems
        )
    counted = Counter(entry.desc for entry in wanted if entry.desc in found)
    if large_objects:
        counted["BLOB"] = len(large_objects)
    return dict(sorted(counted.items()))


def _missing(wanted: Iterable[Entry], found: Found) -> list[str]:
    """Entries without their object; kinds that the inventory does not know are not looked for."""
    known = _known_kinds()
    expected = Counter((entry.desc, entry.schema, entry.name) for entry in wanted if entry.desc in known)
    return [
        f"{readable(' '.join(filter(None, key)))}: missing"
        for key, count in expected.items()
        if found.get(key[0], Counter())[key[1:]] < count
    ]


@cache
def _known_kinds() -> frozenset[str]:
    """The kinds of entries that the inventory looks for."""
    return frozenset(re.findall(r"'([A-Z][A-Z ]+)'", _inventory().decode()))


_UNCHECKED = re.compile(r"NOT (?:VALID|ENFORCED);\s*\Z")


def _not_valid(connection: Connection, wanted: Sequence[Entry]) -> list[str]:
    """Constraints that the server has not checked, although they were valid on the source."""
    meant = {
        (entry.schema, entry.name)
        for entry in wanted
        if entry.desc.endswith("CONSTRAINT") and _UNCHECKED.search(entry.definition)
    }
    rows = connection.execute(
        "SELECT n.nspname, c.relname || ' ' || k.conname FROM pg_catalog.pg_constraint k"
        " JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE NOT k.convalidated"
    ).fetchall()
    checked = {(entry.schema, entry.name) for entry in wanted if entry.desc.endswith("CONSTRAINT")} - meant
    return [f"constraint {schema} {name}: not validated" for schema, name in rows if (schema, name) in checked]


_SETVAL = re.compile(r"setval\(.*, (-?\d+), (true|false)\)", re.DOTALL)


def _wrong_sequences(connection: Connection, wanted: Sequence[Entry]) -> list[str]:
    """Sequences that do not stand where they stood."""
    rows = connection.execute("SELECT schemaname, sequencename, last_value FROM pg_catalog.pg_sequences").fetchall()
    stands = {(schema, name): value for schema, name, value in rows}
    problems = []
    for entry in wanted:
        match = _SETVAL.search(entry.definition) if entry.desc == "SEQUENCE SET" else None
        if match is None:
            continue
        # The view shows a sequence that has not given a value yet as NULL.
        expected = int(match[1]) if match[2] == "true" else None
        actual = stands.get((entry.schema, entry.name))
        if actual != expected:
            name = readable(f"{entry.schema} {entry.name}")
            problems.append(f"SEQUENCE {name}: stands at {actual}, should stand at {expected}")
    return problems


def _large_objects(wanted: Sequence[Entry]) -> frozenset[int]:
    """Their OIDs: until PostgreSQL 16 one entry each, later a list in an entry's definition."""
    oids = {int(entry.name) for entry in wanted if entry.desc == "BLOB"}
    for entry in wanted:
        if entry.desc == "BLOB METADATA":
            oids.update(map(int, entry.definition.split()))
    return frozenset(oids)


def _missing_large_objects(connection: Connection, oids: frozenset[int]) -> list[str]:
    rows = connection.execute("SELECT oid FROM pg_catalog.pg_largeobject_metadata").fetchall() if oids else []
    return [f"large object {oid}: missing" for oid in sorted(oids - {oid for (oid,) in rows})]


_TABLES = """
SELECT n.nspname, c.relname, pg_catalog.pg_table_size(c.oid), greatest(c.reltuples, 0)::bigint,
       pg_catalog.row_security_active(c.oid),
       pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
 ORDER BY 3, 1, 2
"""


def _count_rows(connection: Connection, limit: int) -> Rows:
    """Count the rows of the smaller tables, estimate those of the others and of tables that hide rows from us."""
    size = 0
    counted: list[TableRows] = []
    notes: list[Note] = []
    tables = connection.execute(_TABLES).fetchall()
    for schema, name, table_size, estimate, hidden, may_read in tables:
        size += table_size
        exact = size <= limit and may_read and not hidden
        found = _count(connection, schema, name) if exact else estimate
        counted.append(TableRows(table=readable(f"{schema}.{name}"), rows=found, exact=exact))
        if hidden or not may_read:
            reason = "row security hides rows from the import's user" if hidden else "the import's user may not read it"
            subject = f"TABLE {schema} {name}"
            notes.append(
                make_note(kind=NoteKind.SKIPPED, subject=subject, reason=f"{reason}: rows are estimated", matters=False)
            )
    return Rows(
        tables=len(tables),
        rows=sum(one.rows for one in counted),
        exact=all(one.exact for one in counted),
        by_table=tuple(sorted(counted, key=lambda one: (-one.rows, one.table))[:TABLES_LIMIT]),
        notes=tuple(notes),
    )


def _count(connection: Connection, schema: str, name: str) -> int:
    query = sql.SQL("SELECT count(*) FROM ONLY {}").format(sql.Identifier(schema, name))
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
