"""The backup vault as the app looks at it."""

from collections.abc import Callable

import pytest

from local.environment import Services
from local.vault.process import VaultProcess
from shared.contracts.vaultjobs import Operation, RestoreOrder
from shared.contracts.watch import Sighting
from shared.vault import operations


@pytest.fixture
def vault(app: Services) -> VaultProcess:
    return app.vault


@pytest.fixture(scope="session")
def ended(wait: Callable[..., Sighting]) -> Callable[[Operation], Sighting]:
    """The last sighting of an operation."""

    def look(operation: Operation) -> Sighting:
        return wait(lambda: seen if (seen := operations.look(operation)).ended else None, "the operation's end")

    return look


@pytest.fixture
def start_job(order: RestoreOrder, ended: Callable[[Operation], Sighting]) -> Callable[[], str]:
    """Restore for the order; the id of the job."""

    def start() -> str:
        return str(ended(operations.start_restore(order)).value["jobId"])

    return start
