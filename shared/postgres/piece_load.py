"""Load an archive in pieces: its rows in slices, and the indexes of its large tables as soon as their rows are in.

Several processes may share the pieces. One of them makes the definitions before; it, or another one in its place, does
what comes after the last piece. Whoever is ended leaves a database that the next one goes on with.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from shared.contracts.imports import LoadMethod, Note
from shared.errors import LoadInterrupted, PermanentError
from shared.postgres import crew, temporary
from shared.postgres.archive import Archive
from shared.postgres.blocks import BlockIndex, Shelf, read_index
from shared.postgres.board import Held, LocalBoard, SharedBoard, write
from shared.postgres.crew import Crew, Work
from shared.postgres.load_settings import Resources, read_resources
from shared.postgres.pg_restore import Restorer
from shared.postgres.pieces import Piece, plan_pieces
from shared.postgres.post_data import Builder
from shared.postgres.schedule import make_schedule
from shared.postgres.schemas import Opened
from shared.postgres.server import Connection
from shared.postgres.slice_load import load_slice
from shared.postgres.slices import EXPANSION, Slice, digest, divide, plan_slices
from shared.postgres.split import UNKNOWN, Strength, Verdict, judge, split, told
from shared.postgres.staging import Route
from shared.postgres.temporary import Underway
from shared.postgres.toc import Entry
from shared.postgres.tolerance import Findings, merged

_PARTITIONED = re.compile(r"\)\s*PARTITION BY ")


@dataclass(frozen=True)
class Plan:
    """An archive's main pass, cut into pieces."""

    before: tuple[Entry, ...]
    """Definitions."""
    once: tuple[Slice, ...]
    """Rows that cannot be started over; they are loaded before anybody else can go on."""
    first: tuple[Entry, ...]
    """What builds need that holds nothing itself."""
    pieces: tuple[Piece, ...]
    unlogged: tuple[Slice, ...]
    """Rows that a crash of the server takes away; they are loaded when all pieces are."""
    others: tuple[Entry, ...]
    digest: str
    """Another one where the archive is another one, or is cut in another way."""
    told: str
    """What becomes of a table that dominates."""


def make_plan(archive: Archive, main: Sequence[Entry], index: BlockIndex, loaders: int, verdict: Verdict) -> Plan:
    """Cut the main pass for that many loaders; the verdict is about a table that dominates it."""
    parts = divide(main)
    slices = plan_slices(archive, parts.data, index, loaders)
    shared = [one for one in split(slices, verdict.copies) if one.repeatable and one.lasting]
    schedule = make_schedule(parts.after, archive.entries, _sizes(archive, index, shared))
    tables = {(entry.schema, entry.name): entry.dump_id for entry in archive.entries if entry.desc == "TABLE"}
    pieces = plan_pieces(shared, schedule.builds, tables)
    built = sorted((piece.number, piece.build.entry.dump_id) for piece in pieces if piece.build)
    version = archive.source.version
    return Plan(
        before=parts.before,
        once=tuple(one for one in slices if not one.repeatable),
        first=schedule.first,
        pieces=tuple(pieces),
        unlogged=tuple(one for one in slices if one.repeatable and not one.lasting),
        others=schedule.others,
        digest=digest(slices, f"{archive.head_size} {archive.source.size} {version} {built}".encode()),
        told=told(slices, verdict),
    )


@dataclass(frozen=True)
class Start:
    """What was done before the main pass."""

    findings: Findings
    opened: Opened
    granted: tuple[str, ...]
    settings: tuple[Note, ...]

    def underway(self, plan: str, route: Route, findings: Findings) -> Underway:
        """What others need to go on with the pieces of this plan."""
        return Underway(
            started=time.time(),
            plan=plan,
            reason=route.reason,
            jobs=route.jobs,
            lanes=route.lanes,
            opened=tuple(self.opened),
            granted=self.granted,
            settings=self.settings,
            notes=findings.notes,
            absent=findings.absent,
        )


def route_of(underway: Underway) -> Route:
    """The route of a load that is under way."""
    return Route(LoadMethod.SLICED, underway.reason, underway.jobs, underway.lanes)


@dataclass(frozen=True)
class PieceLoad:
    """The main pass of an archive on its way into one database."""

    restorer: Restorer
    head: Path
    """The archive's table of contents, on the local disk."""
    main: Sequence[Entry]
    route: Route
    shelf: Shelf
    strength: Strength = UNKNOWN

    def begin(self, start: Start, lock: Connection) -> Underway:
        """Make everything that must be there for the pieces; from here on others can go on.

        Raises:
            FlexRestoreError: as `Restorer.run`.
        """
        plan = self._plan
        before = self.restorer.run(plan.before, self.head)
        once = self._alone(plan.once)
        first = self.restorer.run(plan.first, self.head)
        route = replace(self.route, reason=self.route.reason + plan.told)
        underway = start.underway(plan.digest, route, merged([start.findings, before, *once, first]))
        write(lock, self.restorer.destination.dbname, underway)
        return underway

    def left(self) -> int:
        """How many pieces are left to do."""
        return self._board.left()

    def load(self, underway: Underway, until: float | None = None) -> int:
        """Do pieces beside others who do, until none is left or that time has come; how many are left to do.

        Raises:
            FlexRestoreError: as `Restorer.run`.
        """
        plan, board = self._plan, self._board
        if plan.digest != underway.plan:
            return 0
        self.restorer.destination.write(f"-- {len(plan.pieces)} pieces, {underway.jobs} side by side")
        restorer = replace(self.restorer, absent=frozenset(underway.absent))
        work = self._work(underway.jobs * underway.lanes, None)
        try:
            Crew(board, restorer, work, pauses=crew.PAUSES, until=until).run(min(underway.jobs, len(plan.pieces)) or 1)
        except PermanentError:
            board.fail()
            raise
        finally:
            board.close()
        return board.left()

    def finish(self, underway: Underway, lock: Connection) -> list[Findings]:
        """Do what comes after the pieces.

        Raises:
            LoadInterrupted: the pieces are not done, or not those of this plan; the next attempt starts anew.
            FlexRestoreError: as `Restorer.run`.
        """
        plan, destination = self._plan, self.restorer.destination
        if underway.plan != plan.digest or (underway.finishing and plan.unlogged):
            temporary.comment(lock, destination.dbname, None)
            raise LoadInterrupted("an attempt that was ended cannot be gone on with; the load starts anew")
        unlogged = self._alone(plan.unlogged, lock)
        loaded = self._board.finish(lock).findings
        restorer = replace(self.restorer, absent=frozenset(loaded.absent))
        # What several jobs say at once cannot always be told apart, and there is more to read where things are there.
        jobs = 1 if restorer.again else self.route.jobs
        return [loaded, *unlogged, restorer.run(plan.others, self.head, jobs=jobs)]

    @cached_property
    def _plan(self) -> Plan:
        archive, destination = self.restorer.archive, self.restorer.destination

        def still_wanted() -> None:
            destination.deadline.left()
            destination.still_wanted()

        index = read_index(archive, still_wanted, self.shelf)
        verdict = judge(self.strength, archive.compression, self.route.jobs)
        return make_plan(archive, self.main, index, self.route.jobs * self.route.lanes, verdict)

    @cached_property
    def _resources(self) -> Resources:
        with self.restorer.destination.connect() as connection:
            return read_resources(connection, self.strength.cores)

    @cached_property
    def _board(self) -> SharedBoard:
        destination = self.restorer.destination
        return SharedBoard(destination.server, destination.dbname, self._plan.pieces, self._resources)

    def _alone(self, slices: Sequence[Slice], lock: Connection | None = None) -> list[Findings]:
        """Load slices that only who has the load's lock may take; without it nobody else knows of the database."""
        if not slices:
            return []
        jobs = self.route.jobs
        board = LocalBoard(plan_pieces(slices, (), {}), jobs, self._resources)
        Crew(board, self.restorer, self._work(jobs, lock)).run(min(jobs, len(slices)))
        return board.findings

    def _work(self, loaders: int, lock: Connection | None) -> Work:
        """What is done with a piece, which its own connection holds, or the load's."""
        build = Builder(self.head, loaders, self._resources)

        def work(restorer: Restorer, held: Held) -> Findings:
            one = held.piece.work
            if isinstance(one, Slice):
                return load_slice(restorer, self.head, one, held.connection or lock)
            return build(restorer, held)

        return work


def _sizes(archive: Archive, index: BlockIndex, slices: Sequence[Slice]) -> dict[tuple[str, str], int]:
    """Bytes of each table that is loaded in pieces, as its rows in the archive tell; partitioned ones have none."""
    lengths = {block.dump_id: block.length for block in index.blocks}
    sizes = {
        (entry.schema, entry.name): 0
        for entry in archive.entries
        if entry.desc == "TABLE" and not _PARTITIONED.search(entry.definition)
    }
    sizes |= {(entry.schema, entry.name): lengths[entry.dump_id] * EXPANSION for one in slices for entry in one.entries}
    return sizes
