"""The pieces that a load is cut into, and which of them comes next.

A piece is a slice of rows, or an index or constraint that is built on a large table. It can begin when what it needs is
done: an index when its table's rows are in, whatever else is still being loaded. What has the longest way to go to the
end, with everything that waits for it, begins first; and workers are given on purpose, so that no build starves.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from shared.postgres.load_settings import WORKERS_LIMIT, Resources, memory_of_each
from shared.postgres.schedule import COPY_COST, FOREIGN_KEY, Build
from shared.postgres.slices import EXPANSION, Slice

GIN_MEMORY = 32 << 10
"""KiB of maintenance_work_mem for each process that builds a GIN index: with less the server starts no worker, and a
larger tree of keys in memory is slower, since the processor's caches do not hold it."""


@dataclass(frozen=True)
class Piece:
    """One piece of a load."""

    number: int
    work: Slice | Build
    needs: frozenset[int] = frozenset()
    """Numbers of the pieces that come before it."""
    way: float = 0.0
    """What it takes, and the longest way of what waits for it."""

    @property
    def build(self) -> Build | None:
        """The index or constraint, where it is one."""
        return self.work if isinstance(self.work, Build) else None


def plan_pieces(slices: Sequence[Slice], builds: Sequence[Build], tables: Mapping[tuple[str, str], int]) -> list[Piece]:
    """The pieces of a load, what has the longest way first.

    Args:
        slices: of the rows, whose numbers stay.
        builds: in an order in which each comes behind what it needs.
        tables: dump ids of the tables, by schema and name.
    """
    behind = max((one.number for one in slices), default=-1) + 1
    filled: dict[int, set[int]] = {}
    for one in slices:
        for entry in one.entries:
            filled.setdefault(tables.get((entry.schema, entry.name), 0), set()).add(one.number)
    builds = sorted(builds, key=lambda build: not _is_key(build))
    numbers = {build.entry.dump_id: number for number, build in enumerate(builds, behind)}
    needs = {
        numbers[build.entry.dump_id]: frozenset(
            {number for table in build.tables for number in filled.get(table, ())}
            | {numbers[dump_id] for dump_id in build.needs | _keys_before(build, builds)}
        )
        for build in builds
    }
    behind_it = dict[int, float]()
    pieces: list[Piece] = []
    for work, number in [*((build, numbers[build.entry.dump_id]) for build in builds)][::-1] + [
        (one, one.number) for one in slices
    ]:
        way = _cost(work) + behind_it.get(number, 0.0)
        pieces.append(Piece(number, work, needs.get(number, frozenset()), way))
        for before in needs.get(number, ()):
            behind_it[before] = max(behind_it.get(before, 0.0), way)
    return sorted(pieces, key=lambda piece: (-piece.way, piece.number))


def next_piece(
    pieces: Iterable[Piece], done: AbstractSet[int], running: Mapping[int, int], loaders: int, resources: Resources
) -> tuple[Piece, int] | None:
    """The piece that begins next, and its parallel workers; None when none can begin now.

    Args:
        pieces: of the load, what has the longest way first.
        done: numbers of those that are.
        running: numbers of those that are under way, with their workers.
        loaders: how many pieces can be under way at once.
        resources: of the server.
    """
    every = list(pieces)
    at_work = [piece.build for piece in every if piece.number in running and piece.build]
    ready = [
        piece
        for piece in every
        if piece.number not in done and piece.number not in running and piece.needs <= done
        if piece.build is None or not _locked(piece.build, at_work)
    ]
    if not ready:
        return None
    first, *rivals = ready
    most = resources.max_parallel_workers
    if resources.cores:
        most = min(most, resources.cores - len(running) - 1)
    free = most - sum(running.values())
    return first, _workers(first, rivals[: max(0, loaders - len(running) - 1)], free, resources.version)


def memory_for(build: Build, workers: int, loaders: int, resources: Resources) -> int:
    """KiB of maintenance_work_mem for a build: all of them together take what the server's buffers take.

    A GIN index of a table that the buffers do not hold takes as much where one process builds it, for that one writes
    into the index whenever its memory is full; several sort what they have first.
    """
    if build.method == "gin" and (workers or build.size >> 10 <= resources.shared_buffers):
        return GIN_MEMORY * max(2, workers + 1)
    return memory_of_each(resources, loaders)


def _keys_before(build: Build, builds: Iterable[Build]) -> set[int]:
    """Dump ids of the keys of an index's table: they lock it, so behind a slow index they would come last of all."""
    if build.exclusive:
        return set()
    return {one.entry.dump_id for one in builds if _is_key(one) and not one.tables.isdisjoint(build.tables)}


def _is_key(build: Build) -> bool:
    return build.exclusive and build.method != FOREIGN_KEY


def _cost(work: Slice | Build) -> float:
    return work.cost if isinstance(work, Build) else work.size * EXPANSION * COPY_COST


def _locked(build: Build, at_work: Iterable[Build]) -> bool:
    """Whether a build that is under way locks one of its tables against it."""
    return any((build.exclusive or other.exclusive) and not build.tables.isdisjoint(other.tables) for other in at_work)


def _workers(piece: Piece, rivals: Iterable[Piece], free: int, version: int) -> int:
    """A build's share of the workers that are free, by what it takes; the others that can begin beside it have theirs.

    So the sum stays within the server's limit, and with the builds themselves within its cores, where they are known:
    beyond them workers cost more than they bring.
    """
    build = piece.build
    if build is None or not build.is_parallel(version):
        return 0
    total = build.cost + sum(one.build.cost for one in rivals if one.build and one.build.is_parallel(version))
    share = round(free * build.cost / total) if total else free
    return max(0, min(share, free, WORKERS_LIMIT))
