"""Temporary databases: what a load fills before anyone may see it."""

import hashlib
import json
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from pydantic import ValidationError

from shared.contracts.base import Contract
from shared.contracts.imports import DatabaseLoad, Note, Notes
from shared.contracts.plan import Finding
from shared.errors import LoadInterrupted
from shared.postgres.server import Connection
from shared.postgres.tolerance import Findings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadKey:
    """One database of one restore: what a load is fenced by, and what its temporary databases are called after."""

    restore_id: str
    database: str
    """The name in the backup."""

    @property
    def lock(self) -> str:
        """The key of the advisory lock."""
        return f"flex-restore load {json.dumps([self.restore_id, self.database])}"

    @property
    def prefix(self) -> str:
        """How the names of its temporary databases begin."""
        digest = hashlib.sha256(json.dumps([self.restore_id, self.database]).encode()).hexdigest()
        return f"flexrestore_{digest[:16]}_"

    def new_name(self) -> str:
        """A name for one attempt: what a killed attempt left running cannot write into the next one's database."""
        return self.prefix + secrets.token_hex(6)


class Record(Contract):
    """What is kept in a temporary database's comment: that it is loaded, and what to do when it gets its name."""

    load: DatabaseLoad
    source_name: str
    """The name that `closing` calls the database."""
    closing: tuple[str, ...] = ()
    """Statements that set owner, privileges, limits and comment of the database, in this order."""


class Underway(Contract):
    """What is kept in the comment of a database that is loaded in pieces: enough for others to go on with them."""

    started: float
    """Seconds since 1970."""
    plan: str
    """A digest of the pieces: another version of the app may cut others."""
    reason: str
    """Why it is loaded in pieces, in words."""
    jobs: int
    """Connections of each process."""
    lanes: int
    """How many processes load it side by side, at most."""
    opened: tuple[tuple[str, str], ...]
    """Schemas and privileges that everyone has until the rows are there."""
    granted: tuple[str, ...]
    """Roles that the import's user made itself a member of."""
    settings: tuple[Note, ...]
    """What was noted about the database's settings."""
    notes: tuple[Note, ...] = ()
    """What was noted since."""
    absent: tuple[int, ...] = ()
    """Dump ids of entries that could not be made and need not be."""
    done: tuple[int, ...] = ()
    """Numbers of the pieces that are loaded."""
    failed: bool = False
    """Whether a piece failed that would fail again."""
    finishing: bool = False
    """Whether all pieces are loaded, and one process does what comes after them."""

    @property
    def findings(self) -> Findings:
        """Of everything so far."""
        return Findings(self.notes, self.absent)


class Replaced(Contract):
    """What is kept in the comment of a database that made way for a loaded one and is still to be dropped."""

    replaced_by: int
    """OID of the loaded one."""
    notes: Notes = Notes()
    """What was said when the loaded one got the name: who is asked again answers it again."""


@dataclass(frozen=True)
class Database:
    """A database of the server."""

    oid: int
    name: str
    comment: str

    @property
    def record(self) -> Record | None:
        """What a finished load wrote; None when it is not finished or this is no temporary database."""
        try:
            return Record.model_validate_json(self.comment)
        except ValidationError:
            return None

    @property
    def underway(self) -> Underway | None:
        """How far a load in slices has come; None when nobody can go on with it."""
        try:
            return Underway.model_validate_json(self.comment)
        except ValidationError:
            return None

    @property
    def replaced(self) -> Replaced | None:
        """Which database this one made way for."""
        try:
            return Replaced.model_validate_json(self.comment)
        except ValidationError:
            return None


_DATABASES = (
    "SELECT oid, datname, coalesce(pg_catalog.shobj_description(oid, 'pg_database'), '') FROM pg_catalog.pg_database"
)


def temporaries(connection: Connection, key: LoadKey) -> list[Database]:
    """All temporary databases of the load, finished or not."""
    rows = connection.execute(f"{_DATABASES} WHERE starts_with(datname, %s) ORDER BY oid", [key.prefix])
    return [Database(*row) for row in rows]


def all_databases(connection: Connection) -> list[Database]:
    """The databases of the server."""
    return [Database(*row) for row in connection.execute(f"{_DATABASES} ORDER BY oid")]


def by_oid(connection: Connection, oid: int) -> Database | None:
    """The database of that OID."""
    row = connection.execute(f"{_DATABASES} WHERE oid = %s", [oid]).fetchone()
    return Database(*row) if row else None


def by_name(connection: Connection, name: str) -> Database | None:
    """The database of that name."""
    row = connection.execute(f"{_DATABASES} WHERE datname = %s", [name]).fetchone()
    return Database(*row) if row else None


def taken(connection: Connection, names: Sequence[str]) -> list[Finding]:
    """A finding for each of these final names that a database has already."""
    rows = connection.execute("SELECT datname FROM pg_catalog.pg_database WHERE datname = ANY(%s)", [names])
    return [name_taken(name) for (name,) in rows]


def name_taken(name: str) -> Finding:
    """That a database has this final name already, and the ways out."""
    return Finding(
        check="existing databases",
        severity="error",
        message=f"Database {name!r} exists on the target server.",
        remedy="give it another name with 'as', or say onConflict: replace or skip",
    )


def replaced(connection: Connection, oid: int) -> list[Database]:
    """Databases that made way for the one of that OID and were not dropped yet."""
    return [
        database for database in all_databases(connection) if database.replaced and database.replaced.replaced_by == oid
    ]


def create(connection: Connection, name: str, options: str) -> int:
    """Create a database that only its owner can connect to; answers its OID.

    Nothing in it is public while it fills, so everyone may create in it: the owners of objects need that right at the
    moment they get them, and have it on the source through grants that come at the end of an archive.
    """
    create_it = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ").format(sql.Identifier(name)).as_bytes(connection)
    connection.execute(create_it + options.encode("utf-8", "surrogateescape"))
    connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
    connection.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO PUBLIC").format(sql.Identifier(name)))
    database = by_name(connection, name)
    if database is None:
        raise psycopg.DatabaseError(f"database {name} is gone right after it was created")
    return database.oid


def comment(connection: Connection, name: str, text: str | None) -> None:
    """Set a database's comment; None takes it away."""
    statement = sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(text))
    connection.execute(statement)


def rename(connection: Connection, name: str, new_name: str) -> None:
    """Give a temporary database another name, so that an attempt that was ended does nothing in it any more.

    Raises:
        LoadInterrupted: somebody keeps connecting to it.
    """
    alter = sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(new_name))
    for _ in range(_RENAMES):
        connection.execute(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
            " WHERE datname = %s AND usename = current_user",
            [name],
        )
        try:
            connection.execute(alter)
        except psycopg.errors.ObjectInUse:
            log.info("somebody is connected to database %s", name)
        else:
            return
    raise LoadInterrupted(f"sessions in database {name} do not end")


_RENAMES = 5
"""Tries; the server waits five seconds for sessions to end before it refuses."""


def drop(connection: Connection, name: str) -> None:
    """Drop a database and throw out whoever is connected to it; none of that name is fine."""
    log.info("dropping database %s", name)
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
