"""Logs of imports: everything that psql and pg_restore said, next to the report."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import SEEK_END
from typing import BinaryIO

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import ContentSettings

from shared.storage.accounts import report_container
from shared.storage.ledger import quoted

_TEXT = ContentSettings(content_type="text/plain; charset=utf-8")


def log_name(request_id: str, file: str) -> str:
    """The blob of a file's log."""
    return f"{request_id}/logs/{quoted(file)}.log"


@contextmanager
def import_log(request_id: str, file: str) -> Iterator[BinaryIO]:
    """A log to write into; it is uploaded at the end, also when the import failed.

    An attempt that has nothing to tell, because another one did the work, leaves the log that is there.
    """
    with tempfile.TemporaryFile() as log:
        try:
            yield log
        finally:
            told = log.seek(0, SEEK_END) > 0
            log.seek(0)
            with suppress(ResourceExistsError):
                report_container().upload_blob(log_name(request_id, file), log, overwrite=told, content_settings=_TEXT)
