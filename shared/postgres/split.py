"""Whether one table's rows are copied over several connections, and over how many.

A COPY is one process on the server: it takes 110 MB of rows a second and a core of its own. More of them pay where one
table is most of an archive, so that no other one could be loaded meanwhile, where the server has the cores, and where
its storage takes what they write: 2.1 bytes for each of the rows, in the table and in the log of writes. SQL tells
neither cores nor storage, so the operator does, and nothing is split otherwise. The figures are measured; they and what
was measured of splitting are in docs/import-speed.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from shared.postgres.slices import Slice

COPY_MB = 110
"""MB of rows that one COPY takes in a second."""
WRITTEN = 2.1
"""Bytes that the server writes for each byte of rows."""
UNPACKED_MB = {"gzip": 550, "none": 250, "lz4": 600, "zstd": 400}
"""MB of rows that come out of an archive in a second, by what it is packed with."""
SHARE = 0.5
"""Of the rows in an archive, from which on a table dominates it."""
SMALLEST = 16 << 20
"""Bytes in an archive of a table that is worth it."""
CORES, STORAGE_MB = 2, 250
"""What a server must have: below, one COPY uses what there is."""


@dataclass(frozen=True)
class Strength:
    """What the operator tells of a server."""

    cores: int = 0
    storage_mb: int = 0
    """MB that its storage writes in a second."""


UNKNOWN = Strength()


@dataclass(frozen=True)
class Verdict:
    """Over how many connections a table that dominates is copied, and why not over more, or fewer."""

    copies: int = 1
    reason: str = ""


def judge(strength: Strength, compression: str, jobs: int) -> Verdict:
    """How many connections at once are worth it."""
    if why := _why_not(strength, compression, jobs):
        return Verdict(reason=why)
    grounds = {
        f"{strength.cores} cores": max(2, strength.cores // 2),
        f"storage for {strength.storage_mb} MB a second": ceil(strength.storage_mb / (WRITTEN * COPY_MB)),
        f"what is unpacked of {compression}": UNPACKED_MB[compression] // COPY_MB,
        f"the load's {jobs} jobs": jobs,
    }
    least = min(grounds, key=lambda ground: grounds[ground])
    return Verdict(grounds[least], f"no more for {least}")


def split(slices: Sequence[Slice], copies: int) -> list[Slice]:
    """The slices; the one whose table dominates them is to be copied over so many connections."""
    return [replace(one, copies=copies) if _dominates(one, slices) else one for one in slices]


def told(slices: Sequence[Slice], verdict: Verdict) -> str:
    """What becomes of a table that dominates, for the load's reason; empty where none does."""
    total = sum(one.size for one in slices)
    how = "one connection" if verdict.copies == 1 else f"{verdict.copies} connections"
    return "".join(
        f"; {one.tables[0]}, {one.size / total:.0%} of the rows, is copied over {how}: {verdict.reason}"
        for one in slices
        if _dominates(one, slices)
    )


def _why_not(strength: Strength, compression: str, jobs: int) -> str:
    """Why one connection is enough, in words; empty where it is not."""
    if jobs == 1:
        return "the load has one job"
    if not (strength.cores and strength.storage_mb):
        return "nobody has told the target's cores and storage"
    if strength.cores < CORES:
        return "the target has one core"
    if strength.storage_mb < STORAGE_MB:
        return f"the target's storage writes {strength.storage_mb} MB a second, and {STORAGE_MB} are needed"
    return "" if compression in UNPACKED_MB else "nobody knows how its rows are packed"


def _dominates(one: Slice, slices: Sequence[Slice]) -> bool:
    alone = len(one.entries) == len(one.tables) == 1 and one.repeatable and one.lasting
    return alone and one.size >= max(SMALLEST, SHARE * sum(other.size for other in slices))
