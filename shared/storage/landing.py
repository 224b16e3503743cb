"""Landing containers: what a restored file is by its name, and reading it without holding it.

Names are those of a real listing: `backupstarttimestamp`, `<guid>_database_<db>.sql`, `<guid>_roles.sql`,
`<guid>_schema.sql`, `<guid>_tablespaces.sql`; documentation writes some in the plural or singular, so both are taken,
in any case. The file prefix that a restore request carries is in none of them. A database's own name may contain
`_database_` or end in `_roles`: the first `_database_` decides.
"""

import logging
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    IncompleteReadError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobClient

from shared.contracts.files import FileKind, Listing, Marker, RestoredFile
from shared.errors import FileChanged, LandingFailed, ServiceBusy
from shared.storage.accounts import landing_container
from shared.topology import LANDING_STORAGE

_log = logging.getLogger(__name__)

_MARKER = re.compile(r"^(?:.*/)?backupstarttimestamp\Z", re.IGNORECASE)
_DATABASE = re.compile(r"^(?P<set>.+?)_database_(?P<database>.+)\.sql\Z", re.IGNORECASE | re.DOTALL)
_OTHER = re.compile(r"^(?P<set>.+)_(?P<kind>roles?|schemas?|tablespaces?)\.sql\Z", re.IGNORECASE | re.DOTALL)
_KINDS = {"role": FileKind.ROLES, "schema": FileKind.SCHEMA, "tablespace": FileKind.TABLESPACES}

_TIME = re.compile(r"(?P<date>\d{4}-\d{2}-\d{2})[T ](?P<time>\d{2}:\d{2}:\d{2})")
_MARKER_LIMIT = 1_000
"""Bytes of a marker that are read."""

FILES_LIMIT = 500
"""Files of one set that an orchestration's history bears."""
CHUNK = 4 * 1024 * 1024
"""Bytes of one ranged read."""
_READS_AT_ONCE = 4
_PAUSES = (0.1, 1, 2, 5, 10, 15, 30, 30)
"""Seconds before each further try of one read; the load that waits for it would have to begin anew."""


def classify(name: str, size: int = 0, etag: str = "") -> RestoredFile | None:
    """The restored file of a blob's name; None when the name is of no known kind."""
    if _MARKER.match(name):
        return RestoredFile(name=name, kind=FileKind.MARKER, size=size, etag=etag)
    if found := _DATABASE.match(name):
        return RestoredFile(
            name=name,
            kind=FileKind.DATABASE,
            backup_name=found["set"],
            database=found["database"],
            size=size,
            etag=etag,
        )
    if found := _OTHER.match(name):
        kind = _KINDS[found["kind"].lower().removesuffix("s")]
        return RestoredFile(name=name, kind=kind, backup_name=found["set"], size=size, etag=etag)
    return None


def _blobs(container: str, *, whole: bool = False) -> Iterator[tuple[str, RestoredFile | None]]:
    """The blobs, or those that are whole: not just created, and not being copied into, which a trigger may see."""
    try:
        for blob in landing_container(container).list_blobs(include=["copy"]):
            if not whole or (blob.size and blob.copy.status in {None, "success"}):
                yield blob.name, classify(blob.name, blob.size, blob.etag or "")
    except ResourceNotFoundError:
        raise LandingFailed(
            f"The landing container {container} does not exist; create it in the landing account."
        ) from None


def restored_files(container: str) -> list[RestoredFile]:
    """Every blob of a known kind."""
    return [file for _, file in _blobs(container) if file is not None]


def everything(container: str) -> Listing:
    """All restored files of a container that nobody writes into any more, whatever set they are of."""
    return Listing(container=container, backup_name="", files=tuple(restored_files(container)), closed=True)


def list_files(container: str, backup_name: str, *, closed: bool) -> Listing:
    """The container as it stands, for one file set; with an empty name, for the only set there is.

    Raises:
        LandingFailed: several sets lie in the container and none was named, or one set has too many files.
    """
    blobs = list(_blobs(container, whole=not closed))
    files = [file for _, file in blobs if file is not None]
    sets = sorted({file.backup_name for file in files if file.backup_name})
    if not backup_name and len(sets) > 1:
        raise LandingFailed(
            f"{container} holds the files of {len(sets)} backups ({', '.join(sets)}); "
            "send a request whose source names one of them."
        )
    chosen = backup_name or (sets[0] if sets else "")
    mine = tuple(file for file in files if file.kind is FileKind.MARKER or file.backup_name == chosen)
    if len(mine) > FILES_LIMIT:
        raise LandingFailed(
            f"{container} holds {len(mine)} files of backup {chosen}; one restore imports {FILES_LIMIT}. "
            "Import them in several requests that name their databases."
        )
    unknown = tuple(name for name, file in blobs if file is None)[:FILES_LIMIT]
    return Listing(container=container, backup_name=chosen, files=mine, unknown=unknown, closed=closed)


def unfinished(container: str, backup_name: str) -> list[str]:
    """Files of a set that somebody has created and not filled yet."""
    whole = {name for name, _ in _blobs(container, whole=True)}
    return [
        file.name for file in restored_files(container) if file.backup_name == backup_name and file.name not in whole
    ]


def newest_change(container: str, backup_name: str) -> datetime | None:
    """When the last file of a set landed; None when there is none."""
    times = [
        blob.last_modified
        for blob in landing_container(container).list_blobs()
        if (file := classify(blob.name)) is not None and file.backup_name == backup_name
    ]
    return max(times, default=None)


def read_marker(container: str, file: RestoredFile) -> Marker:
    """The marker's text and the time in it; its form is not documented beyond a UTC time in a text."""
    text = BlobFile(container, file).read(0, _MARKER_LIMIT).decode("utf-8", "replace").strip("\ufeff \r\n\t")
    found = _TIME.search(text)
    taken_at = f"{found['date']}T{found['time']}Z" if found else ""
    return Marker(text=text, taken_at=taken_at)


def delete_files(listing: Listing) -> None:
    """Delete a set's files; ones that are gone already are as good, and ones that were written again are not ours."""
    for file in listing.files:
        try:
            landing_container(listing.container).delete_blob(
                file.name, delete_snapshots="include", etag=file.etag, match_condition=MatchConditions.IfNotModified
            )
        except (ResourceNotFoundError, ResourceModifiedError):
            continue


class BlobFile:
    """A restored file in its container: ranged reads of one version of the blob, never the whole of it.

    Every read carries `If-Match`, so a blob that changes midway is an error and never a mixture. A read that breaks
    off, or is refused for the moment, is taken up again at its own first byte; what came before stays.

    Raises:
        FileChanged: the blob was written again.
        LandingFailed: it was deleted.
        ServiceBusy: the storage account does not give it, however often it is asked.
    """

    def __init__(self, container: str, file: RestoredFile) -> None:
        self._blob: BlobClient = landing_container(container).get_blob_client(file.name)
        self.name = file.name
        self.size = file.size
        self.version = file.etag

    def read(self, offset: int, length: int) -> bytes:
        """Bytes from an offset; fewer only at the end of the file."""
        wanted = min(length, self.size - offset)
        if wanted <= 0:
            return b""
        for pause in _PAUSES:
            try:
                return self._read_once(offset, wanted)
            except AzureError as error:
                _log.warning("%s broke off at byte %s of %s: %s", self.name, offset, self.size, _first_line(error))
                time.sleep(pause)
        try:
            return self._read_once(offset, wanted)
        except AzureError as error:
            raise ServiceBusy(self._refusal(offset, error)) from error

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        """The file from an offset, in pieces of `CHUNK` bytes."""
        while offset < self.size:
            piece = self.read(offset, CHUNK)
            yield piece
            offset += len(piece)

    def download(self, path: Path, still_wanted: Callable[[], None] = lambda: None) -> None:
        """Stage the file on disk, several ranges at a time; `still_wanted` raises when nobody wants it any more."""
        with path.open("wb") as staged:
            staged.truncate(self.size)

        def stage(offset: int) -> None:
            piece = self.read(offset, CHUNK)
            with path.open("r+b") as staged:
                staged.seek(offset)
                staged.write(piece)

        with ThreadPoolExecutor(_READS_AT_ONCE) as readers:
            try:
                for _ in readers.map(stage, range(0, self.size, CHUNK)):
                    still_wanted()
            except BaseException:
                readers.shutdown(cancel_futures=True)
                raise

    def _read_once(self, offset: int, wanted: int) -> bytes:
        try:
            content = self._blob.download_blob(
                offset=offset,
                length=wanted,
                etag=self.version,
                match_condition=MatchConditions.IfNotModified,
                retry_total=0,  # the SDK's own patience takes no notice of how far the file has come
            ).readall()
        except (ResourceModifiedError, ResourceNotFoundError):
            if self._blob.exists():  # the condition fails for a blob that is gone, too
                raise FileChanged(f"{self.name} was written again while it was read.") from None
            raise LandingFailed(f"{self.name} was deleted before it was imported: restore again.") from None
        if len(content) != wanted:
            raise IncompleteReadError(f"{len(content)} of {wanted} bytes came")
        return content

    def _refusal(self, offset: int, error: AzureError) -> str:
        text = f"{self.name} cannot be read on from byte {offset} of {self.size}: {_first_line(error)}"
        if isinstance(error, HttpResponseError) and error.status_code in {401, 403}:
            text += (
                "; give the app's identity Storage Blob Data Contributor on the landing account, or renew the key or"
                f" SAS in {LANDING_STORAGE}, and let the account's firewall pass the app"
            )
        return text


def _first_line(error: AzureError) -> str:
    return str(error).partition("\n")[0]
