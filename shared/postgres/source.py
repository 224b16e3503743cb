"""A file to import, wherever it is: read in parts, as a stream, or downloaded."""

import shutil
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore
from typing import Protocol, Self

from shared.errors import UnreadableFile

CHUNK = 1 << 20
AHEAD = 4
"""Pieces that one reader reads while the one before is being used."""
ROOM = 16
"""Pieces that all readers of this process together read ahead."""


class FileSource(Protocol):
    """A restored file that does not change while it is read."""

    @property
    def name(self) -> str:
        """What to call it in messages."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def version(self) -> str:
        """Another one when the file is written again; empty where nobody writes it again."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Up to that many bytes from there; fewer only at the end of the file."""
        ...

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        """The content from there on, in pieces of a few MiB at most."""
        ...

    def download(self, path: Path, still_wanted: Callable[[], None] = lambda: None) -> None:
        """Write the whole content to a local file; `still_wanted` raises when nobody wants it any more."""
        ...


@dataclass(frozen=True)
class LocalFile:
    """A file on a local disk."""

    path: Path

    @property
    def name(self) -> str:
        """The file's name without its folders."""
        return self.path.name

    @property
    def size(self) -> int:
        """Bytes."""
        return self.path.stat().st_size

    @property
    def version(self) -> str:
        """None: nobody writes it again."""
        return ""

    def read(self, offset: int, length: int) -> bytes:
        """Up to that many bytes from there."""
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        """The content from there on, in pieces."""
        with self.path.open("rb") as file:
            file.seek(offset)
            while chunk := file.read(CHUNK):
                yield chunk

    def download(self, path: Path, still_wanted: Callable[[], None] = lambda: None) -> None:
        """Copy the file."""
        still_wanted()
        shutil.copyfile(self.path, path)


def read_ahead(source: FileSource, ranges: Iterable[tuple[int, int]], piece: int) -> Generator[bytes]:
    """The bytes of these ranges, each from its first offset up to its second, in pieces of a bounded size.

    The next pieces are fetched meanwhile, as far as others leave room for them, each by a read of its own, so that one
    that fails is all that is read again.

    Raises:
        UnreadableFile: the file ends before a range does.
    """
    waiting: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(AHEAD, thread_name_prefix="read-ahead") as pool, _Room() as room:
        try:
            for start, end in ranges:
                for offset in range(start, end, piece):
                    # Who has nothing at hand reads in any case.
                    while waiting and not (len(waiting) <= AHEAD and room.take()):
                        yield waiting.popleft().result()
                        room.give_back()
                    waiting.append(pool.submit(_whole, source, offset, min(piece, end - offset)))
            while waiting:
                yield waiting.popleft().result()
                room.give_back()
        finally:
            for future in waiting:
                future.cancel()


class _Room:
    """A reader's share of the room for pieces that are read ahead; not for several threads."""

    _left = BoundedSemaphore(ROOM)

    def __init__(self) -> None:
        self._taken = 0

    def take(self) -> bool:
        """Take room for a piece, where there is any."""
        took = self._left.acquire(blocking=False)
        self._taken += took
        return took

    def give_back(self) -> None:
        """Give back room for a piece, where any was taken."""
        if self._taken:
            self._taken -= 1
            self._left.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._taken:
            self.give_back()


def _whole(source: FileSource, offset: int, length: int) -> bytes:
    data = source.read(offset, length)
    while len(data) < length:
        more = source.read(offset + len(data), length - len(data))
        if not more:
            raise UnreadableFile(f"{source.name} ends at byte {offset + len(data)}: the file is truncated")
        data += more
    return data
