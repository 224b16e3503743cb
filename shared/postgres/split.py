"""Whether one table's rows are copied over several connections, and over how many.

A COPY is one process on the server: it takes 110 MB of rows a second and a core of its own. More of them pay where one
table is most of an archive, so that no other one could be loaded meanwhile, where the server has the cores, and where
its storage takes what they write: 2.1 bytes for each of the rows, in the table and in the log of writes. SQL tells
neither cores nor storage, so the operator does, and nothing is split otherwise. The figures are measured; they and what
was measured of splitting are in docs/import-speed.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from shared.postgres.slices import Slice

COPY_MB = 110
"""MB of rows that one COPY takes in a second."""
WRITTEN = 2.1
"""Bytes that the server writes for each byte of rows."""
UNPACKED_MB = 550
"""MB of rows that come out of an archive in a second where it is packed with gzip; others are not unpacked here."""
SHARE = 0.5
"""Of the rows in an archive, from which on a table dominates it."""
SMALLEST = 256 << 20
"""Bytes in an archive of a table that is worth it."""
CORES, STORAGE_MB = 8, 500
"""What a server must have: below, one COPY and the tables beside it use what there is."""


@dataclass(frozen=True)
class Strength:
    """What the operator tells of a server."""

    cores: int = 0
    storage_mb: int = 0
    """MB that its storage writes in a second."""


UNKNOWN = Strength()


def copies(strength: Strength, compression: str, jobs: int) -> int:
    """How many connections at once are worth it for a table that dominates; 1 where it is not to be split."""
    if strength.cores < CORES or strength.storage_mb < STORAGE_MB or compression != "gzip":
        return 1
    by_storage = int(strength.storage_mb / (WRITTEN * COPY_MB))
    return max(1, min(jobs, strength.cores // 2, by_storage, UNPACKED_MB // COPY_MB))


def split(slices: Sequence[Slice], many: int) -> list[Slice]:
    """The slices; the one whose table dominates them is to be copied over so many connections."""
    total = sum(one.size for one in slices)
    return [replace(one, copies=many) if many > 1 and _dominates(one, total) else one for one in slices]


def told(works: Iterable[object]) -> str:
    """What is split of the pieces of a load, for its reason; empty where nothing is."""
    slices = (one for one in works if isinstance(one, Slice) and one.copies > 1)
    return "".join(f"; {one.tables[0]} is copied over {one.copies} connections" for one in slices)


def _dominates(one: Slice, total: int) -> bool:
    alone = len(one.entries) == len(one.tables) == 1 and one.repeatable
    return alone and one.size >= max(SMALLEST, SHARE * total)
