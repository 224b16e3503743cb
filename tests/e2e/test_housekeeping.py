"""The timer starts housekeeping, which cleans up after a restore that was killed in the middle."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import azure.durable_functions as df
import pytest
import requests
from azure.durable_functions.models.utils import http_utils

from local.environment import Environment
from shared.contracts.housekeeping import Item, Kind
from shared.contracts.progress import Phase
from shared.housekeeping import histories
from shared.storage import accounts, documents
from shared.topology import APP_STORAGE, CONTROL_CONTAINER, LANDING_CONTAINERS

MANAGEMENT = "/runtime/webhooks/durabletask"


@pytest.fixture
def every_two_seconds(environment: Environment) -> Iterator[None]:
    """How often housekeeping is due once the host has started again, until the test ends."""
    host = environment._host
    settings = host._settings
    host._settings = {**settings, "FLEX_RESTORE_HOUSEKEEPING_SCHEDULE": "*/2 * * * * *"}
    yield
    host._settings = settings
    environment.restart_host()


def instances(environment: Environment, request_id: str) -> list[str]:
    """The instances that work for a restore, the lanes of its import too."""
    url = f"{environment.url}{MANAGEMENT}/instances?runtimeStatus=Running,Pending"
    return [one["instanceId"] for one in requests.get(url, timeout=30).json() if request_id in json.dumps(one)]


def kill(environment: Environment, request_id: str) -> None:
    """End everything that works for a restore from outside, and the process in which it worked."""
    for instance in instances(environment, request_id):
        url = f"{environment.url}{MANAGEMENT}/instances/{instance}/terminate?reason=by+hand"
        assert requests.post(url, timeout=30).status_code in {202, 410}  # one may have ended with another
    environment.kill_host()
    environment.restart_host()


def listed(ticketing: Any, request_id: str) -> str:
    """The phase that lists show."""
    restores = ticketing.call("GET", "restores").json()["restores"]
    return str(next(one["phase"] for one in restores if one["requestId"] == request_id))


def reservations(ticketing: Any) -> list[str]:
    """Who owns landing containers."""
    control = ticketing.container(CONTROL_CONTAINER)
    held = [documents.read(control, f"reservations/{container}.json") for container in LANDING_CONTAINERS]
    return [one["requestId"] for one in held if one]


def removed(ticketing: Any, request_id: str) -> set[str]:
    """The kinds of things of a restore that were told to be deleted."""
    events = ticketing.all_events("flexrestore.housekeeping")
    return {one["kind"] for event in events for one in event["data"]["removed"] if one["restore"] == request_id}


@pytest.mark.usefixtures("every_two_seconds")
def test_after_a_killed_restore_nothing_is_left_and_all_of_it_is_told(environment: Environment, ticketing: Any) -> None:
    with ticketing.waiting_loads():
        ticketing.send(ticketing.ticket("killed", databases=[{"name": "slow", "as": "slow_killed"}]))
        (temporary,) = ticketing.wait(ticketing.loading, "a load in the middle")
        kill(environment, "killed")
    ticketing.wait(lambda: listed(ticketing, "killed") == Phase.CANCELLED, "an end of the dead restore")
    ticketing.wait(lambda: removed(ticketing, "killed") >= {"database", "files", "reservation"}, "all of it being told")

    assert temporary not in ticketing.databases()
    assert "killed" not in reservations(ticketing)
    assert list(ticketing.container(LANDING_CONTAINERS[0]).list_blob_names()) == []
    (stuck,) = ticketing.events("killed", "restore.stuck")
    assert stuck["data"]["ended"] == Phase.CANCELLED


def test_a_purged_restore_is_known_and_its_request_starts_nothing(
    environment: Environment, ticketing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its status is answered from its records, and so is the same request when it is sent again."""
    before = ticketing.restore("purged", dryRun=True)
    ticketing.wait(lambda: not instances(environment, "purged"), "the end of its orchestration")
    monkeypatch.setenv(APP_STORAGE, environment.azurite.connection_string)
    accounts.blob_service.cache_clear()
    assert asyncio.run(purge(environment, "purged")) == []
    accounts.blob_service.cache_clear()

    after = ticketing.status("purged")
    assert after is not None
    assert after == before
    ticketing.send(ticketing.ticket("purged", dryRun=True))
    (duplicate,) = ticketing.wait(lambda: ticketing.events("purged", "request.duplicate"), "the second answer")
    assert duplicate["data"]["phase"] == before.phase
    assert ticketing.call("POST", "restores/purged/cancel", {"by": "dba", "reason": "late"}).status_code == 409


async def purge(environment: Environment, request_id: str) -> list[str]:
    """Purge a restore's history as its activity does; what the engine still knows of it."""
    urls = {"taskHubName": "FlexRestore", "creationUrls": {}, "managementUrls": {}}
    client = df.DurableOrchestrationClient(json.dumps({**urls, "rpcBaseUrl": f"{environment.url}{MANAGEMENT}/"}))
    item = Item(kind=Kind.HISTORY, name=request_id, restores=(request_id,), why="old", facts={"instance": request_id})
    try:
        assert await histories.remove(client, item)
        return [one.instance_id for one in await client.get_status_by(instance_id_prefix=request_id)]
    finally:
        await http_utils._close_session()
