"""What an archive tells of the work that its load will be: the bytes of each table's rows, and the indexes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shared.contracts.imports import ArchiveFormat
from shared.postgres.archive import Archive
from shared.postgres.blocks import BlockIndex
from shared.postgres.schedule import build_cost
from shared.postgres.toc import Entry

type Name = tuple[str, str]
"""Schema, and name of a table; of a constraint's index the table's name stands before its own, as archives have it."""

LARGE_OBJECTS: Name = ("", "large objects")
"""They go into one table of the server's own."""
_INDEXED = frozenset({"TABLE", "MATERIALIZED VIEW"})
_KEYS = re.compile(r"\b(PRIMARY KEY|UNIQUE|EXCLUDE)\b")


@dataclass(frozen=True)
class Index:
    """An index that will be built."""

    table: Name
    cost: float
    """What it takes per byte of its table, of what others take."""


@dataclass(frozen=True)
class Expected:
    """The work of a load."""

    size: int
    """Bytes of the file that are rows and large objects, all together."""
    tables: Mapping[Name, int | None] = field(default_factory=dict)
    """The bytes of each table's rows in the file, where that is known."""
    indexes: Mapping[Name, Index] | None = None
    """None where the file tells nothing before it is read."""

    @classmethod
    def of(cls, archive: Archive, *, rows: bool = True) -> "Expected":
        """What the table of contents tells; without `rows` none are wanted."""
        if archive.format is ArchiveFormat.PLAIN:
            return cls(archive.source.size)
        names = (filled_by(entry) for entry in archive.entries if rows)
        tables: dict[Name, int | None] = {name: None for name in names if name}
        made = {entry.dump_id: (entry.schema, entry.name) for entry in archive.entries if entry.desc in _INDEXED}
        indexes = {}
        for entry in archive.entries:
            key = entry.desc == "CONSTRAINT" and _KEYS.search(entry.definition)
            table = next((made[one] for one in entry.dependencies if one in made), None)
            if table and (key or entry.desc == "INDEX"):
                indexes[entry.schema, entry.name] = Index(table, build_cost(entry.definition))
        return cls(archive.source.size - archive.head_size if tables else 0, tables, indexes)

    def with_blocks(self, archive: Archive, index: BlockIndex) -> "Expected":
        """The same, with what each table takes of the file."""
        entries = {entry.dump_id: entry for entry in archive.entries}
        tables = dict(self.tables)
        for block in index.blocks:
            name = filled_by(entries[block.dump_id])
            if name in tables:
                tables[name] = (tables[name] or 0) + block.length
        return replace(self, size=sum(size or 0 for size in tables.values()), tables=tables)


def filled_by(entry: Entry) -> Name | None:
    """The table whose rows the entry holds, if any."""
    if entry.desc == "BLOBS":
        return LARGE_OBJECTS
    return (entry.schema, entry.name) if entry.desc == "TABLE DATA" else None
