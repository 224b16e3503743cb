"""Logs of imports: everything that psql and pg_restore said, next to the report."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import SEEK_END
from typing import BinaryIO

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobType, ContentSettings

from shared.storage.accounts import report_container
from shared.storage.ledger import quoted

_TEXT = ContentSettings(content_type="text/plain; charset=utf-8")


def log_name(request_id: str, file: str) -> str:
    """The blob of a file's log."""
    return f"{request_id}/logs/{quoted(file)}.log"


@contextmanager
def import_log(request_id: str, file: str) -> Iterator[BinaryIO]:
    """A log to write into; what was written is added to the file's log at the end, also when the import failed.

    So it tells of all attempts and of all processes that had a part in one. It is there even if none had a word to say.
    """
    with tempfile.TemporaryFile() as log:
        try:
            yield log
        finally:
            blob = report_container().get_blob_client(log_name(request_id, file))
            with suppress(ResourceExistsError):
                blob.create_append_blob(_TEXT, match_condition=MatchConditions.IfMissing)
            length = log.seek(0, SEEK_END)
            log.seek(0)
            blob.upload_blob(log, BlobType.APPENDBLOB, length)
