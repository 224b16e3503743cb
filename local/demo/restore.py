"""A restore as its users see it: a message on the queue, and looks at the status until the end."""

import json
import time
from collections.abc import Iterator
from urllib.parse import unquote

import requests
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient

from local.environment import INSTANCE, TARGET, Environment
from shared.contracts.request import BackupSource, RestoreRequest
from shared.contracts.status import RestoreStatus
from shared.topology import REPORT_CONTAINER, REQUEST_QUEUE

_BETWEEN_LOOKS = 0.5
_LOOK_SECONDS = 30


class RestoreStuck(Exception):
    """A restore did not end in time."""


def request_for(request_id: str) -> RestoreRequest:
    """The request of a ticket: the latest backup of the source, all of it, into the target."""
    return RestoreRequest(
        request_id=request_id,
        source=BackupSource(backup_instance=INSTANCE),
        target=TARGET,
        requested_by="on-call@example.org",
        ticket=request_id,
    )


def message_of(request: RestoreRequest) -> str:
    """The queue message: plain JSON with what the request says, without defaults."""
    return json.dumps(
        {"version": request.version, **request.model_dump(mode="json", by_alias=True, exclude_defaults=True)}
    )


def send(environment: Environment, request: RestoreRequest) -> None:
    """Put the message on the queue."""
    with QueueClient.from_connection_string(environment.azurite.connection_string, REQUEST_QUEUE) as queue:
        queue.send_message(message_of(request))


def status_url(environment: Environment, request_id: str) -> str:
    """Where the status of a restore is."""
    return f"{environment.url}/api/restores/{request_id}"


def follow(environment: Environment, request_id: str, seconds: float) -> Iterator[RestoreStatus]:
    """Look at a restore again and again, up to and with its terminal phase.

    Raises:
        RestoreStuck: it had not ended after so many seconds.
    """
    deadline = time.monotonic() + seconds
    headers = {"x-functions-key": environment.function_key}
    with requests.Session() as session:
        while time.monotonic() < deadline:
            response = session.get(status_url(environment, request_id), headers=headers, timeout=_LOOK_SECONDS)
            if response.status_code != requests.codes.not_found:  # the message may not have been read yet
                response.raise_for_status()
                status = RestoreStatus.from_wire(response.json())
                yield status
                if status.phase.is_terminal:
                    return
            time.sleep(_BETWEEN_LOOKS)
    raise RestoreStuck(f"restore {request_id} had not ended after {seconds:.0f} s")


def read_reports(environment: Environment, status: RestoreStatus) -> dict[str, bytes]:
    """Both forms of the report, `json` and `page`, from their container.

    Raises:
        RestoreStuck: the restore has ended without a report.
    """
    if not status.report:
        raise RestoreStuck(f"restore {status.request_id} ended as {status.phase} without a report: {status.errors}")
    with BlobServiceClient.from_connection_string(environment.azurite.connection_string) as blobs:
        container = blobs.get_container_client(REPORT_CONTAINER)
        names = {kind: url.removeprefix(f"{container.url}/") for kind, url in status.report.items()}
        return {kind: container.download_blob(unquote(name)).readall() for kind, name in names.items()}
