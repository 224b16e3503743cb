"""The data folder that every flexible server starts from: made once on a machine, then copied."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import psycopg

from local.servers import extensions
from local.servers.places import cache_folder, give, private_folder, publish, server_account
from local.servers.ports import free_port
from local.servers.postmaster import FAST, SUPERUSER, Postmaster

# Of the template only: a server made from it gets a password of its own before anybody else can connect.
TEMPLATE_PASSWORD = "template"

_SQL = Path(__file__).parent / "sql"
_INITDB = ("--encoding", "UTF8", "--locale", "C.UTF-8", "--auth", "scram-sha-256", "--no-sync", "--no-instructions")


def new_home(programs: Path) -> Path:
    """A folder of its own with a fresh flexible server's data, of the version of these programs: `data` and `share`."""
    home = private_folder()
    _copy(template(programs), home)
    return home


@cache
def template(programs: Path) -> Path:
    """The template's folder, made when this machine has none of this version."""
    folder = cache_folder() / f"cluster-{_version(programs)}"
    if not folder.exists():
        home = private_folder()
        try:
            _make(home, programs)
            unfinished = Path(tempfile.mkdtemp(dir=cache_folder()))
            _copy(home, unfinished)
            publish(unfinished, folder)
        finally:
            shutil.rmtree(home)
    return folder


def _version(programs: Path) -> str:
    """A hash of all that shapes the template."""
    digest = hashlib.sha256(str(programs).encode())
    for source in (*sorted(_SQL.glob("*.sql")), Path(__file__), Path(extensions.__file__)):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _copy(source: Path, target: Path) -> None:
    for part in ("data", "share"):
        subprocess.run(["cp", "-a", source / part, target / part], check=True)  # noqa: S607 - coreutils, with owners


def _make(home: Path, programs: Path) -> None:
    if extensions.has_control_path(programs):
        extensions.write_control_files(programs, home / "share")
    else:  # they are where the programs are
        home.joinpath("share").mkdir()
    _initdb(home, programs)
    server = Postmaster(home, programs, free_port(), home / "template.log", TEMPLATE_PASSWORD)
    server.configure(FAST)
    server.start()
    try:
        _furnish(server)
    finally:
        server.stop()


def _initdb(home: Path, programs: Path) -> None:
    password_file = home / "password"
    password_file.write_text(TEMPLATE_PASSWORD)
    give(password_file)
    account = server_account()
    subprocess.run(
        [programs / "initdb", "-D", home / "data", "-U", SUPERUSER, "--pwfile", password_file, *_INITDB],
        check=True,
        capture_output=True,
        cwd=home,
        env={"LC_ALL": "C.UTF-8", "PATH": os.defpath},
        user=account.user if account else None,
        group=account.group if account else None,
        extra_groups=[] if account else None,
    )


def _furnish(server: Postmaster) -> None:
    """Roles, allow-list and system databases, in the order in which they need each other."""
    _run(server, "postgres", "ALTER DATABASE template0 ALLOW_CONNECTIONS true", _text("roles"))
    for database in ("template0", "template1", "postgres"):
        _run(server, database, _text("allow_list"))
    _run(server, "postgres", "ALTER DATABASE template0 ALLOW_CONNECTIONS false")
    for database in ("template1", "postgres"):
        _run(server, database, _text("database"))
    for database in ("template0", "template1", "postgres"):
        _run(server, "postgres", f"ALTER DATABASE {database} OWNER TO azure_pg_admin")
    _run(
        server,
        "postgres",
        _text("postgres"),
        "CREATE TABLESPACE temptblspace OWNER azure_pg_admin LOCATION ''",
        "CREATE DATABASE azure_maintenance TEMPLATE template0",
        "CREATE DATABASE azure_sys TEMPLATE template1",
    )
    for database in ("azure_maintenance", "azure_sys"):
        _run(server, database, _text(database))


def _text(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text()


def _run(server: Postmaster, database: str, *scripts: str) -> None:
    with psycopg.connect(server.url(database), autocommit=True) as connection:
        for script in scripts:
            connection.execute(script.encode())
