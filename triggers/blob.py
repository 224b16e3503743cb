"""Landing containers: a file that lands starts the import of its file set, early, while the vault still writes.

Nothing depends on this trigger: when the backup job has ended, the container's listing is the truth. The blob is
bound to the SDK's client, so its content never crosses the worker channel.
"""

import asyncio
import hashlib
import logging
import re
from datetime import UTC, datetime

import azure.durable_functions as df
from azurefunctions.extensions.bindings.blob import BlobClient

from shared.contracts.events import FileData, FileUnclaimed, FileUnknown, event_id
from shared.contracts.files import RestoredFile
from shared.contracts.importing import LandingRef
from shared.contracts.request import FilesSource, RestoreRequest
from shared.instances import is_over, start_import_once, start_restore_once
from shared.settings import settings
from shared.storage import landing, reservations
from shared.storage.events import publish
from shared.telemetry.about import about
from shared.telemetry.spans import Work, working

_ID_LENGTH = 80
_log = logging.getLogger(__name__)


async def file_landed(blob: BlobClient, client: df.DurableOrchestrationClient) -> None:
    """Hand a landed file to the restore that owns its container, or to automatic import, or report it."""
    file = landing.classify(blob.blob_name)
    known = about(file=blob.blob_name, database=file.database if file else "")
    with known, working("file_landed", Work({"flexrestore.container": blob.container_name}), "consumer"):
        await _hand_over(blob, client, file)


async def _hand_over(blob: BlobClient, client: df.DurableOrchestrationClient, file: RestoredFile | None) -> None:
    container, name = blob.container_name, blob.blob_name
    reservation = await asyncio.to_thread(reservations.read, container)
    if file is None:
        await _report(FileUnknown, container, name, "its name is of no known kind; it is left alone")
    elif reservation is not None and not reservation.imported:
        _log.info("%s/%s stays where it is: restore %s is to bring files only", container, name, reservation.request_id)
    elif reservation is not None:
        where = LandingRef(request_id=reservation.request_id, container=container, reserved=True)
        with about(restore=reservation.request_id):
            if await start_import_once(client, where):
                _log.info("%s/%s starts the import of restore %s", container, name, reservation.request_id)
    elif target := settings().auto_import.get(container):
        await _import_automatically(client, container, file, target)
    elif await asyncio.to_thread(blob.exists):
        await _report(FileUnclaimed, container, name, "no restore owns its container")


async def _import_automatically(
    client: df.DurableOrchestrationClient, container: str, file: RestoredFile, target: str
) -> None:
    """Ask for the restore of the file's set, under a name that every file of the set leads to."""
    if not file.backup_name:
        return
    request = RestoreRequest(
        request_id=automatic_id(container, file.backup_name),
        source=FilesSource(container=container, backup_name=file.backup_name),
        target=target,
        requested_by="automatic import",
    )
    with about(restore=request.request_id):
        existing = await start_restore_once(client, request.request_id, request.to_wire())
        if existing is not None and is_over(existing):
            why = f"its file set was imported before it landed, by restore {request.request_id}"
            await _report(FileUnclaimed, container, file.name, why)


def automatic_id(container: str, backup_name: str) -> str:
    """The request id of an automatic import: readable, and another one for every set."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", f"auto-{container}-{backup_name}")
    if plain.endswith(backup_name) and len(plain) <= _ID_LENGTH:
        return plain
    return f"{plain[:60]}-{hashlib.sha256(backup_name.encode()).hexdigest()[:16]}"


async def _report(kind: type[FileUnclaimed | FileUnknown], container: str, name: str, why: str) -> None:
    event = kind(
        id=event_id(kind.__name__, container, name),
        subject=f"{container}/{name}",
        time=datetime.now(UTC),
        data=FileData(container=container, name=name, message=why),
    )
    await asyncio.to_thread(publish, event)
