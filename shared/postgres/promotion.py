"""Give a loaded and verified database its final name, or drop it."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

import psycopg
from psycopg import sql

from shared.contracts.imports import Note, NoteKind, Notes, Promotion
from shared.contracts.request import NAME_BYTES
from shared.errors import DatabaseExists, ImportFailed, TargetRefused
from shared.postgres import temporary
from shared.postgres.notes import make_note
from shared.postgres.properties import NOT_ITS_OWN, renamed
from shared.postgres.script import tokens
from shared.postgres.server import Connection, TargetServer, message, server_errors
from shared.postgres.temporary import Database, LoadKey, Record, Replaced
from shared.topology import SYSTEM_DATABASES

log = logging.getLogger(__name__)

type OnConflict = Literal["fail", "skip", "replace"]

_QUIET_SECONDS = 20
"""How long to try while others are or keep connecting."""
_LOOKS_EVERY = 0.2
"""Seconds between two looks for sessions, while a rename waits for their end."""


def promote(  # noqa: PLR0913  what, whereto, and on which conditions
    server: TargetServer,
    key: LoadKey,
    oid: int,
    final_name: str,
    *,
    on_conflict: OnConflict = "fail",
    still_wanted: Callable[[], None] = lambda: None,
    known: Promotion | None = None,
    remember: Callable[[Promotion], object] = lambda _: None,
) -> Promotion:
    """Rename the loaded database, known by its OID, and give it the owner, privileges and comment of the source.

    The rename is one transaction: other sessions see the old database or the new one under the name, never none. The
    replaced database is dropped afterwards; one that the server does not drop stays under its dated name, with a note.
    Calling again is safe at any point, and answers the same, if `remember` keeps what it gets and `known` brings it
    back: once the replaced database is dropped, nothing on the server tells of it. `still_wanted` raises when nobody
    wants it any more; it is asked before the rename, and what was renamed is brought to its end.

    Raises:
        DatabaseExists: the name is taken and `on_conflict` is "fail"; the loaded database stays.
        TargetRefused: the database of that name may not be replaced.
        ImportFailed: the loaded database is gone.
        TargetUnavailable: try again.
    """
    with server_errors(), server.advisory_lock(key.lock) as connection:
        database = temporary.by_oid(connection, oid)
        existing = temporary.by_name(connection, final_name)
        if database is None:
            if existing and on_conflict == "skip":
                return Promotion(name=final_name, oid=existing.oid, replaced=False, skipped=True)
            raise ImportFailed(f"the database that was loaded for {final_name} (OID {oid}) is no longer on the server")
        if database.name != final_name:
            if existing:
                if on_conflict == "skip":
                    temporary.drop(connection, database.name)
                    return Promotion(name=final_name, oid=existing.oid, replaced=False, skipped=True)
                _check_replaceable(connection, existing, on_conflict)
            still_wanted()
            known = _rename(server, connection, database, existing, final_name, remember)
        replaced = known is not None and known.replaced
        notes = list(known.notes.items if known else ())
        for old in temporary.replaced(connection, oid):
            replaced = True
            notes = [*(old.replaced.notes.items if old.replaced else ()), *_drop_replaced(connection, old)]
        for leftover in temporary.temporaries(connection, key):
            temporary.drop(connection, leftover.name)
    return Promotion(name=final_name, oid=oid, replaced=replaced, notes=Notes.bounded(notes))


def discard(server: TargetServer, key: LoadKey) -> None:
    """Drop all temporary databases of the load; waits for a load that still runs.

    Raises:
        TargetUnavailable: try again.
    """
    with server_errors(), server.advisory_lock(key.lock) as connection:
        for database in temporary.temporaries(connection, key):
            temporary.drop(connection, database.name)


def _check_replaceable(connection: Connection, existing: Database, on_conflict: OnConflict) -> None:
    if on_conflict == "fail":
        raise DatabaseExists(temporary.name_taken(existing.name).text)
    if existing.name in SYSTEM_DATABASES:
        raise TargetRefused(f'database "{existing.name}" belongs to the server and is never replaced')
    row = connection.execute(
        "SELECT pg_catalog.pg_get_userbyid(datdba), pg_catalog.pg_has_role(datdba, 'USAGE')"
        " FROM pg_catalog.pg_database WHERE oid = %s",
        [existing.oid],
    ).fetchone()
    if row and not row[1]:
        raise TargetRefused(
            f'database "{existing.name}" belongs to role "{row[0]}", which the import\'s user is no member of: '
            "it cannot be renamed or dropped"
        )


def _rename(  # noqa: PLR0913, PLR0917  where, what, under which name, and who is told
    server: TargetServer,
    connection: Connection,
    database: Database,
    existing: Database | None,
    final_name: str,
    remember: Callable[[Promotion], object],
) -> Promotion:
    """Give the name away in one transaction; `remember` gets the promotion before it holds.

    Raises:
        TargetRefused: somebody stays connected whom this user may not throw out.
    """
    record = database.record
    if record is None:
        raise ImportFailed(f"database {database.name} was not loaded to its end")
    deadline = time.monotonic() + _QUIET_SECONDS
    while True:
        try:
            with _kept_out(server, database, existing) as refusals, connection.transaction():
                if existing:
                    old_name = replaced_name(final_name, datetime.now(UTC))
                    _alter(connection, "ALTER DATABASE {} RENAME TO {}", existing.name, old_name)
                _alter(connection, "ALTER DATABASE {} RENAME TO {}", database.name, final_name)
                notes = _close(connection, record, final_name)
                if existing:
                    kept = Replaced(replaced_by=database.oid, notes=Notes.bounded(notes))
                    temporary.comment(connection, old_name, kept.model_dump_json())
                promotion = Promotion(
                    name=final_name, oid=database.oid, replaced=existing is not None, notes=Notes.bounded(notes)
                )
                # Before it holds: a process that dies in between has renamed nothing, and does it all again.
                remember(promotion)
        except psycopg.errors.ObjectInUse as error:
            # The server has waited five seconds for them.
            if time.monotonic() > deadline:
                raise (refusals[-1] if refusals else error) from error
        else:
            return promotion


@contextmanager
def _kept_out(server: TargetServer, *databases: Database | None) -> Iterator[list[TargetRefused]]:
    """Throw out whoever is connected, again and again; why somebody could not be thrown out.

    A pool connects again as soon as its sessions are gone. A rename keeps new sessions out while it waits for the old
    ones, and cannot end these itself: that takes a connection of its own.
    """
    oids = [database.oid for database in databases if database]
    refusals: list[TargetRefused] = []
    done = threading.Event()

    def work(connection: Connection) -> None:
        while not done.is_set():
            try:
                _end_sessions(connection, oids)
            except TargetRefused as refusal:  # the service's own sessions come and go
                refusals.append(refusal)
            except psycopg.Error as error:
                log.warning("sessions are no longer thrown out: %s", error)
                return
            done.wait(_LOOKS_EVERY)

    with server.connect() as connection, ThreadPoolExecutor(1) as thread:
        thread.submit(work, connection)
        try:
            yield refusals
        finally:
            done.set()


def _end_sessions(connection: Connection, oids: Sequence[int]) -> None:
    """Throw out whoever is connected to these databases.

    Raises:
        TargetRefused: some may not be thrown out by this user.
    """
    sessions = connection.execute(
        # Processes of the server itself have no user; renaming waits for those.
        "SELECT pid, usename FROM pg_catalog.pg_stat_activity WHERE datid = ANY(%s) AND usename IS NOT NULL",
        [oids],
    ).fetchall()
    for pid, role in sessions:
        try:
            connection.execute("SELECT pg_catalog.pg_terminate_backend(%s)", [pid])
        except psycopg.errors.InsufficientPrivilege as error:
            raise TargetRefused(
                f'a session of role "{role}" is connected to a database that is to be renamed, and the import\'s user '
                "may not end it: end it, or make the user a member of pg_signal_backend"
            ) from error


def _close(connection: Connection, record: Record, final_name: str) -> list[Note]:
    """Set what waited for the name: first the default privileges, then what the source had."""
    _alter(connection, "REVOKE CREATE ON DATABASE {} FROM PUBLIC", final_name)
    _alter(connection, "GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC", final_name)
    temporary.comment(connection, final_name, None)
    subject = f'database "{final_name}"'
    notes: list[Note] = []
    for original in record.closing:
        # Grants that others gave have their SET ROLE and RESET ROLE here.
        changes_role = tokens(original)[0].is_word("set", "reset")
        statement = original if changes_role else renamed(original, record.source_name, final_name)
        if statement is None:
            notes.append(make_note(kind=NoteKind.SKIPPED, subject=subject, reason=NOT_ITS_OWN, statement=original))
            continue
        try:
            with connection.transaction():
                connection.execute(statement.encode("utf-8", "surrogateescape"))
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            notes.append(
                make_note(kind=NoteKind.TOLERATED, subject=subject, reason=message(error), statement=statement)
            )
    connection.execute("RESET ROLE")
    return notes


def _drop_replaced(connection: Connection, database: Database) -> list[Note]:
    """Drop what made way; a note when it stays in use, by a subscription, a replication slot or a superuser."""
    _alter(connection, "ALTER DATABASE {} IS_TEMPLATE false", database.name)
    deadline = time.monotonic() + _QUIET_SECONDS
    while True:
        try:
            temporary.drop(connection, database.name)
        except (psycopg.errors.ObjectInUse, psycopg.errors.InsufficientPrivilege) as error:
            if time.monotonic() > deadline:
                reason = f"it was replaced and could not be dropped, drop it when nobody needs it: {message(error)}"
                return [make_note(kind=NoteKind.TOLERATED, subject=f'database "{database.name}"', reason=reason)]
            time.sleep(1)
        else:
            return []


def replaced_name(name: str, when: datetime) -> str:
    """A new name for the database that makes way, which tells what it was and since when."""
    suffix = f"_replaced_{when:%Y%m%d_%H%M%S}_{secrets.token_hex(2)}"
    kept = name.encode()[: NAME_BYTES - len(suffix)].decode("utf-8", "ignore")
    return kept + suffix


def _alter(connection: Connection, statement: str, *names: str) -> None:
    template = sql.SQL(statement)
    connection.execute(template.format(*map(sql.Identifier, names)))
