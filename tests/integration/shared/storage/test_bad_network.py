"""Restored files over a network that loses connections, and from a storage account that refuses for a moment."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from local.servers.azurite import Azurite
from local.servers.flaky import Direction, FlakyProxy
from shared.errors import FileChanged, LandingFailed, ServiceBusy
from shared.storage import landing
from shared.storage.landing import CHUNK, BlobFile
from shared.topology import LANDING_STORAGE

CONTAINER, NAME = "landing-1", "b_database_a.sql"
CONTENT = random.Random(6).randbytes(2 * CHUNK + 4_321)  # noqa: S311 -- the same at every run
HALF = CHUNK // 2
HEADS = 100_000
"""Bytes that the heads of all answers take at most."""
type Put = Callable[..., None]
type Read = Callable[[BlobFile, Path], bytes]
type Trouble = Callable[[FlakyProxy], None]


@pytest.fixture
def network(azurite: Azurite, storage: object, configure: Callable[..., None]) -> Iterator[FlakyProxy]:  # noqa: ARG001
    """The network between the app and the landing account."""
    port = int(azurite.blob_endpoint.rpartition(":")[2].partition("/")[0])
    with FlakyProxy(port) as proxy:
        there = azurite.connection_string.replace(
            f"BlobEndpoint=http://127.0.0.1:{port}", "BlobEndpoint=http://127.0.0.1:{}"
        )
        configure(**{LANDING_STORAGE: there.format(proxy.port)})
        yield proxy


@pytest.fixture
def file(network: FlakyProxy, put: Put) -> BlobFile:
    """A restored file of three pieces; only what is read of it later is counted."""
    put(NAME, content=CONTENT)
    file = BlobFile(CONTAINER, landing.restored_files(CONTAINER)[0])
    network.passed[Direction.TO_CLIENT] = 0
    return file


def streamed(file: BlobFile, _folder: Path) -> bytes:
    return b"".join(file.chunks())


def staged(file: BlobFile, folder: Path) -> bytes:
    file.download(folder / "staged")
    return (folder / "staged").read_bytes()


def cut(*places: int) -> Trouble:
    """Lose the connection after so many bytes, each counted from the one before."""

    def trouble(network: FlakyProxy) -> None:
        for place in places:
            network.cut_after(place)

    return trouble


def refuse(status: int, code: str, piece: int) -> Trouble:
    """Answer so, once, when a piece is asked for."""
    return lambda network: network.answer(status, code, about=f"bytes={piece * CHUNK}-")


TROUBLES: dict[str, Trouble] = {
    "lost in the second piece": cut(CHUNK + HALF),
    "lost four times in one piece": cut(HALF, HALF, HALF, HALF),
    "503": refuse(503, "ServerBusy", 1),
    "500": refuse(500, "InternalError", 2),
    "a SAS that has expired": refuse(403, "AuthenticationFailed", 1),
    "a token that has expired": refuse(401, "InvalidAuthenticationInfo", 2),
}


@pytest.mark.parametrize("read", [streamed, staged])
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_read_that_breaks_off_goes_on_where_it_was(
    network: FlakyProxy, file: BlobFile, tmp_path: Path, read: Read, trouble: Trouble
) -> None:
    """Byte for byte the file, and of the network no more than the broken pieces once more."""
    trouble(network)
    faults = network.pending

    assert read(file, tmp_path) == CONTENT
    assert network.pending == 0
    assert network.passed[Direction.TO_CLIENT] <= len(CONTENT) + faults * CHUNK + HEADS


def test_a_file_that_is_refused_for_good_says_what_to_do(
    network: FlakyProxy, file: BlobFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an error that means try again: a role that was just given may take minutes to hold."""
    monkeypatch.setattr(landing, "_PAUSES", (0, 0))
    for _ in range(3):
        network.answer(403, "AuthorizationFailure", about=f"bytes={CHUNK}-")

    pieces = file.chunks()
    assert next(pieces) == CONTENT[:CHUNK]
    with pytest.raises(ServiceBusy, match=f"from byte {CHUNK} of .*as told.*Storage Blob Data Contributor"):
        next(pieces)


def test_a_storage_account_that_stays_away_means_try_again(
    network: FlakyProxy, file: BlobFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(landing, "_PAUSES", (0,))
    network.close()

    with pytest.raises(ServiceBusy, match=rf"{NAME} cannot be read on from byte \d+"):
        file.download(tmp_path / "staged")


@pytest.mark.parametrize("read", [streamed, staged])
def test_a_file_that_is_written_again_midway_is_noticed_though_it_has_the_same_size(
    network: FlakyProxy, file: BlobFile, put: Put, tmp_path: Path, read: Read
) -> None:
    """The connection is lost in the middle of the old one, and finds the new one when it comes back."""
    reads = BlobFile._read_once

    def write_again(self: BlobFile, offset: int, wanted: int) -> bytes:
        if offset == CHUNK:
            put(NAME, content=CONTENT[::-1])
        return reads(self, offset, wanted)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BlobFile, "_read_once", write_again)
        network.cut_after(HALF)
        with pytest.raises(FileChanged, match="written again"):
            read(file, tmp_path)


@pytest.mark.parametrize("read", [streamed, staged])
def test_a_file_that_is_deleted_midway_is_told(
    file: BlobFile, storage: BlobServiceClient, tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = BlobFile._read_once

    def delete_first(self: BlobFile, offset: int, wanted: int) -> bytes:
        if offset == CHUNK:
            storage.get_blob_client(CONTAINER, NAME).delete_blob()
        return reads(self, offset, wanted)

    monkeypatch.setattr(BlobFile, "_read_once", delete_first)
    with pytest.raises(LandingFailed, match=f"{NAME} was deleted before it was imported"):
        read(file, tmp_path)
