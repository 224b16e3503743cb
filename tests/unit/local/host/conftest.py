"""Stages for the engine: rehearsals, and a store."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local.host.database import Database
from local.host.rehearsal import Orchestrator, Rehearsal, rehearsal
from local.host.store import Store


@pytest.fixture
def new_bench() -> Generator[Callable[..., Rehearsal]]:
    """Makes a bench of orchestrators by name; its activities are called work, fail and so on."""
    with ExitStack() as stack:

        def make(*activities: str, replace_running: bool = False, **orchestrators: Orchestrator) -> Rehearsal:
            names = list(activities) or ["work"]
            return stack.enter_context(rehearsal(names, orchestrators, replace_running=replace_running))

        yield make


@pytest.fixture
def store() -> Generator[Store]:
    database = Database(Path(":memory:"))
    yield Store(database)
    database.close()
