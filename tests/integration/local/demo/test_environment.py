"""The embedded Azure: one thing that starts whole, survives its host's death, and ends with its owner."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local.demo.backup import take_backup
from local.environment import ROOT, Environment
from shared.topology import CONTROL_CONTAINER, EVENT_QUEUE, LANDING_CONTAINERS, REPORT_CONTAINER, REQUEST_QUEUE

APP = """
import json, os
import azure.functions as func

app = func.FunctionApp()

@app.route(route="settings", auth_level=func.AuthLevel.FUNCTION)
def settings(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(dict(os.environ)))
"""

OWNER = """
import signal, sys
from pathlib import Path
from local.environment import Environment

with Environment.start(Path(sys.argv[1]), app=Path(sys.argv[2])):
    print("ready", flush=True)
    signal.pause()
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app that tells its settings."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "host.json").write_text('{"version": "2.0"}')
    (folder / "function_app.py").write_text(APP)
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, app: Path) -> Iterator[Environment]:
    with Environment.start(tmp_path_factory.mktemp("environment"), app=app, settings={"EXTRA": "given"}) as running:
        yield running


def settings_of(environment: Environment) -> dict[str, str]:
    response = requests.get(
        f"{environment.url}/api/settings", headers={"x-functions-key": environment.function_key}, timeout=30
    )
    response.raise_for_status()
    return dict(response.json())


def test_the_app_finds_its_servers_its_vault_and_its_identity_in_its_settings(environment: Environment) -> None:
    settings = settings_of(environment)

    target = json.loads(settings["FLEX_RESTORE_TARGETS"])["drill"]
    assert (target["host"], target["port"]) == (environment.target.host, environment.target.port)
    assert settings[target["passwordSetting"]] == environment.target.password
    assert settings["FLEX_RESTORE_ARM_ENDPOINT"] == environment.vault.url
    assert settings["IDENTITY_ENDPOINT"].startswith(environment.vault.url)
    assert settings["EXTRA"] == "given"


def test_the_superusers_password_is_not_the_apps_business(environment: Environment) -> None:
    passwords = {environment.source.superuser_password, environment.target.superuser_password}

    assert not passwords & set(settings_of(environment).values())


def test_containers_and_queues_of_the_topology_exist(environment: Environment) -> None:
    with (
        BlobServiceClient.from_connection_string(environment.azurite.connection_string) as blobs,
        QueueServiceClient.from_connection_string(environment.azurite.connection_string) as queues,
    ):
        containers = {container.name for container in blobs.list_containers()}
        names = {queue.name for queue in queues.list_queues()}

    assert containers >= {*LANDING_CONTAINERS, CONTROL_CONTAINER, REPORT_CONTAINER}
    assert names >= {REQUEST_QUEUE, EVENT_QUEUE}


def test_a_killed_host_starts_again_at_the_same_address_with_the_same_key(environment: Environment) -> None:
    before = environment.url, environment.function_key
    environment.kill_host()
    with pytest.raises(requests.ConnectionError):
        settings_of(environment)
    environment.restart_host()

    assert (environment.url, environment.function_key) == before
    assert settings_of(environment)["EXTRA"] == "given"


def test_a_backup_through_arm_leaves_a_recovery_point(environment: Environment) -> None:
    job = take_backup(environment)

    jobs = [json.loads(file.read_text()) for file in (environment.vault.config.state / "jobs").glob("*.json")]
    points = list((environment.vault.config.state / "points").glob("*.json"))
    assert [(one["id"], one["status"]) for one in jobs] == [(job, "Completed")]
    assert len(points) == 1


def test_nothing_outlives_a_killed_owner(tmp_path: Path, app: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, tmp_path / "data", app],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
        family = psutil.Process(owner.pid).children(recursive=True)
        assert len(family) > 8
        owner.kill()

    deadline = time.monotonic() + 30
    while (alive := [one for one in family if one.is_running()]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert alive == []
