"""What a load sets for its sessions follows from what the server has."""

import pytest

from shared.postgres.load_settings import Resources, load_settings

MIB, GIB = 1 << 10, 1 << 20


@pytest.mark.parametrize(
    ("shared_buffers", "servers_own", "jobs", "expected"),
    [
        (512 * MIB, 64 * MIB, 1, 512 * MIB),  # a server with 2 GiB of memory
        (512 * MIB, 64 * MIB, 4, 128 * MIB),
        (512 * MIB, 64 * MIB, 16, 64 * MIB),  # never below what the server gives
        (512 * MIB, 700 * MIB, 1, 700 * MIB),
        (4 * GIB, 211 * MIB, 4, 1 * GIB),
        (16 * GIB, 211 * MIB, 4, 2 * GIB),  # more makes nothing faster
        (96 * GIB, 3 * GIB, 1, 3 * GIB),
    ],
)
def test_the_memory_for_indexes_is_shared_by_the_jobs(
    shared_buffers: int, servers_own: int, jobs: int, expected: int
) -> None:
    resources = Resources(170_000, shared_buffers, servers_own, 8, 2)
    assert load_settings(resources, jobs)["maintenance_work_mem"] == f"{expected}kB"


@pytest.mark.parametrize(
    ("workers", "servers_own", "jobs", "expected"),
    [(8, 2, 1, 4), (8, 2, 2, 4), (8, 2, 4, 2), (8, 2, 8, 2), (64, 2, 4, 4), (64, 6, 4, 6), (1, 2, 4, 1), (0, 2, 1, 0)],
)
def test_the_workers_for_indexes_are_within_the_servers_own(
    workers: int, servers_own: int, jobs: int, expected: int
) -> None:
    resources = Resources(170_000, GIB, GIB, workers, servers_own)
    assert load_settings(resources, jobs)["max_parallel_maintenance_workers"] == str(expected)


@pytest.mark.parametrize(
    ("version", "timeouts"),
    [
        (130_022, set()),
        (140_000, {"idle_session_timeout"}),
        (160_010, {"idle_session_timeout"}),
        (180_001, {"idle_session_timeout", "transaction_timeout"}),
    ],
)
def test_no_setting_is_newer_than_the_server(version: int, timeouts: set[str]) -> None:
    settings = load_settings(Resources(version, GIB, GIB, 8, 2), 1)
    assert {name for name in settings if name.endswith("timeout")} == timeouts
    assert settings["synchronous_commit"] == "off"
