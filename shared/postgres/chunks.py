"""What an archive's data become on their way to pg_restore, which holds each of their chunks in memory as a whole.

Where an archive is not compressed, pg_dump writes a chunk for each row, and a row may have a gigabyte. Where chunks end
means nothing to pg_restore, as long as their bytes are the same, so that a large one is handed on as several small
ones. The layout is told in `blocks`.
"""

from collections.abc import Generator, Iterable, Iterator
from struct import Struct

from shared.errors import UnreadableFile
from shared.postgres.archive import Archive
from shared.postgres.blocks import LARGE_OBJECTS, ROWS
from shared.postgres.unpacking import unpacked

LIMIT = 1 << 18
"""Bytes of a chunk that is handed on as it is. pg_restore and libpq hold about three times as much."""


def for_pg_restore(
    archive: Archive, pieces: Iterable[bytes], blocks: int, *, behind_head: bool = True
) -> Iterator[bytes]:
    """So many of the archive's blocks, with its head in front or not, for a pg_restore that is to hold no row.

    Behind a head that `Archive.write_head` has written they are what it says of them: unpacked where that is faster.

    Raises:
        UnreadableFile: the data are truncated or corrupt.
    """
    if behind_head and archive.is_unpacked:
        return unpacked(iter(pieces), blocks, archive.int_size)
    if not archive.rows_are_chunks:
        return iter(pieces)
    return bounded(pieces, blocks, archive.int_size, skip=0 if behind_head else archive.head_size)


def bounded(pieces: Iterable[bytes], blocks: int, int_size: int, skip: int = 0) -> Iterator[bytes]:
    """`skip` bytes, so many blocks of data with no chunk above `LIMIT`, and whatever lies behind them.

    `pieces` are cut anywhere, and no more than one of them is held. What need not be changed is handed on in the pieces
    in which it came, and nothing empty.

    Raises:
        UnreadableFile: the data are truncated or corrupt.
    """
    passage = _Passage(iter(pieces), int_size, skip)
    for _ in range(blocks):
        yield from passage.block()
    yield from passage.rest()


class _Passage:
    """Steps through the chunks of a piece, and hands on what it has stepped over."""

    def __init__(self, pieces: Iterator[bytes], int_size: int, skip: int) -> None:
        self._pieces = pieces
        self._head = Struct("<BI" if int_size == 4 else "<BQ")
        """Of an integer: its sign, and its value."""
        self._piece = b""
        self._from = 0
        """Of the first byte in the piece that is not handed on yet."""
        self._at = skip
        """Of the next byte in the piece, or how far behind it."""

    def block(self) -> Iterator[bytes]:
        """The next block."""
        yield from self._need(1)
        kind = self._piece[self._at]
        self._at += 1
        yield from self._integer()  # the entry's dump id
        if kind == ROWS:
            yield from self._chunks()
        elif kind == LARGE_OBJECTS:
            while (yield from self._integer()):  # an object's OID
                yield from self._chunks()
        else:
            raise UnreadableFile(f"the archive is corrupt: a block of unknown kind {kind} among its data")

    def rest(self) -> Iterator[bytes]:
        """What lies behind the blocks."""
        if self._from < len(self._piece):
            yield self._piece[self._from :]
        yield from self._pieces

    def _chunks(self) -> Iterator[bytes]:
        """The chunks up to the empty one that ends them."""
        length = 1
        while length:
            self._pass_small_ones()
            length = yield from self._integer()
            if length < 0:
                raise UnreadableFile(f"the archive is corrupt: a length of {length} bytes among its data")
            if length > LIMIT:
                yield from self._divided(length)
            else:
                self._at += length

    def _pass_small_ones(self) -> None:
        """Step over chunks that may stay as they are, as far as the piece goes: a large table has millions."""
        read, step, piece, at = self._head.unpack_from, self._head.size, self._piece, self._at
        last = len(piece) - step
        while at <= last:
            sign, length = read(piece, at)
            if sign or not 0 < length <= LIMIT:
                break
            at += step + length
        self._at = at

    def _divided(self, length: int) -> Iterator[bytes]:
        """The chunk whose length was read just now, as smaller ones."""
        self._at -= self._head.size
        yield from self._stepped_over()
        self._at = self._from = self._at + self._head.size
        while length:
            yield from self._need(1)
            part = self._piece[self._at : self._at + min(length, LIMIT)]
            yield self._head.pack(0, len(part))
            yield part
            self._at = self._from = self._at + len(part)
            length -= len(part)

    def _integer(self) -> Generator[bytes, None, int]:
        """The next integer."""
        yield from self._need(self._head.size)
        sign, value = self._head.unpack_from(self._piece, self._at)
        self._at += self._head.size
        return -int(value) if sign else int(value)

    def _need(self, count: int) -> Iterator[bytes]:
        """Have so many bytes at hand."""
        while self._at + count > len(self._piece):
            yield from self._stepped_over()
            self._at, self._piece = max(0, self._at - len(self._piece)), self._piece[self._at :]
            self._from = 0
            piece = next(self._pieces, b"")
            if not piece:
                raise UnreadableFile("the archive is truncated: it ends in the middle of its data")
            self._piece += piece

    def _stepped_over(self) -> Iterator[bytes]:
        """What is not handed on yet of what was stepped over."""
        if self._from < min(self._at, len(self._piece)):
            yield self._piece[self._from : self._at]
        self._from = self._at
