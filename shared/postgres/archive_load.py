"""Load an archive, custom or tar, into an empty database, in passes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shared.contracts.imports import LoadMethod, Note, NoteKind
from shared.errors import ImportFailed
from shared.postgres.archive import Archive
from shared.postgres.blocks import NO_SHELF, Shelf
from shared.postgres.chunks import for_pg_restore
from shared.postgres.contents import Selection, check_extensions, select
from shared.postgres.destination import Destination
from shared.postgres.notes import make_note
from shared.postgres.options import ImportOptions
from shared.postgres.pg_restore import Feed, Restorer
from shared.postgres.piece_load import PieceLoad, Start, route_of
from shared.postgres.post_data import restore_post_data
from shared.postgres.privileges import describe, grantors, plan_grants, run_grants
from shared.postgres.properties import Properties, read_properties
from shared.postgres.schemas import close_schemas, open_schemas, to_close
from shared.postgres.server import Capabilities, Connection, Roles, ensure_can_set, read_capabilities
from shared.postgres.slices import divide
from shared.postgres.split import UNKNOWN, Strength
from shared.postgres.staging import Route, stage
from shared.postgres.temporary import Underway
from shared.postgres.toc import Entry
from shared.postgres.tolerance import Findings, merged


@dataclass(frozen=True)
class Loaded:
    """How a database was filled."""

    route: Route
    notes: tuple[Note, ...] = ()
    absent: tuple[int, ...] = ()
    """Dump ids of entries that could not be made and need not be."""
    closing: tuple[str, ...] = ()
    """Statements about the database itself, for when it gets its name."""


@dataclass(frozen=True)
class Sharing:
    """What a load needs to go on with what another attempt has begun, and to let others go on with it."""

    lock: Connection
    """What holds the load's lock."""
    alone: bool
    """Whether this process does the pieces itself."""
    underway: Underway | None = None
    """How far the other one has come."""
    settings: tuple[Note, ...] = ()
    """What was noted about the database's settings."""
    shelf: Shelf = NO_SHELF
    strength: Strength = UNKNOWN


@dataclass(frozen=True)
class ArchiveLoad:
    """One archive on its way into one server."""

    archive: Archive
    selection: Selection
    roles: Roles
    properties: Properties
    capabilities: Capabilities
    options: ImportOptions

    @classmethod
    def prepare(cls, archive: Archive, connection: Connection, options: ImportOptions) -> "ArchiveLoad":
        """Look at what the archive needs and at what the server has, and touch nothing but the user's memberships.

        Raises:
            TargetRefused: the server lacks extensions.
        """
        selection = select(archive.entries, options)
        capabilities = read_capabilities(connection)
        check_extensions(selection.extensions, capabilities)
        grants = grantors([*selection.privileges, *selection.database])
        roles = ensure_can_set(connection, selection.owners | grants)
        properties = read_properties(archive.database, selection.database)
        return cls(archive, selection, roles, properties, capabilities, options)

    def fill(self, destination: Destination, route: Route, sharing: Sharing) -> Loaded | None:
        """Fill the database: schemas and extensions, most of it, partition trees, privileges, materialized views.

        Only the main pass reads data; the others work from the archive's head on the local disk. None: it is to be
        loaded in pieces by several processes, and some are left.

        Raises:
            ImportFailed: statements failed that are not known to be harmless.
            FlexRestoreError: as `Restorer.run`.
        """
        head, underway = self._head(destination), sharing.underway
        restorer = replace(self._restorer(destination), again=underway is not None and underway.finishing)
        first = restorer.run(self.selection.first, head) if underway is None else Findings()
        granted = underway.granted if underway else self.roles.granted
        with destination.connect() as connection:
            opened = list(underway.opened) if underway else open_schemas(connection)
            main, comment_notes = _without_foreign_comments(connection, self.selection.main)
        if route.method is LoadMethod.SLICED:
            load = PieceLoad(restorer, head, main, route, sharing.shelf, sharing.strength)
            start = Start(first, opened, granted, sharing.settings)
            underway = underway or load.begin(start, sharing.lock)
            route = route_of(underway)
            if not underway.finishing and (load.load(underway) if sharing.alone else load.left()):
                return None
            second = load.finish(underway, sharing.lock)
        else:
            route, second = self._restore_main(restorer, main, head, route, sharing.strength.cores)
        third = restorer.run(self.selection.trees, head)
        with destination.connect() as connection:
            if self.options.grants:
                opened = to_close(opened, self.archive.summary.dumped_by)
            close_schemas(connection, opened)
            grant_notes = self._grant(connection)
        # A view's owner computed it under the policies that hold for the owner.
        fourth = restorer.run(self.selection.refreshes, head, row_security=True)
        closing, closing_notes = self._closing()
        role_notes = self._role_notes(destination.server.user, granted)
        findings = merged([first, *second, third, fourth])
        notes = (*self.selection.notes, *role_notes, *comment_notes, *grant_notes, *closing_notes, *findings.notes)
        return Loaded(route, notes, findings.absent, closing)

    def load_pieces(
        self, destination: Destination, underway: Underway, shelf: Shelf, strength: Strength, until: float
    ) -> int:
        """Do pieces of a load beside other processes until that time has come; how many are left to do.

        Raises:
            FlexRestoreError: as `Restorer.run`.
        """
        restorer, head = self._restorer(destination), self._head(destination)
        load = PieceLoad(restorer, head, self.selection.main, route_of(underway), shelf, strength)
        return load.load(underway, until)

    def _head(self, destination: Destination) -> Path:
        head = destination.folder / "head"
        self.archive.write_head(head)
        return head

    def _restorer(self, destination: Destination) -> Restorer:
        missing_owners = frozenset(role for role in self.selection.owners if self.roles.why_not(role))
        return Restorer(self.archive, destination, missing_owners, self.options)

    def _restore_main(
        self, restorer: Restorer, main: Sequence[Entry], head: Path, route: Route, cores: int
    ) -> tuple[Route, list[Findings]]:
        """The main pass: from the head where no data are wanted, from the staged file, or streamed."""
        archive: Path | Feed = head
        if route.method is not LoadMethod.DEFINITIONS:
            destination, source = restorer.destination, self.archive.source
            route, staged = stage(source, destination.folder, route, destination.still_wanted)
            blocks = sum(entry.place is not None for entry in self.archive.entries)
            archive = staged or Feed(
                "streamed", lambda _: for_pg_restore(self.archive, source.chunks(), blocks, behind_head=False)
            )
        if route.method is not LoadMethod.STAGED_PARALLEL:
            return route, [restorer.run(main, archive, jobs=route.jobs)]
        parts = divide(main)
        data = restorer.run((*parts.before, *parts.data), archive, jobs=route.jobs)
        restorer = replace(restorer, absent=frozenset(data.absent))
        return route, [data, *restore_post_data(restorer, parts.after, head, route.jobs, cores)]

    def _grant(self, connection: Connection) -> list[Note]:
        grants = plan_grants(self.selection.privileges, self.roles)
        tolerated, failed = run_grants(connection, grants)
        if failed:
            raise ImportFailed(
                f"{len(failed)} grants failed; the first: {failed[0].reason}",
                details=[describe(note) for note in failed],
            )
        return [*grants.notes, *tolerated]

    def _closing(self) -> tuple[tuple[str, ...], tuple[Note, ...]]:
        grants = plan_grants(self.properties.privileges, self.roles)
        return (*self.properties.closing, *(text for _, text in grants.statements)), grants.notes

    def _role_notes(self, user: str, granted: Iterable[str]) -> list[Note]:
        """What the user did to become roles, and a note for each role that cannot own here what it owned."""
        owned: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.selection.objects:
            if entry.owner and self.roles.why_not(entry.owner):
                owned[entry.owner].append(entry)
        joined = [
            make_note(
                kind=NoteKind.CHANGED, subject=f'role "{role}"', reason=f"{user} is a member of it now", matters=False
            )
            for role in granted
        ]
        return joined + [
            make_note(
                kind=NoteKind.CHANGED,
                subject=f'owner "{role}"',
                reason=f"{self.roles.why_not(role)}: {user} owns {len(entries)} objects instead, such as {entries[0]}",
            )
            for role, entries in sorted(owned.items())
        ]


def _without_foreign_comments(connection: Connection, entries: Sequence[Entry]) -> tuple[list[Entry], list[Note]]:
    """The entries without comments on extensions that belong to the server."""
    rows = connection.execute(
        "SELECT extname FROM pg_catalog.pg_extension WHERE NOT pg_catalog.pg_has_role(extowner, 'USAGE')"
    )
    foreign = {f"EXTENSION {quoted}" for (name,) in rows for quoted in (name, f'"{name}"')}
    left_out = {entry.dump_id for entry in entries if entry.desc == "COMMENT" and entry.name in foreign}
    kept = [entry for entry in entries if entry.dump_id not in left_out]
    return kept, list(_comment_notes(entry for entry in entries if entry.dump_id in left_out))


def _comment_notes(comments: Iterable[Entry]) -> Iterable[Note]:
    reason = "the extension belongs to the server and brings its own comment"
    return (make_note(kind=NoteKind.SKIPPED, subject=str(entry), reason=reason, matters=False) for entry in comments)
