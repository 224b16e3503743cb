"""PostgreSQL servers set up like Azure Database for PostgreSQL flexible server."""

import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from local.servers.cluster import TEMPLATE_PASSWORD, new_home
from local.servers.extensions import DEFAULT_ALLOWED, check_allowed
from local.servers.places import binaries
from local.servers.ports import LOOPBACK, free_port
from local.servers.postmaster import FAST, SUPERUSER, Postmaster
from local.servers.process import ServerError

_ADMIN_SQL = Path(__file__).parent / "sql" / "admin.sql"
_ATTEMPTS = 3


class FlexibleServer:
    """A real PostgreSQL server with the roles, databases and limits of a flexible server.

    The superuser is `azuresu`; customers have an admin role that is a member of `azure_pg_admin` and no superuser.
    Data lives in a private temporary folder (see `places`) and is deleted by `close`, at the end of the `with` block,
    or with the death of this process; `stop`, `kill` and `start` keep it.
    """

    def __init__(self, name: str, admin: str, password: str, postmaster: Postmaster) -> None:
        self.name = name
        self.host = LOOPBACK
        self.port = postmaster.port
        self.admin = admin
        self.password = password
        self.superuser = SUPERUSER
        self._postmaster = postmaster

    @classmethod
    def create(  # noqa: PLR0913 - a server has that many properties, all but two with defaults
        cls,
        directory: Path,
        *,
        name: str,
        admin: str = "flexadmin",
        password: str | None = None,
        allowed_extensions: Sequence[str] = DEFAULT_ALLOWED,
        settings: Mapping[str, str] = MappingProxyType({}),
        programs: Path | None = None,
    ) -> Self:
        """Create and start a server.

        Args:
            directory: where its log file `NAME.log` goes.
            name: the flexible server's name.
            admin: name of the server admin.
            password: the admin's; a random one when None.
            allowed_extensions: the server parameter `azure.extensions`.
            settings: parameters above the defaults, among which are `fsync = off` and its like.
            programs: the `bin` folder of the PostgreSQL to run; that of the wheel when None.

        Raises:
            ServerError: it did not start; the text holds the end of its log.
            ValueError: the allow-list names an extension that exists on Azure only.
        """
        check_allowed(allowed_extensions)
        log = directory / f"{name}.log"
        postmaster = _start(binaries(programs), log, tuple(allowed_extensions), {**FAST, **settings})
        server = cls(name, admin, password or secrets.token_urlsafe(12), postmaster)
        try:
            server._set_passwords()
        except BaseException:
            server.close()
            raise
        return server

    def _set_passwords(self) -> None:
        superuser_password = secrets.token_urlsafe(12)
        script = sql.SQL(_ADMIN_SQL.read_text()).format(
            admin=sql.Identifier(self.admin), password=sql.Literal(self.password)
        )
        alter = sql.SQL("ALTER ROLE {} PASSWORD {}").format(
            sql.Identifier(self.superuser), sql.Literal(superuser_password)
        )
        with self.connect(as_superuser=True) as connection:
            connection.execute(script)
            connection.execute(alter)
        self._postmaster.password = superuser_password

    @property
    def superuser_password(self) -> str:
        """The password of azuresu, which no customer of Azure has."""
        return self._postmaster.password

    @property
    def version(self) -> str:
        """The server's version, as in `18.1`."""
        with self.connect(as_superuser=True) as connection:
            return str(
                connection.execute("SELECT split_part(current_setting('server_version'), ' ', 1)").fetchall()[0][0]
            )

    def url(self, dbname: str = "postgres", *, as_superuser: bool = False) -> str:
        """A libpq connection string, with the password, of the admin or of azuresu."""
        user, password = (self.superuser, self.superuser_password) if as_superuser else (self.admin, self.password)
        return make_conninfo(
            host=self.host, port=self.port, dbname=dbname, user=user, password=password, sslmode="disable"
        )

    def connect(
        self, dbname: str = "postgres", *, as_superuser: bool = False, **options: Any
    ) -> psycopg.Connection[TupleRow]:
        """A new connection as the admin or as azuresu; `options` go to `psycopg.connect`."""
        return psycopg.connect(self.url(dbname, as_superuser=as_superuser), **options)

    @property
    def data_folder(self) -> Path:
        """Where it keeps its data."""
        return self._postmaster.home / "data"

    @property
    def running(self) -> bool:
        """Whether the server runs."""
        return self._postmaster.running

    def start(self) -> None:
        """Start again, on the same port and data, after `stop` or `kill`."""
        self._postmaster.start()

    def stop(self) -> None:
        """Stop; the data stays for `start`."""
        self._postmaster.stop()

    def kill(self) -> None:
        """`kill -9` the server; the data stays for `start`."""
        self._postmaster.kill()

    def close(self) -> None:
        """Stop, and delete the data."""
        self.stop()
        shutil.rmtree(self._postmaster.home, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _start(programs: Path, log: Path, allowed: tuple[str, ...], settings: Mapping[str, str]) -> Postmaster:
    """A running server on fresh data; when its port was taken meanwhile, on another one."""
    home = new_home(programs)
    for attempt in range(1, _ATTEMPTS + 1):
        postmaster = Postmaster(home, programs, free_port(), log, TEMPLATE_PASSWORD)
        postmaster.configure(settings, allowed)
        try:
            postmaster.start()
        except ServerError:
            if attempt == _ATTEMPTS:
                shutil.rmtree(home, ignore_errors=True)
                raise
        else:
            return postmaster
    raise AssertionError("unreachable: the last attempt returns or raises")
