"""One PostgreSQL process on one data folder."""

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import psycopg
from psycopg.conninfo import make_conninfo

from local.servers.extensions import DEFAULT_ALLOWED, has_control_path
from local.servers.places import give, server_account
from local.servers.ports import LOOPBACK
from local.servers.process import Leash, ServerError, ServerProcess

SUPERUSER = "azuresu"

# Fast for servers that are thrown away: a crash of the server loses nothing, only a crash of the machine would.
# synchronous_commit stays on, since a killed server would forget what it had confirmed.
FAST: Mapping[str, str] = MappingProxyType({"fsync": "off", "full_page_writes": "off"})

_ALWAYS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # TCP is all that Azure offers, and socket paths have a length limit
    "password_encryption": "scram-sha-256",
    "shared_preload_libraries": "pg_stat_statements",
    "allow_in_place_tablespaces": "on",
    "shared_buffers": "64MB",
    "max_wal_size": "1GB",
    "max_connections": "100",
    "wal_level": "replica",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}
_START_SECONDS = 60


class Postmaster:
    """The PostgreSQL of these programs on the folder `home`: data in `home/data`, control files in `home/share`."""

    def __init__(self, home: Path, programs: Path, port: int, log: Path, password: str) -> None:
        self.home = home
        self.programs = programs
        self.port = port
        self.log = log
        self.password = password
        self._process: ServerProcess | None = None

    def configure(self, settings: Mapping[str, str], allowed: tuple[str, ...] = DEFAULT_ALLOWED) -> None:
        """Write postgresql.conf: what a flexible server has always, the allow-list, and `settings` above both."""
        everything = {
            **_ALWAYS,
            "port": str(self.port),
            **({"extension_control_path": f"{self.home / 'share'}:$system"} if has_control_path(self.programs) else {}),
            "azure.extensions": ",".join(allowed),
            **settings,
        }
        lines = (f"{name} = '{value.replace("'", "''")}'\n" for name, value in everything.items())
        for file, text in (
            ("postgresql.conf", "".join(lines)),
            ("pg_hba.conf", f"host all all {LOOPBACK}/32 scram-sha-256\n"),
        ):
            path = self.home / "data" / file
            path.write_text(text)
            give(path)

    def start(self) -> None:
        """Start and wait until it accepts the superuser; nothing when it runs.

        After a crash the last backends may hold the shared memory for a moment: it is tried again until the deadline.

        Raises:
            ServerError: it did not start; the text holds the end of its log.
        """
        deadline = time.monotonic() + _START_SECONDS
        while not self.running:
            self._process = self._launch()
            try:
                self._process.wait_until(self._accepts, _START_SECONDS)
            except ServerError:
                if time.monotonic() > deadline or "shared memory block" not in self.log.read_text(errors="replace"):
                    raise

    def _launch(self) -> ServerProcess:
        return ServerProcess.start(
            [self.programs / "postgres", "-D", self.home / "data"],
            log=self.log,
            leash=Leash(signal.SIGINT, grace=30, remove=(self.home,), account=server_account()),
            cwd=self.home,
            # Its libpq, not one of the machine: postgres_fdw and dblink look for it in the path of their build.
            env={"LC_ALL": "C.UTF-8", "TZ": "UTC", "LD_LIBRARY_PATH": str(self.programs.parent / "lib")},
        )

    def _accepts(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise
            return False
        return True

    def url(self, dbname: str) -> str:
        """The superuser's connection string."""
        return make_conninfo(
            host=LOOPBACK, port=self.port, dbname=dbname, user=SUPERUSER, password=self.password, sslmode="disable"
        )

    @property
    def running(self) -> bool:
        """Whether the server runs."""
        return self._process is not None and self._process.running

    def stop(self) -> None:
        """Stop as SIGINT does: sessions end, a checkpoint is written."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """`kill -9` the postmaster."""
        if self._process is not None:
            self._process.kill()
