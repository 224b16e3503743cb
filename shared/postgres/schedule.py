"""In which order the indexes of large tables are built, how many at once, and with how many workers each.

Building indexes is more than half of a load's work, and which of them gets the server's parallel workers decides its
length: left to a race, the slowest one may get none. So the slow ones begin first, and workers are given on purpose, by
what each build is expected to take. Everything else that comes after the data is left to pg_restore.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.postgres.load_settings import Resources
from shared.postgres.toc import Entry

LARGE = 32 << 20
"""Bytes of a table from which on its indexes are built by the schedule; smaller ones take no time."""
WORKERS_LIMIT = 4
"""Parallel workers of one build beyond which it is hardly faster."""
MEMORY_LIMIT = 2 << 20
"""KiB of maintenance_work_mem beyond which an index is built no faster."""
_COSTS = {"gin": 6.0, "gist": 5.0, "spgist": 4.0, "hash": 1.5, "btree": 1.0, "brin": 0.1}
"""What a build takes per byte of its table, of what a btree takes; others are taken for slow."""
_SLOW = 5.0
_TABLES = frozenset({"TABLE", "MATERIALIZED VIEW"})
_USING = re.compile(r"\bUSING (\w+) ?\(")
_KEYS = re.compile(r"\bADD CONSTRAINT\b.*\b(PRIMARY KEY|UNIQUE|EXCLUDE)\b", re.DOTALL)


@dataclass(frozen=True)
class Build:
    """One index, or one constraint that makes one."""

    entry: Entry
    table: int
    """Dump id of its table."""
    method: str
    """`btree`, `gin`, …"""
    cost: float
    """What it takes, of what others take."""
    exclusive: bool
    """Whether nothing else can be built on its table meanwhile."""

    def is_parallel(self, version: int) -> bool:
        """Whether a server of that version builds it with parallel workers."""
        since = {"btree": 110_000, "brin": 170_000, "gin": 180_000}.get(self.method)
        return since is not None and version >= since


@dataclass(frozen=True)
class Schedule:
    """What is built by the schedule, and what is left to pg_restore."""

    first: tuple[Entry, ...]
    """What builds need: the indexes of partitioned tables, which hold nothing."""
    builds: tuple[Build, ...]
    """The slowest first."""
    others: tuple[Entry, ...]
    """What comes after them."""


def make_schedule(after: Sequence[Entry], every: Iterable[Entry], sizes: Mapping[tuple[str, str], int]) -> Schedule:
    """The schedule of what comes after the data.

    Args:
        after: the entries, in the archive's order.
        every: all entries of the archive, among them the tables.
        sizes: bytes of the tables by schema and name; a partitioned one is in none.

    An index that depends on something else that comes after the data is left to pg_restore, which knows the order.
    """
    tables = {entry.dump_id: sizes.get((entry.schema, entry.name)) for entry in every if entry.desc in _TABLES}
    later = {entry.dump_id for entry in after}
    found = [build for entry in after if (build := _build(entry, tables)) is not None]
    empty = {
        build.entry.dump_id
        for build in found
        if tables[build.table] is None and later.isdisjoint(build.entry.dependencies)
    }
    builds = [
        build
        for build in found
        if (tables[build.table] or 0) >= LARGE and later.intersection(build.entry.dependencies) <= empty
    ]
    builds.sort(key=lambda build: (-build.cost, build.entry.dump_id))
    needed = empty & {dump_id for build in builds for dump_id in build.entry.dependencies}
    taken = needed | {build.entry.dump_id for build in builds}
    return Schedule(
        tuple(entry for entry in after if entry.dump_id in needed),
        tuple(builds),
        tuple(entry for entry in after if entry.dump_id not in taken),
    )


def _build(entry: Entry, tables: Mapping[int, int | None]) -> Build | None:
    constraint = entry.desc == "CONSTRAINT" and _KEYS.search(entry.definition) is not None
    if not constraint and entry.desc != "INDEX":
        return None
    of = {dump_id for dump_id in entry.dependencies if dump_id in tables}  # the archive may name one several times
    if len(of) != 1:
        return None
    (table,) = of
    found = _USING.search(entry.definition)
    method = found[1].lower() if found else "btree"
    return Build(entry, table, method, (tables[table] or 0) * _COSTS.get(method, _SLOW), exclusive=constraint)


def next_build(waiting: Sequence[Build], running: Collection[Build]) -> Build | None:
    """The build that begins next: the slowest one whose table is not locked against it."""
    locked = {build.table for build in running if build.exclusive}
    used = {build.table for build in running}
    for build in waiting:
        if build.table not in (used if build.exclusive else locked):
            return build
    return None


def workers_for(
    build: Build, waiting: Sequence[Build], running: Mapping[Build, int], lanes: int, resources: Resources
) -> int:
    """Parallel workers for a build that begins now: its share of those that are free, by what it takes.

    The others that can begin beside it have theirs: so no build starves, and the sum stays within the server's limit.
    """
    if not build.is_parallel(resources.version):
        return 0
    free = resources.max_parallel_workers - sum(running.values())
    beside = [one for one in waiting if one != build and one.is_parallel(resources.version)]
    rivals = beside[: max(0, lanes - len(running) - 1)]
    total = build.cost + sum(one.cost for one in rivals)
    share = round(free * build.cost / total) if total else free
    return max(0, min(share, free, WORKERS_LIMIT))


def memory_for(lanes: int, resources: Resources) -> int:
    """KiB of maintenance_work_mem for a build: all of them together take what the server's buffers take."""
    return max(resources.maintenance_work_mem, min(resources.shared_buffers // lanes, MEMORY_LIMIT))
