"""Landing containers as they stand, and reading a file without holding it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from shared.contracts.files import FileKind, RestoredFile
from shared.errors import FileChanged, LandingFailed
from shared.storage import landing
from shared.storage.landing import BlobFile

CONTAINER = "landing-1"
type Put = Callable[..., None]


def test_a_listing_holds_one_set_its_marker_and_what_is_unknown(put: Put) -> None:
    put("backupstarttimestamp", "b_database_a.sql", "b_roles.sql", "notes.txt")
    listing = landing.list_files(CONTAINER, "", closed=True)

    assert listing.backup_name == "b"
    assert {file.kind for file in listing.files} == {FileKind.MARKER, FileKind.DATABASE, FileKind.ROLES}
    assert listing.unknown == ("notes.txt",)


def test_two_sets_in_one_container_need_a_name(put: Put) -> None:
    put("a_database_x.sql", "b_database_x.sql")

    with pytest.raises(LandingFailed, match="2 backups"):
        landing.list_files(CONTAINER, "", closed=True)
    assert [file.name for file in landing.list_files(CONTAINER, "b", closed=True).files] == ["b_database_x.sql"]


def test_a_container_that_is_not_there_says_what_to_do(storage: BlobServiceClient) -> None:
    storage.delete_container(CONTAINER)

    with pytest.raises(LandingFailed, match="create it in the landing account"):
        landing.list_files(CONTAINER, "", closed=True)


def listed(name: str) -> RestoredFile:
    return next(file for file in landing.restored_files(CONTAINER) if file.name == name)


def test_a_file_is_read_in_ranges_in_pieces_or_onto_disk(put: Put, tmp_path: Path) -> None:
    content = bytes(range(256)) * 40_000
    put("b_database_a.sql", content=content)
    file = BlobFile(CONTAINER, listed("b_database_a.sql"))

    assert file.read(250, 20) == content[250:270]
    assert file.read(len(content) - 5, 100) == content[-5:]
    pieces = list(file.chunks(7))
    assert max(map(len, pieces)) <= landing.CHUNK
    assert b"".join(pieces) == content[7:]
    file.download(tmp_path / "staged")
    assert (tmp_path / "staged").read_bytes() == content


def test_a_blob_that_changes_midway_is_an_error_and_no_mixture(put: Put) -> None:
    put("b_database_a.sql", content=b"first" * 10)
    file = BlobFile(CONTAINER, listed("b_database_a.sql"))
    put("b_database_a.sql", content=b"other" * 10)

    with pytest.raises(FileChanged):
        file.read(0, 5)


@pytest.mark.parametrize(
    ("text", "taken_at"),
    [
        ("2026-04-15 10:31:02.1234567 UTC", "2026-04-15T10:31:02Z"),
        ("\ufeff2026-04-15T10:31:02.12Z\r\n", "2026-04-15T10:31:02Z"),
        ("some day", ""),
    ],
)
def test_the_marker_tells_when_the_backup_was_taken(put: Put, text: str, taken_at: str) -> None:
    put("backupstarttimestamp", content=text.encode())

    assert landing.read_marker(CONTAINER, listed("backupstarttimestamp")).taken_at == taken_at


def test_deleting_twice_is_as_good_as_once(put: Put, storage: BlobServiceClient) -> None:
    put("b_database_a.sql", "b_roles.sql", "notes.txt")
    listing = landing.list_files(CONTAINER, "b", closed=True)
    landing.delete_files(listing)
    landing.delete_files(listing)

    assert [blob.name for blob in storage.get_container_client(CONTAINER).list_blobs()] == ["notes.txt"]
