"""What comes after the data: indexes of large tables by the schedule, then everything else by pg_restore."""

import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path

from shared.errors import LoadInterrupted
from shared.postgres.load_settings import Resources, read_resources
from shared.postgres.pg_restore import Restorer
from shared.postgres.schedule import Build, make_schedule, memory_for, next_build, workers_for
from shared.postgres.server import Connection
from shared.postgres.toc import Entry
from shared.postgres.tolerance import Findings

_SIZES = (
    "SELECT n.nspname, c.relname, pg_catalog.pg_table_size(c.oid) FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm')"
)


def restore_post_data(
    restorer: Restorer, entries: tuple[Entry, ...], head: Path, jobs: int, before: Findings
) -> list[Findings]:
    """Restore these entries from the archive's head, over as many connections as there are jobs.

    `before` is what was found while definitions and data were restored.

    Raises:
        FlexRestoreError: as `Restorer.run`.
    """
    with restorer.destination.connect() as connection:
        resources, sizes = read_resources(connection), _sizes(connection)
    restorer = replace(restorer, absent=frozenset(before.absent))
    schedule = make_schedule(entries, restorer.archive.entries, sizes)
    if jobs == 1 or not schedule.builds:
        return [restorer.run(entries, head, jobs=jobs)]
    first = restorer.run(schedule.first, head)
    built = _Builders(restorer, head, jobs, resources).build(schedule.builds)
    return [first, *built, restorer.run(schedule.others, head, jobs=jobs)]


def _sizes(connection: Connection) -> dict[tuple[str, str], int]:
    """Bytes of each table by schema and name."""
    return {(schema, name): size for schema, name, size in connection.execute(_SIZES)}


class _Builders:
    """Builds indexes side by side, as many as there are lanes; the first one that fails stops the others."""

    def __init__(self, restorer: Restorer, head: Path, lanes: int, resources: Resources) -> None:
        destination = restorer.destination
        self._restorer = replace(restorer, destination=replace(destination, still_wanted=self._go_on))
        self._still_wanted = destination.still_wanted
        self._head = head
        self._lanes = lanes
        self._resources = resources
        self._stop = threading.Event()
        self._failures: list[BaseException] = []
        """The first one is why the others were stopped."""

    def build(self, builds: tuple[Build, ...]) -> list[Findings]:
        """Build all of them, the slowest first."""
        waiting, running = list(builds), dict[Future[Findings], tuple[Build, int]]()
        findings: list[Findings] = []
        with ThreadPoolExecutor(self._lanes, thread_name_prefix="build") as pool:
            try:
                while waiting or running:
                    self._begin(pool, waiting, running)
                    ended, _ = wait(running, return_when=FIRST_COMPLETED)
                    if self._failures:
                        raise self._failures[0]
                    findings += [future.result() for future in ended]
                    for future in ended:
                        del running[future]
            finally:
                self._stop.set()
        return findings

    def _begin(
        self, pool: ThreadPoolExecutor, waiting: list[Build], running: dict[Future[Findings], tuple[Build, int]]
    ) -> None:
        """Begin what can begin now."""
        while len(running) < self._lanes:
            at_work = dict(running.values())
            build = next_build(waiting, at_work)
            if build is None:
                return
            workers = workers_for(build, waiting, at_work, self._lanes, self._resources)
            waiting.remove(build)
            running[pool.submit(copy_context().run, self._build, build, workers)] = (build, workers)

    def _build(self, build: Build, workers: int) -> Findings:
        destination = self._restorer.destination
        folder = destination.folder / f"build-{build.entry.dump_id}"
        folder.mkdir(exist_ok=True)
        settings = {
            **destination.settings,
            "max_parallel_maintenance_workers": str(workers),
            "maintenance_work_mem": f"{memory_for(self._lanes, self._resources)}kB",
        }
        restorer = replace(self._restorer, destination=replace(destination, folder=folder, settings=settings))
        try:
            return restorer.run([build.entry], self._head)
        except BaseException as error:
            self._failures.append(error)
            self._stop.set()
            raise

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise LoadInterrupted("another index could not be built")
        self._still_wanted()
