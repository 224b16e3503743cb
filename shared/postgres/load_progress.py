"""How far a load is: what the server told just now, and earlier, put together with what the archive tells."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from heapq import nsmallest
from typing import NamedTuple

from shared.contracts.loading import (
    BUILDS_LIMIT,
    TABLES_LIMIT,
    BuildProgress,
    LoadProgress,
    LoadStep,
    TableProgress,
    TableState,
)
from shared.postgres.expected import LARGE_OBJECTS, Expected, Index, Name
from shared.postgres.notes import readable

LATE = 16 << 20
"""Bytes of a file that are loaded in the second for which a session may keep its statistics to itself, and longer while
it builds an index."""
PAGE = 2048
"""Bytes of a large object that the server keeps in one row."""
WINDOW = 300.0
"""Seconds that tell the pace."""
SOONEST = 5.0
"""Seconds after which there is a pace."""
_WORK_SHARE = 0.95
"""What rows and indexes are of the whole load."""
_ROWS_SHARE = 0.55
"""What rows are of these."""


class Copied(NamedTuple):
    """What COPY has brought into a table."""

    bytes: int
    """Of text."""
    rows: int


@dataclass(frozen=True)
class Build:
    """An index that is being built."""

    table: Name
    phase: str
    share: float | None
    """Of this phase."""


@dataclass(frozen=True)
class Seen:
    """What the server told."""

    copies: Mapping[Name, Copied] = field(default_factory=dict)
    """What is being copied, into each table over all connections."""
    rows: Mapping[Name, int] = field(default_factory=dict)
    """Rows that are committed; of large objects, their pages. Tables without rows may be left out."""
    indexes: Mapping[Name, Name] = field(default_factory=dict)
    """The table of each index that is there."""
    builds: tuple[Build, ...] = ()


@dataclass(frozen=True)
class Earlier:
    """What the looks before this one have told."""

    copies: Mapping[Name, Copied] = field(default_factory=dict)
    """The most that was seen on its way into each table at once: statistics come late."""
    expansions: Mapping[Name, float] = field(default_factory=dict)
    """How many bytes of text a byte of the file becomes, by table."""
    expansion: float = 1.0
    """The same where it is not known."""


class Pace:
    """How fast a step goes."""

    def __init__(self) -> None:
        self._step: LoadStep | None = None
        self._points = deque[tuple[float, float]]()

    def seconds_left(self, now: float, step: LoadStep, done: float, total: float | None) -> int | None:
        """What the step still takes, when it is so far; None while that is unknown."""
        points = self._points
        if step is not self._step or (points and done < points[-1][1]):
            self._step = step
            points.clear()
        points.append((now, done))
        while now - points[0][0] > WINDOW:
            points.popleft()
        began, before = points[0]
        if total is None or now - began < SOONEST or done <= before:
            return None
        return round(max(0.0, total - done) * (now - began) / (done - before))


@dataclass(frozen=True)
class Standing:
    """How far a load is at one moment."""

    expected: Expected
    seen: Seen
    earlier: Earlier = Earlier()

    @property
    def tables(self) -> dict[Name, TableProgress]:
        """Every table that the file has rows for, and others that are filled."""
        names = dict.fromkeys([*self.expected.tables, *self.seen.copies])
        if self.expected.indexes is None:
            names |= dict.fromkeys([*self.seen.rows, *self.earlier.copies])
        indexed = {*self.seen.indexes.values(), *(build.table for build in self.seen.builds)}
        return {name: self._table(name, has_index=name in indexed) for name in names}

    def _table(self, name: Name, *, has_index: bool) -> TableProgress:
        running = self.seen.copies.get(name)
        before = self.earlier.copies.get(name)
        committed = self.seen.rows.get(name, 0)
        if running:
            state, rows = TableState.LOADING, committed + running.rows
        elif name == LARGE_OBJECTS:
            state, rows = (TableState.LOADING if committed else TableState.WAITING), committed
        else:
            rows = committed or (before.rows if before else 0)
            state = TableState.LOADED if rows or before or has_index else TableState.WAITING
        total = self.expected.tables.get(name)
        done = self._text(name, rows, running, before) / self.earlier.expansions.get(name, self.earlier.expansion)
        if total is not None:
            if name == LARGE_OBJECTS and done >= total:  # nothing tells when the last one is there
                state = TableState.LOADED
            done = total if state is TableState.LOADED else min(done, 0.99 * total)
        return TableProgress(
            table=readable(".".join(filter(None, name))),
            state=state,
            bytes=int(done),
            total_bytes=total,
            rows=0 if name == LARGE_OBJECTS else rows,
        )

    def _text(self, name: Name, rows: int, running: Copied | None, before: Copied | None) -> float:
        """Bytes of text that a table has taken, by the rows of which they are known."""
        if name == LARGE_OBJECTS:
            return rows * PAGE
        known = running or before or Copied(0, 0)
        return max(known.bytes, rows * known.bytes / known.rows) if known.rows else known.bytes

    def step(self, tables: Mapping[Name, TableProgress]) -> LoadStep:
        """What the load is at: rows as long as some are missing, then indexes, then the rest."""
        # Indexes of partitioned tables, which hold no rows, may be there before any row is.
        indexing = bool(self.seen.builds) or any(self._expects(name) for name in self.seen.indexes.values())
        waiting = [one for one in tables.values() if one.state is TableState.WAITING]
        if self.seen.copies:
            return LoadStep.ROWS
        if len(waiting) == len(tables) and not indexing:
            return LoadStep.DEFINITIONS
        loading = any(one.state is TableState.LOADING for one in tables.values())
        if sum(one.total_bytes or 0 for one in waiting) > LATE or ((waiting or loading) and not indexing):
            return LoadStep.ROWS
        if self.seen.builds or self._missing_indexes():
            return LoadStep.INDEXES
        return LoadStep.OTHER

    def _expects(self, table: Name) -> bool:
        """Whether rows are loaded into the table, or nobody knows which tables are."""
        return table in self.expected.tables or not self.expected.tables

    def _missing_indexes(self) -> dict[Name, Index]:
        expected = self.expected.indexes or {}
        return {name: index for name, index in expected.items() if name not in self.seen.indexes}

    def index_work(self) -> tuple[float, float]:
        """How much of the indexes' work is done, and all of it; by what each takes of what others take."""
        every, missing = self.expected.indexes or {}, self._missing_indexes()
        done = sum(self._work(index) for name, index in every.items() if name not in missing)
        for build in self.seen.builds:
            of_it = [self._work(index) for index in missing.values() if index.table == build.table]
            done += (build.share or 0) * min(of_it, default=0)
        return done, sum(map(self._work, every.values()))

    def _work(self, index: Index) -> float:
        return index.cost * max(1, self.expected.tables.get(index.table) or 0)


def load_progress(standing: Standing, pace: Pace, at: datetime, *, attempt: str, version: str) -> LoadProgress:
    """How far the load is.

    Args:
        standing: what is known.
        pace: of the load so far; this moment is added to it.
        at: when the server was asked.
        attempt: the temporary database's name.
        version: of the file.
    """
    now = at.timestamp()
    tables, expected, seen = standing.tables, standing.expected, standing.seen
    step = standing.step(tables)
    total = expected.size or None
    copied = min(sum(one.bytes for one in tables.values()), expected.size)
    if step in {LoadStep.INDEXES, LoadStep.OTHER}:
        copied = expected.size
        tables = {name: _there(one) for name, one in tables.items()}
    built, work = standing.index_work()
    left = None
    if step is LoadStep.ROWS:
        left = pace.seconds_left(now, step, copied, total)
    elif step is LoadStep.INDEXES:
        left = pace.seconds_left(now, step, built, work)
    every = expected.indexes
    return LoadProgress(
        attempt=attempt,
        file_version=version,
        at=at.isoformat(timespec="seconds"),
        step=step,
        share=_share(step, copied / total if total else 0.0, built / work if work else 0.0),
        bytes=copied,
        total_bytes=total,
        rows=sum(one.rows for one in tables.values()),
        seconds_left=left,
        indexes=len(seen.indexes if every is None else seen.indexes.keys() & every.keys()),
        total_indexes=None if every is None else len(every),
        building=tuple(
            BuildProgress(table=readable(".".join(one.table)), phase=one.phase, share=one.share)
            for one in seen.builds[:BUILDS_LIMIT]
        ),
        tables=len(tables),
        tables_loaded=sum(one.state is TableState.LOADED for one in tables.values()),
        by_table=tuple(nsmallest(TABLES_LIMIT, tables.values(), key=_rank)),
    )


def _there(one: TableProgress) -> TableProgress:
    """The table, when all rows are there."""
    done = one.bytes if one.total_bytes is None else one.total_bytes
    return one.model_copy(update={"state": TableState.LOADED, "bytes": done})


def _rank(one: TableProgress) -> tuple[bool, int, str]:
    size = one.bytes if one.total_bytes is None else one.total_bytes
    return one.state is not TableState.LOADING, -size, one.table


def _share(step: LoadStep, rows: float, indexes: float) -> float:
    match step:
        case LoadStep.DEFINITIONS:
            return 0.0
        case LoadStep.OTHER:
            return _WORK_SHARE
        case LoadStep.INDEXES:
            rows = 1.0
    return round(_WORK_SHARE * (_ROWS_SHARE * rows + (1 - _ROWS_SHARE) * indexes), 4)
