"""Temporary databases, and replaced ones, that a restore of ours which is over has left on its target server.

A temporary database is known by its name, which only the restore's id and the database's give; a replaced one by its
comment, which names the database that took its place. Neither is dropped while a load or a promotion holds its lock.
"""

import logging
import re
from collections.abc import Iterator

from psycopg import sql

from shared.contracts.files import Listing
from shared.contracts.housekeeping import Item, Kind
from shared.contracts.imports import DatabaseLoad, Promotion
from shared.contracts.plan import Plan
from shared.contracts.status import TEXT_LIMIT
from shared.errors import FlexRestoreError, cut
from shared.housekeeping.census import Census
from shared.postgres import temporary
from shared.postgres.server import Connection, TargetServer, server_errors
from shared.postgres.temporary import Database, LoadKey
from shared.settings import settings
from shared.storage.ledger import Ledger, database_record
from shared.targets import target_server

_TEMPORARY = re.compile(r"(?P<prefix>flexrestore_[0-9a-f]{16}_)[0-9a-f]{12}")
_log = logging.getLogger(__name__)


def look() -> Iterator[Item]:
    """The databases to drop, on every target; a target that does not answer is told and stops no other."""
    census = Census.take()
    for alias in sorted(settings().targets):
        try:
            yield from _left_on(alias, census)
        except FlexRestoreError as error:
            name = f"target {alias}"
            yield Item(kind=Kind.DATABASE, name=name, why="its databases are looked at", problem=error.text)


def remove(item: Item) -> bool:
    """Drop a database, known by its OID, unless its lock is held."""
    server = target_server(item.facts["target"])
    lock = LoadKey(item.restores[0], item.facts["database"]).lock
    with server_errors(), server.try_advisory_lock(lock) as connection:
        if connection is None:
            return False
        database = temporary.by_oid(connection, item.facts["oid"])
        if database is not None and database.name == item.facts["name"] and _may_go(connection, database):
            _drop(connection, database)
    return True


def _left_on(alias: str, census: Census) -> Iterator[Item]:
    server = target_server(alias)
    with server_errors(), server.connect() as connection:
        found = [one for one in temporary.all_databases(connection) if _TEMPORARY.fullmatch(one.name) or one.replaced]
    known = _Known(alias, server, census, successors=any(one.replaced for one in found))
    for database in found:
        if (key := known.key(database)) is not None:
            yield _item(alias, database, key)
        else:
            _log.info("%s on target %s is of no restore that is over and known here", database.name, alias)


def _item(alias: str, database: Database, key: LoadKey) -> Item:
    kind, why = "temporary", "its import did not come to its end"
    if database.replaced:
        kind, why = "replaced", "the database that took its place stands"
    return Item(
        kind=Kind.DATABASE,
        name=f"{kind} database {database.name} on target {alias}",
        restores=(key.restore_id,),
        why=f"{why}, and restore {key.restore_id} is over",
        facts={"target": alias, "oid": database.oid, "name": database.name, "database": key.database},
    )


def _mark(database: Database) -> str | int:
    """What tells whose it is: the beginning of its name, or the OID of its successor."""
    if named := _TEMPORARY.fullmatch(database.name):
        return named["prefix"]
    return database.replaced.replaced_by if database.replaced else ""


class _Known:
    """The loads of the restores into a target that are over; their records are read until the one that is sought."""

    def __init__(self, alias: str, server: TargetServer, census: Census, *, successors: bool) -> None:
        over = reversed(census.ended_before(census.taken))
        self._unread = (name for name in over if census.rows[name].target == cut(alias, TEXT_LIMIT))
        self._host = server.host
        self._successors = successors
        self._keys: dict[str | int, LoadKey] = {}
        """By the prefix of their temporary databases; where successors are sought, by the OIDs of their databases."""

    def key(self, database: Database) -> LoadKey | None:
        """The load that has left this database."""
        mark = _mark(database)
        while mark not in self._keys and (request_id := next(self._unread, None)):
            self._read(Ledger(request_id))
        return self._keys.get(mark)

    def _read(self, ledger: Ledger) -> None:
        listing = ledger.read("listing", Listing)
        keys = [LoadKey(ledger.request_id, file.database) for file in listing.databases] if listing else []
        self._keys.update({key.prefix: key for key in keys})
        if self._successors and keys and (plan := ledger.read("plan", Plan)) and plan.target.host == self._host:
            self._read_oids(ledger, keys)

    def _read_oids(self, ledger: Ledger, keys: list[LoadKey]) -> None:
        names = set(ledger.names("databases"))
        for key in keys:
            kinds: tuple[tuple[str, type[DatabaseLoad | Promotion]], ...] = (
                ("load", DatabaseLoad),
                ("promotion", Promotion),
            )
            for record, kind in kinds:
                name = database_record(key.database, record)
                found = ledger.read(name, kind) if name.removeprefix("databases/") in names else None
                if found is not None:
                    self._keys.setdefault(found.oid, key)


def _drop(connection: Connection, database: Database) -> None:
    if database.replaced is not None:  # a database that was a template still is one
        unmark = sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(database.name))
        connection.execute(unmark)
    temporary.drop(connection, database.name)


def _may_go(connection: Connection, database: Database) -> bool:
    """Whether it is a temporary database, or one whose successor stands."""
    if database.replaced is None:
        return _TEMPORARY.fullmatch(database.name) is not None
    return temporary.by_oid(connection, database.replaced.replaced_by) is not None
