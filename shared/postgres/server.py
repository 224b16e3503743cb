"""The target server: how to connect, what it can do, and locks on it."""

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow
from pydantic import SecretStr

from shared.errors import ImportFailed, TargetRefused, TargetUnavailable
from shared.postgres.tools import base_environment

log = logging.getLogger(__name__)

type Connection = psycopg.Connection[TupleRow]

CONNECT_TIMEOUT_SECONDS = 15
LOOKS_EVERY_SECONDS = 10
"""Between two looks whether a lock is still wanted; the server's log has a line of each."""
APPLICATION_NAME = "flex-restore"

_REFUSALS = (
    "password authentication failed",
    "no pg_hba.conf entry",
    "is not permitted to log in",
    "permission denied for database",
    "does not exist",
    "server does not support SSL",
    "server certificate for",
    "certificate verify failed",
)
"""What a server says before there is a session when trying again changes nothing; libpq gives no SQLSTATE for these."""

_CROWDED = re.compile(r"too many clients|remaining connection slots|too many connections for ")

_KEEPALIVES: dict[str, Any] = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Seconds; Azure's load balancer drops connections that are silent for four minutes."""

_SETTINGS = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "default_transaction_read_only": "off",
    # Else a dump's NULL within an array is a text, and pg_dump's scripts do not set it.
    "array_nulls": "on",
} | {f"tcp_{name}": str(value) for name, value in _KEEPALIVES.items()}
"""Limits that a server or a database has for applications are none for an import."""


@dataclass(frozen=True)
class Capabilities:
    """What the server is and what the import's user may do there."""

    version: int
    """As `server_version_num`: 180006."""
    user: str
    superuser: bool
    createdb: bool
    createrole: bool
    replication: bool
    bypassrls: bool
    extensions_available: frozenset[str]
    max_connections: int
    """Of the server or of the user, whichever is less."""
    extensions_allowed: frozenset[str] | None
    """The allow-list of a flexible server, lower case; None where the server has none."""

    @property
    def major(self) -> int:
        """18 of 180006."""
        return self.version // 10_000


@dataclass(frozen=True)
class Roles:
    """The roles of the server, and which of those that were asked for the import's user can give objects to."""

    existing: frozenset[str]
    settable: frozenset[str]
    """Of those asked for: the user may become them, and has their rights."""
    granted: tuple[str, ...] = ()
    """Of those asked for: the user made itself a member of them for this."""

    def why_not(self, role: str) -> str | None:
        """Why the role cannot own an object here, in words; None when it can."""
        if role not in self.existing:
            return f'there is no role "{role}" on the target server'
        return None if role in self.settable else f'the import\'s user cannot become role "{role}"'


@dataclass(frozen=True)
class TargetServer:
    """A flexible server that files are imported into, and the user who does it.

    `password` is asked at each connection when it is a function: Entra tokens expire.
    """

    host: str
    port: int
    user: str
    password: SecretStr | Callable[[], str] = field(repr=False)
    sslmode: str = "require"
    maintenance_database: str = "postgres"
    max_jobs: int = 4
    """Connections that one load may use at the same time."""

    def secret(self) -> str:
        """The password, or a fresh token."""
        return self.password.get_secret_value() if isinstance(self.password, SecretStr) else self.password()

    def connect(self, dbname: str | None = None, *, application_name: str = APPLICATION_NAME) -> Connection:
        """A connection without statement and lock timeouts, to the maintenance database unless told otherwise.

        Raises:
            TargetRefused: the server does not let this user in; trying again changes nothing.
            TargetUnavailable: the server does not answer.
        """
        try:
            connection = psycopg.connect(
                host=self.host,
                port=self.port,
                user=self.user,
                password=self.secret(),
                dbname=dbname or self.maintenance_database,
                sslmode=self.sslmode,
                application_name=application_name,
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                client_encoding="utf8",
                options=_options({}),
                autocommit=True,
                **_KEEPALIVES,
            )
            try:
                for setting in newer_limits(connection.info.server_version):
                    connection.execute(f"SET {setting} = 0")
            except BaseException:  # nobody else could close it
                connection.close()
                raise
        except psycopg.OperationalError as error:
            text = f"{self.host}:{self.port} as {self.user}: {error}".strip()
            if any(phrase in str(error) for phrase in _REFUSALS):
                raise TargetRefused(f"the target server refused the connection: {text}") from error
            raise TargetUnavailable(f"the target server does not answer: {text}{way_out(str(error))}") from error
        return connection

    def environment(
        self, dbname: str, *, settings: Mapping[str, str] | None = None, application_name: str = APPLICATION_NAME
    ) -> dict[str, str]:
        """The variables with which psql and pg_restore find the server, and further settings of their session.

        A setting that the server's version does not know fails the connection. Values have no spaces.
        """
        return base_environment() | {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.secret(),
            "PGDATABASE": dbname,
            "PGSSLMODE": self.sslmode,
            "PGAPPNAME": application_name,
            "PGCONNECT_TIMEOUT": str(CONNECT_TIMEOUT_SECONDS),
            "PGOPTIONS": _options(settings or {}),
        }

    @contextmanager
    def advisory_lock(self, key: str, still_wanted: Callable[[], object] = lambda: None) -> Iterator[Connection]:
        """Hold a lock on the server that belongs to the key; waits for whoever holds it.

        `still_wanted` is called every few seconds of the wait, and raises when nobody wants it any more. The lock lives
        as long as its connection, so a killed process loses it, and so does one that the server lost sight of: what is
        done under it must still be safe when two do it. The connection may be used meanwhile.
        """
        with self._lock_session() as connection:
            connection.execute(f"SET lock_timeout = '{LOOKS_EVERY_SECONDS}s'")
            while not _locked(connection, key):
                still_wanted()
            connection.execute("SET lock_timeout = 0")
            yield connection

    @contextmanager
    def try_advisory_lock(self, key: str) -> Iterator[Connection | None]:
        """Hold the lock that belongs to the key; None where somebody holds it."""
        with self._lock_session() as connection:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", [lock_number(key)]).fetchone()
            yield connection if row and row[0] else None

    @contextmanager
    def _lock_session(self) -> Iterator[Connection]:
        """A connection whose locks are free when it ends: a server gives up those of a closed one some time later."""
        with self.connect(application_name=f"{APPLICATION_NAME} lock") as connection:
            try:
                yield connection
            finally:
                if connection.info.transaction_status is TransactionStatus.IDLE:
                    with suppress(psycopg.OperationalError):  # the locks were lost with the session
                        connection.execute("SELECT pg_advisory_unlock_all()")


def _locked(connection: Connection, key: str) -> bool:
    """Wait for a lock as long as the session may; whether it came."""
    try:
        connection.execute("SELECT pg_advisory_lock(%s)", [lock_number(key)])
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def newer_limits(version: int) -> list[str]:
    """Further limits that an import lifts, which a server of that version knows: what it does not know, it refuses."""
    return [
        name
        for name, since in (("idle_session_timeout", 140_000), ("transaction_timeout", 170_000))
        if version >= since
    ]


@contextmanager
def server_errors() -> Iterator[None]:
    """Errors of our own statements as errors of the app.

    Raises:
        TargetUnavailable: the connection was lost, or the server is busy.
        TargetRefused: the server does not allow it.
        ImportFailed: anything else.
    """
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise TargetRefused(f"the target server does not allow it: {message(error)}") from error
    except psycopg.OperationalError as error:
        if isinstance(error, psycopg.errors.DiskFull):
            raise ImportFailed(out_of_storage(message(error))) from error
        if (error.sqlstate or "08")[:2] in {"08", "53", "55", "57"}:
            text = ". ".join(filter(None, (message(error), error.diag.message_detail)))
            raise TargetUnavailable(f"the target server did not do it: {text}") from error
        raise ImportFailed(message(error)) from error
    except psycopg.Error as error:
        raise ImportFailed(message(error)) from error


def way_out(said: str) -> str:
    """What to do about a server that has no connection left, when that is what it said."""
    if not _CROWDED.search(said):
        return ""
    return (
        "; end sessions that nobody needs, or raise the server parameter max_connections or the connection limit of the"
        " import's user"
    )


def out_of_storage(said: str) -> str:
    """What to do about a server whose storage is full, and what it said."""
    return f"the target server ran out of storage: {said}; give it more storage and restore again"


def message(error: psycopg.Error) -> str:
    """What the server said, without the statement."""
    return error.diag.message_primary or str(error)


def lock_number(key: str) -> int:
    """A signed 64-bit number for a text."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], signed=True)


def read_capabilities(connection: Connection) -> Capabilities:
    """What the server is and what the connection's user may do there."""
    row = connection.execute(
        "SELECT current_user, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,"
        " current_setting('azure.extensions', true),"
        " least(current_setting('max_connections')::int, nullif(rolconnlimit, -1))"
        " FROM pg_catalog.pg_roles WHERE rolname = current_user"
    ).fetchone()
    if row is None:
        raise TargetRefused("the import's user is not in pg_roles")
    available = connection.execute("SELECT name FROM pg_catalog.pg_available_extensions").fetchall()
    return Capabilities(
        version=connection.info.server_version,
        user=row[0],
        superuser=row[1],
        createdb=row[2],
        createrole=row[3],
        replication=row[4],
        bypassrls=row[5],
        extensions_available=frozenset(name for (name,) in available),
        max_connections=row[7],
        extensions_allowed=None if row[6] is None else _allow_list(row[6]),
    )


def ensure_can_set(connection: Connection, wanted: Iterable[str]) -> Roles:
    """Make the connection's user able to give objects to these roles, where it has the right to do so."""
    new = connection.info.server_version >= 160_000
    rows = connection.execute(
        "SELECT rolname, pg_has_role(current_user, oid, %s) AND pg_has_role(current_user, oid, 'USAGE')"
        " FROM pg_catalog.pg_roles ORDER BY 1",
        ["SET" if new else "MEMBER"],
    ).fetchall()
    asked = frozenset(wanted)
    settable = {role for role, able in rows if able and role in asked}
    granted = [role for role, able in rows if not able and role in asked and _join(connection, role, new=new)]
    existing = frozenset(role for role, _ in rows)
    return Roles(existing, settable=frozenset({*settable, *granted}), granted=tuple(granted))


def _join(connection: Connection, role: str, *, new: bool) -> bool:
    """Make the user a member of the role, if it may."""
    statement = sql.SQL("GRANT {} TO CURRENT_USER" + (" WITH INHERIT TRUE, SET TRUE" if new else ""))
    try:
        connection.execute(statement.format(sql.Identifier(role)))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidGrantOperation) as error:
        log.info("cannot become role %s: %s", role, message(error))
        return False
    return True


def _allow_list(setting: str) -> frozenset[str]:
    return frozenset(name.strip().strip('"').lower() for name in setting.split(",") if name.strip())


def _options(settings: Mapping[str, str]) -> str:
    """The value of libpq's `options`: our defaults and the given settings."""
    return " ".join(f"-c {name}={value}" for name, value in {**_SETTINGS, **settings}.items())
