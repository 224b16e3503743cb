"""Where the data of a custom archive lie: a block for each table's rows, and one or more for the large objects.

A block is a byte that tells its kind, the dump id of its entry, and chunks, each with its length before it; an empty
chunk ends them. A block of large objects has chunks for each object, behind its OID; an OID of zero ends it, and one
above the signed integers is written as a negative one. That is the layout of `pg_backup_custom.c` of PostgreSQL 9.0
to 18. An archive that was written into a file tells in its table of contents where each block begins; in one that went
through a pipe the blocks have to be looked for, chunk by chunk.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from shared.contracts.base import Contract
from shared.errors import UnreadableFile
from shared.postgres.archive import Archive
from shared.postgres.source import read_ahead

PIECE = 4 << 20
"""Bytes of one read of the pass over a file."""

SAMPLE = 64 << 10
"""Bytes of a block that tell how much text its bytes become."""

ROWS, LARGE_OBJECTS = 1, 3
"""Kinds of blocks."""
_EXPANSIONS = {b"\x28\xb5\x2f\xfd": 5.0, b"\x04\x22\x4d\x18": 3.0}
"""Bytes of text that a byte of zstd and of lz4 is taken for: nothing here unpacks them."""


@dataclass(frozen=True, slots=True)
class Block:
    """Where the data of one entry lie; offset and length in bytes."""

    dump_id: int
    offset: int
    length: int

    @property
    def end(self) -> int:
        """Offset of the first byte behind it."""
        return self.offset + self.length


class BlockIndex(Contract):
    """The blocks of an archive, in the file's order; as JSON some twenty bytes a table."""

    size: int
    """Bytes of the file."""
    places: tuple[tuple[int, int, int], ...]
    """Dump id, offset and length of each."""

    @classmethod
    def of(cls, size: int, blocks: Iterable[Block]) -> "BlockIndex":
        """The index of these blocks."""
        return cls(size=size, places=tuple((block.dump_id, block.offset, block.length) for block in blocks))

    @property
    def blocks(self) -> list[Block]:
        """The blocks."""
        return [Block(*place) for place in self.places]


@dataclass(frozen=True)
class Shelf:
    """Where the caller keeps the index of a file that has to be read for it."""

    read: Callable[[], BlockIndex | None] = lambda: None
    write: Callable[[BlockIndex], object] = lambda _: None


NO_SHELF = Shelf()


def read_index(
    archive: Archive, still_wanted: Callable[[], object] = lambda: None, shelf: Shelf = NO_SHELF
) -> BlockIndex:
    """Where the blocks lie: as the table of contents tells, else as was kept, else found in one pass over the file.

    The last block that the table of contents tells may have dead bytes behind it. `still_wanted` is asked at each step
    of the pass, and raises when nobody wants it any more.

    Raises:
        UnreadableFile: the archive is truncated or corrupt.
    """
    size, name = archive.source.size, archive.source.name
    try:
        if told := told_index(archive):
            return told
        if kept := shelf.read():
            return kept
        pieces = _while_wanted(read_ahead(archive.source, [(archive.head_size, size)], PIECE), still_wanted)
        index = BlockIndex.of(size, scan(pieces, _places(archive), archive.head_size, size, archive.int_size))
    except UnreadableFile as error:
        raise UnreadableFile(f"{name}: {error.text}") from error
    shelf.write(index)
    return index


def told_index(archive: Archive) -> BlockIndex | None:
    """Where the blocks lie, as the table of contents tells; None where it does not.

    Raises:
        UnreadableFile: the archive is truncated or corrupt.
    """
    places, size = _places(archive), archive.source.size
    return BlockIndex.of(size, _told(places, archive.head_size, size)) if all(places.values()) else None


def _places(archive: Archive) -> dict[int, int]:
    """Where each entry's block begins; 0 where that is not told."""
    return {entry.dump_id: entry.place for entry in archive.entries if entry.place is not None}


def scan(pieces: Iterator[bytes], expected: Iterable[int], start: int, size: int, int_size: int) -> Iterator[Block]:
    """The blocks of these entries, found chunk by chunk in the file's bytes from `start` on.

    Nothing behind the last one is looked at: pg_dump may have written its table of contents there once more, in vain.

    Raises:
        UnreadableFile: the archive is truncated or corrupt.
    """
    missing = set(expected)
    cursor = _Cursor(pieces, start, size, int_size)
    while missing:
        offset = cursor.offset
        kind, dump_id = cursor.byte(), cursor.integer()
        if dump_id not in missing:
            raise UnreadableFile(f"the archive is corrupt: no block of entry {dump_id} is expected at byte {offset}")
        if kind == ROWS:
            cursor.skip_chunks()
        elif kind == LARGE_OBJECTS:
            while cursor.integer():
                cursor.skip_chunks()
        else:
            raise UnreadableFile(f"the archive is corrupt: a block of unknown kind {kind} at byte {offset}")
        missing.remove(dump_id)
        yield Block(dump_id, offset, cursor.offset - offset)


def expansion(archive: Archive, offset: int) -> float:
    """How many bytes of text a byte of the block there becomes, as its beginning tells."""
    step = 1 + archive.int_size
    start = archive.source.read(offset, SAMPLE)
    at = 1 + step * (2 if start[:1] == bytes([LARGE_OBJECTS]) else 1)
    chunks = list[bytes]()
    while at + step < len(start):
        length = int.from_bytes(start[at + 1 : at + step], "little")
        if not length:
            break
        chunks.append(start[at + step : at + step + length])
        at += step + length
    packed = b"".join(chunks)
    if packed[:4] in _EXPANSIONS:
        return _EXPANSIONS[packed[:4]]
    try:
        text = zlib.decompressobj().decompress(packed, 64 * SAMPLE)
    except zlib.error:  # it is not packed
        text = packed
    return max(1, len(text)) / max(1, min(at, len(start)))


def _told(places: dict[int, int], start: int, size: int) -> list[Block]:
    """The blocks that the table of contents tells; each ends where the next one begins, the last one with the file."""
    found = sorted((place, dump_id) for dump_id, place in places.items())
    bounds = [*found, (size, 0)]
    if found and found[0][0] < start:
        raise UnreadableFile("the archive is corrupt: it tells that data lie in its table of contents")
    if found and found[-1][0] >= size:
        raise UnreadableFile(f"the archive is truncated: data should lie at byte {found[-1][0]} of {size}")
    if any(this == after for (this, _), (after, _) in pairwise(bounds)):
        raise UnreadableFile("the archive is corrupt: it tells that two entries have their data at one place")
    return [Block(dump_id, this, after - this) for (this, dump_id), (after, _) in pairwise(bounds)]


def _while_wanted(pieces: Iterator[bytes], still_wanted: Callable[[], object]) -> Iterator[bytes]:
    for piece in pieces:
        still_wanted()
        yield piece


class _Cursor:
    """Steps through the chunks of an archive and holds no more than a piece of it."""

    def __init__(self, pieces: Iterator[bytes], offset: int, size: int, int_size: int) -> None:
        self._pieces = pieces
        self._size = size
        self._int_size = int_size
        self._piece = b""
        self._base = offset
        """Where the piece lies in the file."""
        self._at = 0
        """Of the next byte in the piece, or how far behind it."""

    @property
    def offset(self) -> int:
        """Of the next byte in the file."""
        return self._base + self._at

    def byte(self) -> int:
        """The next byte."""
        self._need(1)
        self._at += 1
        return self._piece[self._at - 1]

    def integer(self) -> int:
        """The next integer."""
        step = 1 + self._int_size
        self._need(step)
        sign, value = self._piece[self._at], int.from_bytes(self._piece[self._at + 1 : self._at + step], "little")
        self._at += step
        return -value if sign else value

    def skip_chunks(self) -> None:
        """Step over the chunks up to the empty one that ends them."""
        # A dump that is not compressed has a chunk for each row.
        step, piece, at = 1 + self._int_size, self._piece, self._at
        length = 1
        while length:
            if at + step > len(piece):
                self._at = at
                self._need(step)
                piece, at = self._piece, self._at
            length = int.from_bytes(piece[at + 1 : at + step], "little")
            if length and piece[at]:
                raise UnreadableFile(f"the archive is corrupt: a chunk of -{length} bytes at byte {self._base + at}")
            at += step + length
        self._at = at

    def _need(self, count: int) -> None:
        """Have so many bytes at hand."""
        if self._at + count <= len(self._piece):
            return
        if self.offset + count > self._size:
            raise UnreadableFile("the archive is truncated: it ends in the middle of its data")
        while self._at + count > len(self._piece):
            rest = self._piece[self._at :]
            self._base += len(self._piece) - len(rest)
            self._at -= len(self._piece) - len(rest)
            piece = next(self._pieces, b"")
            if not piece:
                raise UnreadableFile("the archive is truncated: it ends in the middle of its data")
            self._piece = rest + piece
