"""What a load sets for its own sessions, so that it is not slower or shorter than it need be."""

from dataclasses import dataclass

from shared.postgres.server import Connection, newer_limits

_MEMORY_LIMIT = 2 << 20
"""KiB of maintenance_work_mem beyond which an index is built no faster."""
WORKERS_LIMIT = 4
"""Parallel workers of one statement beyond which an index is built hardly faster."""


@dataclass(frozen=True)
class Resources:
    """What the server has, and what it gives a statement by itself; memory in KiB."""

    version: int
    """As `server_version_num`."""
    shared_buffers: int
    maintenance_work_mem: int
    max_parallel_workers: int
    max_parallel_maintenance_workers: int
    cores: int = 0
    """As the operator tells; 0 where nobody has."""


def read_resources(connection: Connection, cores: int = 0) -> Resources:
    """What the server of this connection has; no statement tells its cores."""
    [(buffers, memory, workers, of_one)] = connection.execute(
        "SELECT pg_size_bytes(current_setting('shared_buffers')) / 1024,"
        " pg_size_bytes(current_setting('maintenance_work_mem')) / 1024,"
        " current_setting('max_parallel_workers')::int, current_setting('max_parallel_maintenance_workers')::int"
    ).fetchall()
    return Resources(connection.info.server_version, buffers, memory, workers, of_one, cores)


def load_settings(resources: Resources, jobs: int) -> dict[str, str]:
    """Settings that every user may set, for each session of a load with that many jobs.

    A server that crashes loses what was committed last, but never the record that a load is finished without the rows:
    that one is committed synchronously, and after them.
    """
    settings = {
        "synchronous_commit": "off",
        "maintenance_work_mem": f"{memory_of_each(resources, jobs)}kB",
        "max_parallel_maintenance_workers": str(_workers(resources, jobs)),
    }
    return settings | dict.fromkeys(newer_limits(resources.version), "0")


def memory_of_each(resources: Resources, jobs: int) -> int:
    """KiB of maintenance_work_mem for one job: all take what the buffers do, about a quarter of a flexible server's."""
    return max(resources.maintenance_work_mem, min(resources.shared_buffers // jobs, _MEMORY_LIMIT))


def _workers(resources: Resources, jobs: int) -> int:
    """For one job: all jobs together have `max_parallel_workers`, and a server that gives more keeps giving it."""
    fair = min(resources.max_parallel_workers // jobs, WORKERS_LIMIT)
    return min(resources.max_parallel_workers, max(resources.max_parallel_maintenance_workers, fair))
