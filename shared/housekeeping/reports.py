"""Reports and logs past their retention."""

import re
from collections import defaultdict
from collections.abc import Iterator

from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobProperties

from shared.contracts.housekeeping import Item, Kind
from shared.housekeeping.census import Census
from shared.settings import settings
from shared.storage.accounts import report_container

_OURS = re.compile(r"(?P<restore>[^/]+)/(?:report\.(?:json|html)|logs/[^/]+\.log)")


def look() -> Iterator[Item]:
    """The reports to delete, each with its logs: nothing of one was written for so long, and its restore is over."""
    days = settings().keep_reports_days
    if not days:
        return
    census = Census.take()
    for request_id, blobs in sorted(_by_restore().items()):
        written = max(blob.last_modified for blob in blobs)
        if written < census.before(days) and not census.runs(request_id):
            yield Item(
                kind=Kind.REPORT,
                name=f"report and logs of restore {request_id}",
                restores=(request_id,),
                why=f"they were written by {written.isoformat(timespec='seconds')}",
                count=len(blobs),
                facts={blob.name: blob.etag for blob in blobs},
            )


def remove(item: Item) -> bool:
    """Delete the versions that were looked at."""
    for name, etag in item.facts.items():
        try:
            report_container().delete_blob(name, etag=etag, match_condition=MatchConditions.IfNotModified)
        except (ResourceNotFoundError, ResourceModifiedError):
            continue
    return True


def _by_restore() -> dict[str, list[BlobProperties]]:
    found: dict[str, list[BlobProperties]] = defaultdict(list)
    for blob in report_container().list_blobs():
        if name := _OURS.fullmatch(blob.name):
            found[name["restore"]].append(blob)
    return found
