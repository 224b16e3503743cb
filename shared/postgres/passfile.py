"""A password file for a program that connects again long after its start, when the token of its start has ended.

A parallel pg_restore does: its first process connects once more when all others have done their work. It insists on the
password of its first connection, unless its connection string says that there is none: then libpq looks into the file.
"""

import logging
import os
import time
from pathlib import Path

from psycopg.conninfo import make_conninfo

from shared.postgres.server import TargetServer

log = logging.getLogger(__name__)

RENEWED_EVERY = 60.0
"""Seconds; whoever gives tokens gives a new one minutes before the old one ends."""


class Passfile:
    """The file, readable for this user only; it goes with the folder that it is in."""

    def __init__(self, folder: Path, server: TargetServer) -> None:
        self._path = folder / "password"
        self._server = server
        self._written = 0.0
        self._write()

    def conninfo(self, dbname: str) -> str:
        """A connection string without a secret."""
        return make_conninfo(dbname=dbname, password="", passfile=str(self._path))

    def renew(self) -> None:
        """Ask for the password of now and then."""
        if time.monotonic() - self._written < RENEWED_EVERY:
            return
        try:
            self._write()
        except Exception:  # whatever gives tokens; the one that is there may do, and the next look tries again
            log.warning("no new token for the password file", exc_info=True)

    def _write(self) -> None:
        secret = self._server.secret().replace("\\", "\\\\").replace(":", "\\:")
        new = self._path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(f"*:*:*:*:{secret}\n")
        new.replace(self._path)
        self._written = time.monotonic()
