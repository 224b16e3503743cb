"""Each answer of the service against recorded traffic of 2024: status, header names, JSON keys, types, casings.

Strings must be equal, but for those that name things of one subscription or tell a time: these must be of one form.
"""

import copy
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from local.servers.azurite import Azurite
from local.vault.faults import JobFault
from local.vault.process import VaultProcess

RECORDING = {
    entry["_step"]: entry
    for entry in json.loads((Path(__file__).parents[3] / "recordings" / "pgflex_restore_2024.json").read_text())
}

# Retry-After is in recordings of 2026 and in the REST reference, not in this one.
NEWER_HEADERS = {"retry-after"}

FORMS = {
    "time with 7 digits": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z",
    "time in seconds": r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "etag": r"W/\"datetime'\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A\d\d\.\d{7}Z'\"",
    "duration": r"PT(\d+H)?(\d+M)?\d+\.\d{7}S",
    "guid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "32 hexadecimal digits": r"[0-9a-f]{32}",
    "operation id": r"[A-Za-z0-9+/]+==",
    "address": r"https?://.+",
    "bytes": r"\d{2,8}",
}
NAMES = {
    *("friendlyName", "resourceName", "resourceLocation", "vaultName", "backupInstanceFriendlyName"),
    *("name", "sourceResourceGroup", "dataSourceName", "dataSourceLocation", "Restore File Prefix"),
}


@pytest.fixture(scope="module")
def replies(
    shared_vault: VaultProcess, point: str, azurite: Azurite, arm_client: Any, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Any]:
    """The service's answers to the recorded requests, by step."""
    folder = tmp_path_factory.mktemp("recording")
    shutil.copytree(shared_vault.config.state, folder / "state")
    pacing = shared_vault.config.pacing.model_copy(update={"operation": 1.5})
    config = shared_vault.config.model_copy(update={"state": folder / "state", "pacing": pacing})
    with (
        ContainerClient.from_connection_string(azurite.connection_string, "recording") as container,
        VaultProcess.start(config, folder / "log") as vault,
    ):
        container.create_container()
        return perform(vault, arm_client(vault), point, container.url)


def perform(vault: VaultProcess, arm: Any, point: str, url: str) -> Mapping[str, Any]:
    """Send what was recorded, about our own recovery point and container."""
    replies = {
        "backup instance GET, protection still being configured": arm.get(f"{arm.vault_id}/backupInstances/other"),
        "backup instance GET, ready": arm.get(arm.instance_id),
    }
    replies["recovery points list"] = arm.get(f"{arm.instance_id}/recoveryPoints", "$filter=&api-version=2023-11-01")

    def follow(path: str, step: str, polls: tuple[str, ...], terminal: str, results: str) -> Any:
        body = localized(RECORDING[step]["request_body"], vault, point, url)
        accepted = replies[step] = arm.post(f"{arm.instance_id}/{path}", body)
        for poll in polls:
            replies[poll] = arm.send("GET", accepted.headers["Azure-AsyncOperation"])
        arm.operation(accepted)
        replies[terminal] = arm.send("GET", accepted.headers["Azure-AsyncOperation"])
        replies[results] = arm.send("GET", accepted.headers["Location"])
        return replies[terminal].body

    follow(
        "validateRestore",
        "validateRestore POST",
        ("validateRestore poll 1", "validateRestore poll 2"),
        "validateRestore poll 3 (terminal)",
        "validateRestore operationResults",
    )
    vault.inject(JobFault(outcome="Hang", after_files=0))
    operation = follow(
        "restore",
        "restore POST",
        ("restore trigger poll 1",),
        "restore trigger poll 2 (terminal: the trigger is done, the restore is not)",
        "restore operationResults",
    )
    job = f"{arm.vault_id}/backupJobs/{operation['properties']['jobId'].rpartition('/')[2]}"
    for step in RECORDING:
        if step.startswith("job GET") and "InProgress" in step:
            replies[step] = arm.get(job)
    vault.clear_faults()
    arm.job(operation)
    replies["job GET 10 of 10 (Completed)"] = arm.get(job)
    return replies


def localized(body: dict[str, Any], vault: VaultProcess, point: str, url: str) -> dict[str, Any]:
    body = copy.deepcopy(body)
    request = body.get("restoreRequestObject", body)
    request["recoveryPointId"] = point
    request["restoreTargetInfo"]["restoreLocation"] = vault.config.location
    request["restoreTargetInfo"]["targetDetails"]["url"] = url
    return body


@pytest.mark.parametrize("step", RECORDING)
def test_the_status_is_the_recorded_one(replies: Mapping[str, Any], step: str) -> None:
    assert replies[step].status == RECORDING[step]["status"]


@pytest.mark.parametrize("step", RECORDING)
def test_the_header_names_are_the_recorded_ones(replies: Mapping[str, Any], step: str) -> None:
    names = {name.lower() for name in replies[step].headers}

    assert names - NEWER_HEADERS == set(RECORDING[step]["headers"])


@pytest.mark.parametrize("step", RECORDING)
def test_retry_after_is_where_newer_recordings_have_it(replies: Mapping[str, Any], step: str) -> None:
    has_it = "Retry-After" in replies[step].headers

    assert has_it == (step.endswith(("POST", "operationResults")))


@pytest.mark.parametrize("step", RECORDING)
def test_the_body_has_the_recorded_keys_types_and_casings(replies: Mapping[str, Any], step: str) -> None:
    assert form(replies[step].body) == form(RECORDING[step]["response_body"])


@pytest.mark.parametrize("step", [step for step, entry in RECORDING.items() if entry["response_body"] is not None])
def test_the_keys_come_in_the_recorded_order(replies: Mapping[str, Any], step: str) -> None:
    assert json.dumps(keys(replies[step].body)) == json.dumps(keys(RECORDING[step]["response_body"]))


def form(value: object, key: str = "") -> object:
    """A JSON value with all that may differ between two restores put into words."""
    match value:
        case dict():
            return {name: form(member, name) for name, member in value.items()}
        case list():
            return [form(member, key) for member in value]
        case str() if value.startswith("/subscriptions/"):
            return resource_form(value)
        case str():
            words = (name for name, pattern in FORMS.items() if re.fullmatch(pattern, value))
            return "a name" if key in NAMES else next(words, value)
        case _:
            return value


def resource_form(path: str) -> str:
    """An ARM id with its names left out and its casings kept."""
    segments = path.split("/")
    kept = [
        segment if index % 2 or segments[index - 1] == "providers" else "*" for index, segment in enumerate(segments)
    ]
    return "/".join(kept)


def keys(value: object) -> object:
    match value:
        case dict():
            return {name: keys(member) for name, member in value.items()}
        case list():
            return [keys(member) for member in value]
        case _:
            return None
