"""The register: one row for each restore, so that lists need neither the engine nor the ledger's records.

A row is an empty blob in the control container. Its name sorts the newest first, its metadata hold the summary, so one
listing call reads 5,000 rows.
"""

import json
from collections.abc import Iterator
from datetime import datetime

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobClient

from shared.contracts.api import RestoreQuery
from shared.contracts.progress import Phase, RestoreProgress
from shared.contracts.status import About, RestorePage, RestoreSummary
from shared.storage import documents
from shared.storage.accounts import control_container

_FOLDER = "register/"
_SUMMARY, _PHASES = "summary", "phases"
_LAST_MOMENT = 10**14
"""Milliseconds after any restore; what is left until then sorts the newest first."""


def enter(request_id: str, about: About, progress: RestoreProgress) -> int:
    """Write the restore's row as of now; how many phases it knew of before. One that knows of later ones stays."""
    summary = RestoreSummary(
        request_id=request_id,
        phase=progress.phase,
        started_at=progress.phases[0].at,
        updated_at=progress.phases[-1].at,
        **about.model_dump(),
    )
    blob, metadata = _row(summary), _metadata(summary, len(progress.phases))
    try:
        blob.upload_blob(b"", metadata=metadata, overwrite=False)
    except ResourceExistsError:
        return _update(blob, metadata)
    return 0


def close(restore: RestoreSummary, phase: Phase, at: str) -> None:
    """Write the end of a restore whose orchestration did not come to write it."""
    blob = _row(restore)
    known = int(blob.get_blob_properties().metadata[_PHASES])
    _update(blob, _metadata(restore.model_copy(update={"phase": phase, "updated_at": at}), known + 1))


def current(restore: RestoreSummary) -> RestoreSummary:
    """The restore's row as of now."""
    return RestoreSummary.model_validate_json(_row(restore).get_blob_properties().metadata[_SUMMARY])


def restores() -> list[RestoreSummary]:
    """The row of every restore, the newest first."""
    return [summary for _, summary in _rows()]


def forget(request_id: str) -> None:
    """Delete all rows of a request id."""
    container = control_container()
    for name in list(container.list_blob_names(name_starts_with=_FOLDER)):
        if name.removeprefix(_FOLDER).partition("-")[2] == request_id:
            documents.delete(container, name)


def _row(restore: RestoreSummary) -> BlobClient:
    left = _LAST_MOMENT - int(datetime.fromisoformat(restore.started_at).timestamp() * 1000)
    return control_container().get_blob_client(f"{_FOLDER}{left:014}-{restore.request_id}")


def _metadata(summary: RestoreSummary, phases: int) -> dict[str, str]:
    """The row as metadata: ASCII, as headers are."""
    return {_SUMMARY: json.dumps(summary.to_wire()), _PHASES: str(phases)}


def _update(blob: BlobClient, metadata: dict[str, str]) -> int:
    while True:
        standing = blob.get_blob_properties()
        known = int(standing.metadata[_PHASES])
        if known >= int(metadata[_PHASES]):
            return known
        try:
            blob.set_blob_metadata(metadata, etag=standing.etag, match_condition=MatchConditions.IfNotModified)
        except ResourceModifiedError:
            continue  # somebody else was faster: look again at what stands now
        return known


def page(query: RestoreQuery) -> RestorePage:
    """The restores that are meant, the newest first."""
    found: list[RestoreSummary] = []
    last = ""
    for name, summary in _rows():
        if (query.after is not None and name <= query.after) or not query.matches(summary):
            continue
        if len(found) == query.size:
            return RestorePage(restores=tuple(found), next=last)
        found.append(summary)
        last = name
    return RestorePage(restores=tuple(found))


def _rows() -> Iterator[tuple[str, RestoreSummary]]:
    """All rows; of a request that was sent again after its rejection, the newest."""
    seen: set[str] = set()
    try:
        for blob in control_container().list_blobs(name_starts_with=_FOLDER, include=["metadata"]):
            summary = RestoreSummary.model_validate_json(blob.metadata[_SUMMARY])
            if summary.request_id not in seen:
                seen.add(summary.request_id)
                yield blob.name.removeprefix(_FOLDER), summary
    except ResourceNotFoundError:
        return
