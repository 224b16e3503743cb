"""One database is loaded by several function instances side by side, and goes on when all of them are killed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from psycopg import sql

from local.demo.backup import take_backup
from local.environment import Environment
from shared.contracts.imports import LoadMethod
from shared.postgres import temporary
from shared.topology import REPORT_CONTAINER

SLOW = Path(__file__).parent / "source" / "slow.sql"
PLAIN, PATIENT = ("a", "b", "c", "d"), ("e", "f")
"""Tables whose rows come at once, and two small ones, which come last and stand still as long as they are told to."""
ROWS = "SELECT count(*), sum(hashtext(t::text)::bigint) FROM public.{} t"


@pytest.fixture
def environment(sharing_environment: Environment) -> Environment:
    """With a backup of a database that is large enough to be shared."""
    with sharing_environment.source.connect(autocommit=True) as connection:
        connection.execute("CREATE DATABASE wide")
    with sharing_environment.source.connect("wide", autocommit=True) as connection:
        connection.execute(SLOW.read_bytes())
        for table in (*PLAIN, *PATIENT):
            check = "CHECK (public.patient())" if table in PATIENT else ""
            rows = 60_000 if table in PLAIN else 40_000
            connection.execute(f"CREATE TABLE {table} (n integer, filler text {check})")
            connection.execute(
                f"INSERT INTO {table} SELECT n, md5(n::text || '{table}') FROM generate_series(1, {rows}) n"
            )
            connection.execute(f"CREATE INDEX ON {table} (filler)")
    take_backup(sharing_environment)
    return sharing_environment


def test_lanes_share_a_database_and_after_a_crash_only_unfinished_pieces_run_again(
    environment: Environment, ticketing_of: Callable[[Environment], Any]
) -> None:
    ticketing = ticketing_of(environment)
    with ticketing.waiting_loads():
        ticketing.send(ticketing.ticket("lanes", databases=["wide"]))
        killed: set[int] = ticketing.wait(
            lambda: two_that_stand_still(environment), "a load that stands still in each lane"
        )
        done = pieces_done(environment)
        assert len(done) == len(PLAIN)
        kill_workers(environment)

        def at_work_again() -> bool:
            again: set[int] = two_that_stand_still(environment)
            return bool(again) and killed.isdisjoint(again)

        ticketing.wait(at_work_again, "both lanes at work again")
        assert pieces_done(environment) == done

    assert ticketing.ended("lanes").phase.value.startswith("Completed")
    for table in (*PLAIN, *PATIENT):
        assert rows(environment.target, table) == rows(environment.source, table)
    [file] = [file for file in ticketing.report("lanes").files if file.load]
    assert file.load
    assert (file.load.method, file.load.jobs) == (LoadMethod.SLICED, 2)
    assert "2 function instances share it" in file.load.method_reason
    log = ticketing.container(REPORT_CONTAINER).download_blob(file.log).readall().decode()
    assert "pieces, 1 side by side" in log
    assert [number for number in done if f", slice {number}, " in log] == []


def two_that_stand_still(environment: Environment) -> set[int]:
    """The sessions of two loads that stand still in the middle of a COPY; empty when there are none or others."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname LIKE 'flexrestore%' AND wait_event = 'PgSleep'"
    with environment.target.connect(as_superuser=True) as connection:
        found = {pid for (pid,) in connection.execute(query)}
    return found if len(found) == 2 else set()


def kill_workers(environment: Environment) -> None:
    """Kill every worker process; the host starts new ones."""
    workers = psutil.Process(environment.host_pid).children(recursive=True)
    for worker in workers:
        worker.kill()
    psutil.wait_procs(workers, timeout=10)


def pieces_done(environment: Environment) -> set[int]:
    """The pieces that are marked as done on the server."""
    with environment.target.connect(autocommit=True) as connection:
        underway = [one.underway for one in temporary.all_databases(connection) if one.underway]
    [one] = underway
    return set(one.done)


def rows(server: Any, table: str) -> Any:
    with server.connect("wide", as_superuser=True) as connection:
        return connection.execute(sql.SQL(ROWS).format(sql.Identifier(table))).fetchall()
