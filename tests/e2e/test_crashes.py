"""A restore survives `kill -9` of its workers and of the host in each phase."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from local.environment import Environment
from local.vault.faults import JobFault, RequestFault
from shared.contracts.progress import FileState, Phase
from shared.contracts.status import RestoreStatus
from shared.storage import documents
from shared.topology import CONTROL_CONTAINER, LANDING_CONTAINERS

SHOP_ROWS = "SELECT count(*), sum(hashtext(m::text)::bigint) FROM stock.movement m"
IN_PLACE = {FileState.IMPORTED, FileState.WARNED}


class Obstacles:
    """What holds a restore in a phase for as long as it takes to kill something there."""

    def __init__(self, environment: Environment, ticketing: Any) -> None:
        self._environment = environment
        self._control = ticketing.container(CONTROL_CONTAINER)

    def hide_recovery_points(self) -> None:
        """Planning cannot go on."""
        self._environment.vault.inject(RequestFault(status=503, count=10_000, path="recoveryPoints"))

    def hang_job(self) -> None:
        """The vault writes the marker and then nothing."""
        self._environment.vault.inject(JobFault(outcome="Hang", after_files=1))

    def mend_vault(self) -> None:
        """The vault works again."""
        self._environment.vault.clear_faults()

    def take_containers(self) -> None:
        """Somebody else owns every landing container."""
        for container in LANDING_CONTAINERS:
            blocker = {"container": container, "requestId": "somebody-else", "closed": False}
            documents.write(self._control, f"reservations/{container}.json", blocker)

    def give_containers(self) -> None:
        """They are free again."""
        for container in LANDING_CONTAINERS:
            held = documents.read(self._control, f"reservations/{container}.json")
            if held and held["requestId"] == "somebody-else":
                documents.delete(self._control, f"reservations/{container}.json")

    def limit_connections(self, limit: int) -> None:
        """The target server takes so many connections from the import; -1 for any number."""
        with self._environment.target.connect(as_superuser=True, autocommit=True) as connection:
            connection.execute(f"ALTER ROLE drilladmin CONNECTION LIMIT {limit}")


@pytest.fixture
def obstacles(environment: Environment, ticketing: Any) -> Iterator[Obstacles]:
    one = Obstacles(environment, ticketing)
    yield one
    one.mend_vault()
    one.give_containers()
    one.limit_connections(-1)


def kill_workers(_environment: Environment) -> None:
    """Kill every worker process; the host starts new ones."""
    workers = [one for one in psutil.Process().children(recursive=True) if is_worker(one)]
    assert workers
    for worker in workers:
        os.kill(worker.pid, signal.SIGKILL)
    assert not psutil.wait_procs(workers, timeout=10)[1]


def is_worker(process: psutil.Process) -> bool:
    """Whether it is a worker that lives."""
    try:
        return "local.host.worker" in process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def kill_host(environment: Environment) -> None:
    """Kill the host, and with it its workers; start it again."""
    environment.kill_host()
    environment.restart_host()


def in_phase(phase: Phase) -> Callable[[RestoreStatus], bool]:
    return lambda status: status.phase is phase


def has_database(*states: FileState) -> Callable[[RestoreStatus], bool]:
    return lambda status: any(file.final_name and file.state in states for file in status.files)


@pytest.mark.parametrize("kill", [kill_workers, kill_host])
def test_a_restore_survives_being_killed_in_each_phase(
    environment: Environment, ticketing: Any, obstacles: Obstacles, kill: Callable[[Environment], None]
) -> None:
    """It ends as it would have: every row once, nothing left over, and one job in the vault."""
    name = kill.__name__
    before = jobs(environment)

    def kill_when(moment: Callable[[RestoreStatus], bool], what: str) -> None:
        ticketing.wait_for(name, moment, what)
        kill(environment)

    obstacles.hide_recovery_points()
    ticketing.send(request(name))
    kill_when(in_phase(Phase.PLANNING), "planning")

    obstacles.take_containers()
    obstacles.mend_vault()
    kill_when(in_phase(Phase.AWAITING_LANDING), "awaiting a landing container")

    obstacles.hang_job()
    obstacles.give_containers()
    kill_when(in_phase(Phase.RESTORING), "restoring")

    obstacles.mend_vault()
    kill_when(has_database(FileState.IMPORTING), "a database being loaded")
    kill_when(has_database(FileState.LOADED, FileState.VERIFIED, *IN_PLACE), "a loaded database")

    ticketing.wait_for(name, has_database(*IN_PLACE), "a database in place")
    obstacles.limit_connections(0)
    kill_when(in_phase(Phase.VERIFYING), "verifying")

    obstacles.limit_connections(-1)
    status = ticketing.ended(name)
    assert status.phase.value.startswith("Completed"), (status, ticketing.report(name))
    assert rows(environment.target, f"shop_{name}") == rows(environment.source, "shop")
    assert leftovers(environment) == []
    assert len(jobs(environment) - before) == 1


def test_a_killed_vault_service_is_waited_for(environment: Environment, ticketing: Any, obstacles: Obstacles) -> None:
    """Azure Resource Manager that does not answer for a while ends nothing."""
    obstacles.hang_job()
    ticketing.send(request("killed_vault"))
    ticketing.wait_for("killed_vault", in_phase(Phase.RESTORING), "the vault's job")
    environment.vault.kill()
    environment.vault.restart()
    obstacles.mend_vault()

    assert ticketing.ended("killed_vault").phase.value.startswith("Completed")


def request(name: str) -> dict[str, Any]:
    return {
        "requestId": name,
        "source": {"backupInstance": "orders"},
        "target": "drill",
        "databases": [{"name": "shop", "as": f"shop_{name}"}],
    }


def rows(server: Any, database: str) -> Any:
    with server.connect(database, as_superuser=True) as connection:
        return connection.execute(SHOP_ROWS).fetchall()


def leftovers(environment: Environment) -> list[str]:
    """Temporary databases that nobody needs."""
    with environment.target.connect(as_superuser=True) as connection:
        found = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'flexrestore%'").fetchall()
    return [name for (name,) in found]


def jobs(environment: Environment) -> set[str]:
    """The jobs that the vault has ever made."""
    return {path.name for path in (environment.vault.config.state / "jobs").iterdir()}
