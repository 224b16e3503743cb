"""A restore survives `kill -9` of a worker and of the host in each phase."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from local.environment import Environment
from local.vault.faults import JobFault
from shared.contracts.progress import FileState, Phase
from shared.status import RestoreStatus
from shared.storage import documents
from shared.topology import CONTROL_CONTAINER, LANDING_CONTAINERS

SHOP_ROWS = "SELECT count(*), sum(hashtext(m::text)::bigint) FROM stock.movement m"


def kill_workers(environment: Environment) -> None:
    """Kill every worker process; the host starts new ones."""
    workers = [one for one in psutil.Process().children(recursive=True) if "local.host.worker" in one.cmdline()]
    assert workers
    for worker in workers:
        os.kill(worker.pid, signal.SIGKILL)
    assert not psutil.wait_procs(workers, timeout=10)[1]


def kill_host(environment: Environment) -> None:
    """Kill the host, and with it its workers; start it again."""
    environment.kill_host()
    environment.restart_host()


def in_phase(phase: Phase) -> Callable[[RestoreStatus], bool]:
    return lambda status: status.phase is phase


def loading(status: RestoreStatus) -> bool:
    return any(file.database and file.state is FileState.IMPORTING for file in status.files)


def loaded(status: RestoreStatus) -> bool:
    states = {FileState.LOADED, FileState.VERIFIED, FileState.IMPORTED, FileState.WARNED}
    return any(file.database and file.state in states for file in status.files)


@pytest.fixture
def obstacles(environment: Environment, ticketing: Any) -> Iterator[Callable[[str], None]]:
    """Hold a restore where it is to be killed: `obstacles("all containers taken")`; gone after `obstacles("")`."""
    control = ticketing.container(CONTROL_CONTAINER)

    def change(what: str) -> None:
        for container in LANDING_CONTAINERS:
            if what == "all containers taken":
                blocker = {"container": container, "requestId": "somebody-else", "closed": False}
                documents.write(control, f"reservations/{container}.json", blocker)
            else:
                held = documents.read(control, f"reservations/{container}.json")
                if held and held["requestId"] == "somebody-else":
                    documents.delete(control, f"reservations/{container}.json")
        if what == "the job hangs":
            environment.vault.inject(JobFault(outcome="Hang", after_files=1))
        else:
            environment.vault.clear_faults()

    yield change
    change("")


MOMENTS = [
    # the phase, what holds the restore there, and how the moment is known
    pytest.param("", in_phase(Phase.PLANNING), id="planning"),
    pytest.param("all containers taken", in_phase(Phase.AWAITING_LANDING), id="awaiting-landing"),
    pytest.param("the job hangs", in_phase(Phase.RESTORING), id="restoring"),
    pytest.param("", loading, id="importing-loading"),
    pytest.param("", loaded, id="importing-loaded"),
    pytest.param("", in_phase(Phase.VERIFYING), id="verifying"),
]


@pytest.mark.parametrize("kill", [kill_workers, kill_host])
@pytest.mark.parametrize(("obstacle", "moment"), MOMENTS)
def test_a_restore_survives(
    environment: Environment,
    ticketing: Any,
    obstacles: Callable[[str], None],
    request: pytest.FixtureRequest,
    obstacle: str,
    moment: Callable[[RestoreStatus], bool],
    kill: Callable[[Environment], None],
) -> None:
    """It ends as it would have, with every row once, nothing left over, and one job in the vault."""
    name = f"k-{request.node.callspec.id}"
    before = jobs(environment)
    obstacles(obstacle)
    ticketing.send(
        {
            "requestId": name,
            "source": {"backupInstance": "orders"},
            "target": "drill",
            "databases": [{"name": "shop", "as": f"shop_{name}"}],
        }
    )
    ticketing.wait_for(name, lambda status: moment(status) or status.phase.is_terminal, "the moment to kill")
    kill(environment)
    obstacles("")
    status = ticketing.ended(name)

    assert status.phase.value.startswith("Completed"), (status, ticketing.report(name))
    assert rows(environment.target, f"shop_{name}") == rows(environment.source, "shop")
    assert leftovers(environment) == []
    assert len(jobs(environment) - before) == 1


def test_a_killed_vault_service_is_waited_for(environment: Environment, ticketing: Any) -> None:
    """Azure Resource Manager that does not answer for a while ends nothing."""
    environment.vault.inject(JobFault(outcome="Hang", after_files=1))
    ticketing.send({"requestId": "k-vault", "source": {"backupInstance": "orders"}, "target": "drill",
                    "databases": [{"name": "shop", "as": "shop_k_vault"}]})  # fmt: skip
    ticketing.wait_for("k-vault", in_phase(Phase.RESTORING), "the vault's job")
    environment.vault.kill()
    environment.vault.restart()

    assert ticketing.ended("k-vault").phase.value.startswith("Completed")


def rows(server: Any, database: str) -> Any:
    with server.connect(database, as_superuser=True) as connection:
        return connection.execute(SHOP_ROWS).fetchall()


def leftovers(environment: Environment) -> list[str]:
    """Temporary databases that nobody needs, a moment after the end."""
    deadline = time.monotonic() + 10
    while True:
        with environment.target.connect(as_superuser=True) as connection:
            found = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'flexrestore%'").fetchall()
        if not found or time.monotonic() > deadline:
            return [name for (name,) in found]
        time.sleep(0.2)


def jobs(environment: Environment) -> set[str]:
    """The restore jobs that the vault has ever made."""
    folder = environment.vault.config.state
    return {str(path) for path in folder.rglob("jobs/*")}
