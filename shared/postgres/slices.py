"""Cut the data of an archive into slices, each of which one pg_restore loads from a pipe."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from shared.postgres.archive import Archive
from shared.postgres.blocks import Block, BlockIndex
from shared.postgres.contents import Selection
from shared.postgres.script import Token, tokens
from shared.postgres.toc import Entry

LARGEST = 256 << 20
"""Bytes of an archive that tables share; a larger table has a slice of its own."""
SMALLEST = 1 << 20
PER_JOB = 4
"""Slices that each job gets, so that all end at about the same time."""
EXPANSION = 4
"""Bytes of a table for each byte of its rows in an archive, as it is with most: it decides what begins first only."""
ENTRIES = 1_000
"""Tables of one slice."""

_ROWS, _LARGE_OBJECTS = "TABLE DATA", "BLOBS"


@dataclass(frozen=True)
class Parts:
    """The main pass of an archive: what comes before the data, what has blocks of data, and everything else."""

    before: tuple[Entry, ...]
    data: tuple[Entry, ...]
    after: tuple[Entry, ...]


@dataclass(frozen=True)
class Slice:
    """Some of an archive's blocks."""

    number: int
    entries: tuple[Entry, ...]
    """In the order of their blocks: what reads a pipe finds no other."""
    ranges: tuple[tuple[int, int], ...]
    """Where they lie in the file: first byte, and first byte behind."""
    tables: tuple[str, ...] = ()
    """The tables that their rows go into, as SQL writes them."""
    repeatable: bool = True
    """Whether its tables are its own and were empty before, so that it can start them over."""
    lasting: bool = True
    """Whether its rows survive a crash of the server, as those of unlogged tables do not."""
    copies: int = 1
    """Connections that its rows are copied over."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(end - start for start, end in self.ranges)

    def __str__(self) -> str:
        others = f" and {len(self.entries) - 1} others" if len(self.entries) > 1 else ""
        return f"{self.entries[0]}{others}"


@dataclass
class _Draft:
    """A slice that is being filled."""

    kind: tuple[bool, bool]
    """Whether it is repeatable, and lasting."""
    entries: list[Entry] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    size: int = 0

    def add(self, entry: Entry, block: Block) -> None:
        self.entries.append(entry)
        self.blocks.append(block)
        self.size += block.length


def why_not(archive: Archive, selection: Selection) -> str:
    """Why the archive's data cannot be loaded in slices, in words; empty when they can."""
    data = [entry for entry in selection.main if entry.place is not None]
    if not data:
        return "it has no rows"
    if any(entry.desc not in {_ROWS, _LARGE_OBJECTS} for entry in data):
        return "it has data of an unknown kind"
    if any(entry.desc == _ROWS and not _target(entry) for entry in data):
        return "its rows are INSERT statements"
    foreign = {(entry.schema, entry.name) for entry in archive.entries if entry.desc == "FOREIGN TABLE"}
    if any((entry.schema, entry.name) in foreign for entry in data):
        return "it has rows of foreign tables"
    return ""


def divide(entries: Sequence[Entry]) -> Parts:
    """Divide the entries of the main pass; each part keeps their order.

    Large objects are made before their contents come, although their entries stand among the data.
    """
    data = tuple(entry for entry in entries if entry.place is not None)
    first = len(list(takewhile(lambda entry: entry.section in {"", "pre-data"}, entries)))
    before = (*entries[:first], *(entry for entry in entries[first:] if _comes_first(entry)))
    taken = {entry.dump_id for entry in (*before, *data)}
    return Parts(before, data, tuple(entry for entry in entries if entry.dump_id not in taken))


def plan_slices(archive: Archive, data: Iterable[Entry], index: BlockIndex, jobs: int) -> list[Slice]:
    """The slices of these entries, the largest first.

    Rows that go into tables which others fill too cannot be started over and are kept apart: those of a table that an
    extension made, and those that a partitioned table distributes.
    """
    wanted = {entry.dump_id: entry for entry in data}
    made = {(entry.schema, entry.name): entry.definition for entry in archive.entries if entry.desc == "TABLE"}
    blocks = sorted((block for block in index.blocks if block.dump_id in wanted), key=lambda block: block.offset)
    share = min(LARGEST, max(SMALLEST, sum(block.length for block in blocks) // (jobs * PER_JOB)))
    drafts: list[_Draft] = []
    open_ones: dict[tuple[bool, bool], _Draft] = {}
    for block in blocks:
        entry = wanted[block.dump_id]
        definition = made.get((entry.schema, entry.name))
        repeatable = entry.desc != _ROWS or (_own_table(entry) and definition is not None)
        kind = (repeatable, not (definition or "").startswith("CREATE UNLOGGED "))
        draft = open_ones.get(kind)
        alone = block.length >= share
        if draft is None or alone or draft.size + block.length > share or len(draft.entries) == ENTRIES:
            draft = _Draft(kind)
            drafts.append(draft)
        if not alone:
            open_ones[kind] = draft
        draft.add(entry, block)
    drafts.sort(key=lambda draft: -draft.size)
    return [_slice(number, draft) for number, draft in enumerate(drafts)]


def digest(slices: Iterable[Slice], head: bytes) -> str:
    """A short text that differs where another archive is cut, or in another way."""
    parts = [[one.number, [entry.dump_id for entry in one.entries], one.ranges] for one in slices]
    return hashlib.sha256(head + json.dumps(parts).encode()).hexdigest()[:16]


def _comes_first(entry: Entry) -> bool:
    return entry.section == "pre-data" or entry.desc == "BLOB METADATA"


def _slice(number: int, draft: _Draft) -> Slice:
    tables = tuple(table for table in (_target(entry) for entry in draft.entries) if table)
    return Slice(number, tuple(draft.entries), tuple(_ranges(draft.blocks)), tables, *draft.kind)


def _ranges(blocks: Iterable[Block]) -> list[tuple[int, int]]:
    """Where the blocks lie; what lies side by side is read as one."""
    ranges: list[tuple[int, int]] = []
    for block in blocks:
        if ranges and ranges[-1][1] == block.offset:
            ranges[-1] = (ranges[-1][0], block.end)
        else:
            ranges.append((block.offset, block.end))
    return ranges


def _target(entry: Entry) -> str:
    """The table that the rows go into, as the COPY statement writes it; empty where there is none."""
    name = _name(entry)
    return entry.copy_statement[name[0].start : name[-1].end] if name else ""


def _own_table(entry: Entry) -> bool:
    """Whether the rows go into the very table that they come from, and not through a partitioned one."""
    return [token.value for token in _name(entry)] == [entry.schema, ".", entry.name]


def _name(entry: Entry) -> list[Token]:
    """The tokens of the table's name: schema, dot, name."""
    found = tokens(entry.copy_statement, 4)
    return found[1:] if len(found) == 4 and found[0].is_word("copy") else []
