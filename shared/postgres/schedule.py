"""What is built on large tables one by one: their indexes, and the keys that other tables refer to.

Building them is more than half of a load's work, and which of them gets the server's parallel workers decides its
length. So each of them is a piece of work of its own, with an expectation of what it takes (`shared.postgres.pieces`).
Everything else that comes after the data is left to pg_restore.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.postgres.toc import Entry

LARGE = 8 << 20
"""Bytes of a table from which on its indexes are built by the schedule; smaller ones take no time."""
COPY_COST = 1.5
"""What a byte of a table takes to be loaded, of what it takes to be sorted into a btree."""
_COSTS = {"gin": 6.0, "gist": 5.0, "spgist": 4.0, "hash": 1.5, "btree": 1.0, "brin": 0.1}
"""What a build takes per byte of its table, of what a btree takes; others are taken for slow."""
_SLOW = 5.0
_CHECK = 0.5
"""The same for a foreign key, which is looked up in the other table."""
FOREIGN_KEY = "foreign key"
_CHECKED = re.compile(r"^ALTER TABLE ONLY (?!.*\bNOT VALID\b)", re.DOTALL)
_TABLES = frozenset({"TABLE", "MATERIALIZED VIEW"})
_USING = re.compile(r"\bUSING (\w+) ?\(")
_KEYS = re.compile(r"\bADD CONSTRAINT\b.*\b(PRIMARY KEY|UNIQUE|EXCLUDE)\b", re.DOTALL)


@dataclass(frozen=True)
class Build:
    """One index, or one constraint that makes an index or checks every row."""

    entry: Entry
    tables: frozenset[int]
    """Dump ids of its table, and of the one that it refers to."""
    size: int
    """Bytes of them, as far as is known."""
    method: str
    """`btree`, `gin`, …; `foreign key`."""
    cost: float
    """What it takes, of what others take."""
    exclusive: bool
    """Whether nothing else can be built on its tables meanwhile."""
    needs: frozenset[int] = frozenset()
    """Dump ids of the builds that come before it."""

    def is_parallel(self, version: int) -> bool:
        """Whether a server of that version builds it with parallel workers."""
        since = {"btree": 110_000, "brin": 170_000, "gin": 180_000}.get(self.method)
        return since is not None and version >= since


@dataclass(frozen=True)
class Schedule:
    """What is built one by one, and what is left to pg_restore."""

    first: tuple[Entry, ...]
    """What builds need: the indexes of partitioned tables, which hold nothing."""
    builds: tuple[Build, ...]
    """In an order in which each comes behind what it needs."""
    others: tuple[Entry, ...]
    """What comes after them."""


def make_schedule(after: Sequence[Entry], every: Iterable[Entry], sizes: Mapping[tuple[str, str], int]) -> Schedule:
    """The schedule of what comes after the data.

    Args:
        after: the entries, in the archive's order.
        every: all entries of the archive, among them the tables.
        sizes: bytes of the tables by schema and name; a partitioned one is in none.

    What depends on anything else that comes after the data is left to pg_restore, which knows the order.
    """
    tables = {entry.dump_id: sizes.get((entry.schema, entry.name)) for entry in every if entry.desc in _TABLES}
    later = {entry.dump_id for entry in after}
    found = [build for entry in after if (build := _build(entry, tables)) is not None]
    empty = {
        build.entry.dump_id
        for build in found
        if any(tables[table] is None for table in build.tables) and later.isdisjoint(build.entry.dependencies)
    }
    builds: dict[int, Build] = {}
    for build in sorted(found, key=lambda build: build.method == FOREIGN_KEY):
        needed = later.intersection(build.entry.dependencies)
        fits = needed <= empty or (build.method == FOREIGN_KEY and needed <= empty | builds.keys())
        if fits and build.size >= LARGE:
            builds[build.entry.dump_id] = replace(build, needs=frozenset(needed & builds.keys()))
    first = {dump_id for build in builds.values() for dump_id in build.entry.dependencies} & empty - builds.keys()
    return Schedule(
        tuple(entry for entry in after if entry.dump_id in first),
        tuple(builds.values()),
        tuple(entry for entry in after if entry.dump_id not in first | builds.keys()),
    )


def _build(entry: Entry, tables: Mapping[int, int | None]) -> Build | None:
    of = frozenset(dump_id for dump_id in entry.dependencies if dump_id in tables)
    size = sum(tables[table] or 0 for table in of)
    if entry.desc == "FK CONSTRAINT":
        checked = of and _CHECKED.search(entry.definition) and all(tables[table] is not None for table in of)
        return Build(entry, of, size, FOREIGN_KEY, size * _CHECK, exclusive=True) if checked else None
    constraint = entry.desc == "CONSTRAINT" and _KEYS.search(entry.definition) is not None
    if len(of) != 1 or not (constraint or entry.desc == "INDEX"):
        return None
    cost = size * build_cost(entry.definition)
    return Build(entry, of, size, _method(entry.definition), cost, exclusive=constraint)


def build_cost(definition: str) -> float:
    """What an index or a key takes per byte of its table, of what a btree takes."""
    return _COSTS.get(_method(definition), _SLOW)


def _method(definition: str) -> str:
    found = _USING.search(definition)
    return found[1].lower() if found else "btree"
