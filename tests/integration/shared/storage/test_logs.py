"""A file's log: all that psql and pg_restore said, in every attempt."""

import pytest
from azure.storage.blob import BlobServiceClient

from shared.storage.accounts import report_container
from shared.storage.logs import import_log, log_name

pytestmark = pytest.mark.usefixtures("app")


def log(file: str) -> bytes:
    return report_container().download_blob(log_name("INC-1", file)).readall()


def fail(said: bytes) -> None:
    with import_log("INC-1", "shop") as written:
        written.write(said)
        raise ConnectionResetError


def test_each_attempt_adds_to_the_log(storage: BlobServiceClient) -> None:  # noqa: ARG001 -- a fixture
    """Also one that fails, and one that has nothing to say."""
    with import_log("INC-1", "shop") as first:
        first.write(b"one\n")
    with pytest.raises(ConnectionResetError):
        fail(b"two\n")
    with import_log("INC-1", "shop"):
        pass

    assert log("shop") == b"one\ntwo\n"


def test_a_log_is_there_when_nobody_had_anything_to_say(storage: BlobServiceClient) -> None:  # noqa: ARG001 -- a fixture
    with import_log("INC-1", "quiet"):
        pass

    assert log("quiet") == b""
