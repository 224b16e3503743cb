"""Unpack the data of an archive that is packed with gzip, faster than pg_restore does.

An archive is made of it whose head says that nothing is packed: which entries there are, and in which order their
blocks come, stays as it was. The layout is told in `blocks`.
"""

from collections.abc import Iterable, Iterator

from isal import isal_zlib

from shared.errors import UnreadableFile
from shared.postgres.blocks import LARGE_OBJECTS, ROWS
from shared.postgres.toc import Bytes, integer

BLOCK = 256 << 10
"""Bytes that are unpacked at once."""
_LARGEST = 16 << 20
"""Bytes of a chunk; pg_dump packs into buffers of 4 KiB, and of 128 KiB since version 16."""


def unpacked(pieces: Iterator[bytes], blocks: int, int_size: int) -> Iterator[bytes]:
    """So many blocks as an archive has them that is not packed, with no chunk above `BLOCK`.

    Raises:
        UnreadableFile: they are truncated or corrupt.
    """
    data = Bytes(pieces, "its data", int_size)
    for _ in range(blocks):
        kind = data.take(1)
        yield kind + data.take(1 + int_size)  # the entry's dump id
        if kind[0] == ROWS:
            yield from _chunks(data)
        elif kind[0] == LARGE_OBJECTS:
            while any((oid := data.take(1 + int_size))[1:]):
                yield oid
                yield from _chunks(data)
            yield oid
        else:
            raise UnreadableFile(f"the archive is corrupt: a block of unknown kind {kind[0]} among its data")


def _chunks(data: Bytes) -> Iterator[bytes]:
    """The chunks of some rows, or of one large object, and the empty one that ends them."""
    for piece in unpack(read_chunks(data)):
        yield integer(len(piece), data.int_size) + piece
    yield integer(0, data.int_size)


def read_rows(pieces: Iterator[bytes], dump_id: int, int_size: int) -> Iterator[bytes]:
    """The rows of one entry's block, in pieces of `BLOCK` bytes at most.

    Raises:
        UnreadableFile: it is truncated or corrupt, or another one.
    """
    data = Bytes(pieces, "a table's rows", int_size)
    if (data.byte(), data.integer()) != (ROWS, dump_id):
        raise UnreadableFile(f"the archive is corrupt: the rows of entry {dump_id} are not where it tells")
    yield from unpack(read_chunks(data))


def read_chunks(data: Bytes) -> Iterator[bytes]:
    """The chunks up to the empty one that ends them."""
    while length := data.integer():
        if not 0 < length <= _LARGEST:
            raise UnreadableFile(f"the archive is corrupt: it announces a chunk of {length} bytes")
        yield data.take(length)


def unpack(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What chunks that are packed with gzip hold, in pieces of `BLOCK` bytes at most and none of them empty.

    Raises:
        UnreadableFile: they are truncated or corrupt.
    """
    unpacker = isal_zlib.decompressobj()
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if piece := unpacker.decompress(rest, BLOCK):
                    yield piece
                rest = unpacker.unconsumed_tail
            if unpacker.unused_data:
                raise UnreadableFile("the archive is corrupt: there are bytes behind what is packed")
        if piece := unpacker.flush():
            yield piece
    except isal_zlib.IsalError as error:  # type: ignore[misc]  # the stub has an instance in the place of the class
        raise UnreadableFile(f"the archive is corrupt: {error}") from error
    if not unpacker.eof:
        raise UnreadableFile("the archive is corrupt: what is packed does not come to its end")
