"""Source and target held against each other: databases, schemas, rows, sequences, large objects, roles."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from local.demo.catalog import read_properties, read_roles, user_databases
from local.demo.contents import read_contents
from local.demo.differences import Area, Difference, Inventory, Item, differences, explained
from local.demo.schema import read_schema
from local.servers.postgres import FlexibleServer
from shared.contracts.imports import Note

type NotesByDatabase = Mapping[str, Sequence[Note]]
"""The report's notes by the database that they are about; those about roles under `SERVER`."""

SERVER = ""


@dataclass(frozen=True)
class DatabaseSnapshot:
    """A database at one moment.

    Attributes:
        inventory: everything of it that is compared.
        rows: how many rows each table has.
    """

    inventory: Inventory
    rows: Mapping[str, int]


@dataclass(frozen=True)
class ServerSnapshot:
    """A server at one moment.

    Attributes:
        databases: the customer's databases by name.
        roles: the applications' roles.
    """

    databases: Mapping[str, DatabaseSnapshot]
    roles: Inventory


@dataclass(frozen=True)
class Compared:
    """One database, or the roles, of both servers.

    Attributes:
        name: the database, or `roles`.
        items: how many were compared.
        tables: how many tables the source has.
        rows: how many rows they have.
        differences: what is not the same.
    """

    name: str
    items: int
    tables: int
    rows: int
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    @property
    def explained(self) -> bool:
        """Whether the report says why of everything that differs."""
        return all(difference.explained for difference in self.differences)


@dataclass(frozen=True)
class Comparison:
    """Both servers held against each other."""

    databases: tuple[Compared, ...]
    roles: Compared

    @property
    def parts(self) -> tuple[Compared, ...]:
        """The databases, then the roles."""
        return (*self.databases, self.roles)

    @property
    def explained(self) -> bool:
        """Whether all is equal or explained."""
        return all(part.explained for part in self.parts)


def snapshot(server: FlexibleServer, administrators: Sequence[str]) -> ServerSnapshot:
    """Read a server; the administrators' own roles are left out."""
    names = user_databases(server)
    with ThreadPoolExecutor(max_workers=2) as threads:
        databases = threads.map(lambda name: _database(server, name), names)
        return ServerSnapshot(dict(zip(names, databases, strict=True)), read_roles(server, administrators))


def _database(server: FlexibleServer, name: str) -> DatabaseSnapshot:
    contents = read_contents(server, name)
    inventory = {**read_properties(server, name), **read_schema(server, name), **contents.inventory}
    return DatabaseSnapshot({Item(Area.DATABASE, f"DATABASE {name}"): "exists", **inventory}, contents.rows)


def compare(source: ServerSnapshot, target: ServerSnapshot, notes: NotesByDatabase) -> Comparison:
    """Hold two servers against each other; a database that only one of them has is one difference."""
    names = sorted({*source.databases, *target.databases})
    return Comparison(
        databases=tuple(_compare_database(name, source, target, notes) for name in names),
        roles=_compared("roles", source.roles, target.roles, notes.get(SERVER, ())),
    )


def _compare_database(name: str, source: ServerSnapshot, target: ServerSnapshot, notes: NotesByDatabase) -> Compared:
    before, after = source.databases.get(name), target.databases.get(name)
    exists = {Item(Area.DATABASE, f"DATABASE {name}"): "exists"}
    return _compared(
        name,
        before.inventory if before and after else exists if before else {},
        after.inventory if before and after else exists if after else {},
        notes.get(name, ()),
        before.rows if before else {},
    )


def _compared(
    name: str, source: Inventory, target: Inventory, notes: Sequence[Note], rows: Mapping[str, int] | None = None
) -> Compared:
    found = tuple(explained(difference, notes) for difference in differences(source, target))
    return Compared(
        name=name,
        items=len({*source, *target}),
        tables=len(rows or ()),
        rows=sum((rows or {}).values()),
        differences=found,
    )
