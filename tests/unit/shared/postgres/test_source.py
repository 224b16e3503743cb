"""A file is read ahead in pieces, in order, and no further ahead than it may."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import FileChanged, UnreadableFile
from shared.postgres.source import AHEAD, ROOM, LocalFile, read_ahead


@dataclass(frozen=True)
class Remembered(LocalFile):
    """A file in memory that remembers what was read of it, and gives less than it was asked for."""

    path: Path = Path("remembered")
    content: bytes = bytes(range(256)) * 4
    longest: int = 1 << 20
    asked: list[tuple[int, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.content)

    def read(self, offset: int, length: int) -> bytes:
        self.asked.append((offset, length))
        return self.content[offset : offset + min(length, self.longest)]


@given(
    st.lists(st.tuples(st.integers(0, 1024), st.integers(0, 1024)).map(sorted), max_size=5),
    st.integers(1, 300),
    st.integers(1, 300),
)
def test_the_pieces_of_all_ranges_are_their_bytes(ranges: list[list[int]], piece: int, longest: int) -> None:
    file = Remembered(longest=longest)
    pieces = list(read_ahead(file, [(start, end) for start, end in ranges], piece))
    assert b"".join(pieces) == b"".join(file.content[start:end] for start, end in ranges)
    assert all(len(one) <= piece for one in pieces)


def test_no_more_is_read_than_a_few_pieces_ahead() -> None:
    file = Remembered()
    pieces = read_ahead(file, [(0, 1000)], 10)
    next(pieces)
    next(pieces)
    pieces.close()
    assert len(file.asked) <= 2 + AHEAD
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def test_all_readers_together_read_ahead_as_far_as_there_is_room_and_each_goes_on_without() -> None:
    """So that memory does not grow with their number."""
    files = [Remembered() for _ in range(3 * ROOM)]
    readers = [read_ahead(file, [(0, 1000)], 10) for file in files]
    for reader in readers:
        next(reader)
    assert sum(len(file.asked) for file in files) <= len(files) + ROOM
    assert all(b"".join(reader) == files[0].content[10:1000] for reader in readers)


def test_readers_that_are_left_or_fail_give_their_room_back() -> None:
    for _ in range(3 * ROOM):
        reader = read_ahead(Remembered(), [(0, 1000)], 10)
        next(reader)
        reader.close()
        with pytest.raises(UnreadableFile):
            list(read_ahead(Remembered(), [(900, 1100)], 10))
    file = Remembered()
    reader = read_ahead(file, [(0, 1000)], 10)
    next(reader)
    deadline = time.monotonic() + 10
    while len(file.asked) < 1 + AHEAD:
        assert time.monotonic() < deadline, "there is no room left"
        time.sleep(0.01)
    reader.close()


def test_a_file_that_ends_before_a_range_is_truncated() -> None:
    with pytest.raises(UnreadableFile, match="remembered ends at byte 1024"):
        list(read_ahead(Remembered(), [(1000, 1030)], 10))


def test_what_a_read_raises_is_raised() -> None:
    class Changed(Remembered):
        def read(self, offset: int, length: int) -> bytes:
            raise FileChanged(f"{offset} {length}")

    with pytest.raises(FileChanged):
        list(read_ahead(Changed(), [(0, 10)], 10))
