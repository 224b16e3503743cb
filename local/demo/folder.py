"""The demo's folder: its own, and one run's at a time."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MARK = ".flex-restore-demo"


class FolderTaken(Exception):
    """The folder holds other things, or another run uses it."""


@contextmanager
def clean_folder(path: Path) -> Iterator[Path]:
    """The folder, emptied of an earlier run, and kept from others while it is used.

    Raises:
        FolderTaken: it holds things that no earlier run has left, or another run uses it.
    """
    path = path.resolve()
    path.mkdir(parents=True, exist_ok=True)
    mark = path / _MARK
    if not mark.exists() and any(path.iterdir()):
        raise FolderTaken(f"{path} is not empty and not the demo's: choose another --directory")
    with mark.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderTaken(f"another run of the demo uses {path}: stop it or choose another --directory") from None
        for entry in path.iterdir():
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry)
            elif entry != mark:
                entry.unlink()
        yield path
