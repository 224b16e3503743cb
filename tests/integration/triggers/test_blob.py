"""Events of landed files as Event Grid delivers them: at least once, late, and in any order."""

import asyncio
import itertools
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import azure.durable_functions as df
import pytest
from azure.core.exceptions import ResourceExistsError

from shared.contracts.files import FileKind
from shared.contracts.plan import Plan, TargetRef
from shared.contracts.progress import Phase, RestoreProgress
from shared.contracts.request import read_request
from shared.storage import landing, reservations
from shared.storage.accounts import landing_container, queue_service
from shared.storage.ledger import Ledger
from shared.topology import APP_STORAGE, EVENT_QUEUE, LANDING_CONTAINERS
from triggers.blob import automatic_id, file_landed

CONTAINER = LANDING_CONTAINERS[0]
NAMES = ("backupstarttimestamp", "b_database_a.sql", "b_database_c.sql", "b_roles.sql")
pytestmark = pytest.mark.usefixtures("app")
type Put = Callable[..., None]


@dataclass
class Status:
    """What the engine says of an instance."""

    runtime_status: df.OrchestrationRuntimeStatus
    custom_status: dict[str, Any]
    output: Any = None


@dataclass
class Engine:
    """The durable client; an id is started once, as the engine has it."""

    started: dict[str, Status] = field(default_factory=dict)

    async def get_status(self, instance_id: str, **_options: bool) -> Status | None:
        return self.started.get(instance_id)

    async def start_new(self, _orchestrator: str, instance_id: str, _subject: Any) -> None:
        assert instance_id not in self.started
        progress = RestoreProgress(phase=Phase.ACCEPTED).to_wire()
        self.started[instance_id] = Status(df.OrchestrationRuntimeStatus.Running, progress)

    def end(self, instance_id: str) -> None:
        progress = RestoreProgress(phase=Phase.COMPLETED).to_wire()
        self.started[instance_id] = Status(df.OrchestrationRuntimeStatus.Completed, progress)


def events(engine: Engine, *names: str) -> None:
    """Events of these files, one after the other."""
    for name in names:
        asyncio.run(file_landed(landing_container(CONTAINER).get_blob_client(name), engine))


def told() -> list[tuple[str, str]]:
    """Which files were reported, and as what."""
    with queue_service(APP_STORAGE).get_queue_client(EVENT_QUEUE) as queue:
        with suppress(ResourceExistsError):
            queue.create_queue()
        found = [json.loads(message.content) for message in queue.receive_messages()]
    return [(event["data"]["name"], event["type"].rpartition(".")[2]) for event in found]


@pytest.mark.parametrize("order", list(itertools.permutations(NAMES))[::5])
def test_events_in_any_order_and_twice_start_one_import(put: Put, order: tuple[str, ...]) -> None:
    reservations.reserve("r")
    put(*NAMES)
    engine = Engine()
    events(engine, *order, *order)

    assert list(engine.started) == ["r:import"]
    assert told() == []


def test_an_event_of_a_file_that_is_not_there_yet_or_empty_starts_an_import_that_waits_for_it(put: Put) -> None:
    """Whether a file has landed, the listing tells: a blob is empty until its content is committed."""
    reservations.reserve("r")
    put("b_database_a.sql", content=b"")
    engine = Engine()
    events(engine, "b_database_a.sql", "b_roles.sql")

    assert list(engine.started) == ["r:import"]
    assert landing.list_files(CONTAINER, "", closed=False).files == ()
    put("b_database_a.sql")
    assert [file.kind for file in landing.list_files(CONTAINER, "", closed=False).files] == [FileKind.DATABASE]


def test_an_event_that_comes_when_its_restore_and_its_file_are_gone_is_nothing(put: Put) -> None:
    reservations.reserve("r")
    put(*NAMES)
    landing.delete_files(landing.everything(CONTAINER))
    reservations.release(CONTAINER, "r")
    engine = Engine()
    events(engine, *NAMES)

    assert (engine.started, told()) == ({}, [])


def test_an_event_of_an_earlier_restore_does_no_harm_to_the_one_that_owns_the_container_now() -> None:
    """Its import starts early, and looks at what is there."""
    reservations.reserve("later")
    engine = Engine()
    events(engine, *NAMES)

    assert list(engine.started) == ["later:import"]
    assert told() == []


def test_an_event_that_comes_again_after_an_automatic_import_is_nothing_and_a_new_file_is_reported(
    put: Put, configure: Callable[..., None]
) -> None:
    configure(FLEX_RESTORE_AUTO_IMPORT=json.dumps({CONTAINER: "drill"}))
    put(*NAMES)
    engine, request_id = Engine(), automatic_id(CONTAINER, "b")
    events(engine, *NAMES)
    assert list(engine.started) == [request_id]

    asked = {"requestId": request_id, "source": {"container": CONTAINER, "backupName": "b"}, "target": "drill"}
    ledger = Ledger(request_id)
    ledger.write("plan", Plan(request=read_request(asked), target=TargetRef(alias="drill", host="h", version="18.6")))
    ledger.write("listing", landing.list_files(CONTAINER, "b", closed=True))
    engine.end(request_id)
    landing_container(CONTAINER).delete_blob("b_database_c.sql")
    events(engine, *NAMES)
    assert told() == []

    put("b_database_a.sql", content=b"of another restore")
    put("b_database_d.sql")
    events(engine, "b_database_a.sql", "b_database_d.sql")
    assert told() == [("b_database_a.sql", "unclaimed"), ("b_database_d.sql", "unclaimed")]
