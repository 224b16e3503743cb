"""What is packed with gzip comes out of an archive whole, in pieces of a bounded size."""

import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UnreadableFile
from shared.postgres.unpacking import BLOCK, read_rows, unpacked

ENTRY = 217
TEXTS = st.binary(max_size=500)
CHUNKS = st.integers(1, 300)
"""Sizes of chunks, and of pieces."""
SIZES = st.sampled_from([4, 8])
type Block = bytes | dict[int, bytes]
"""A table's rows, or large objects by their OIDs."""


def number(value: int, size: int) -> bytes:
    return b"\0" + value.to_bytes(size, "little")


def oid(value: int, size: int) -> bytes:
    """As pg_dump writes it: as an integer with a sign, which it is not."""
    return number(value, size) if value < 1 << 31 else b"\1" + number((1 << 32) - value, size)[1:]


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def chunked(data: bytes, chunk: int, size: int) -> bytes:
    return b"".join(number(len(one), size) + one for one in pieces(data, chunk)) + number(0, size)


def written(block: Block, chunk: int, size: int) -> bytes:
    """As `pg_backup_custom.c` writes it."""
    if isinstance(block, bytes):
        return b"\x01" + number(ENTRY, size) + chunked(zlib.compress(block), chunk, size)
    contents = [oid(one, size) + chunked(zlib.compress(text), chunk, size) for one, text in block.items()]
    return b"\x03" + number(ENTRY, size) + b"".join(contents) + number(0, size)


class Reader:
    """Reads blocks that are not packed, as pg_restore does."""

    def __init__(self, data: bytes, size: int, entry: int | None = ENTRY) -> None:
        self.data, self.size, self.entry, self.longest = data, size, entry, 0

    def take(self, length: int) -> bytes:
        assert length <= len(self.data)
        taken, self.data = self.data[:length], self.data[length:]
        return taken

    def number(self) -> int:
        sign, value = self.take(1), int.from_bytes(self.take(self.size), "little")
        return -value if sign == b"\1" else value

    def text(self) -> bytes:
        text = b""
        while length := self.number():
            self.longest = max(self.longest, length)
            text += self.take(length)
        return text

    def block(self) -> Block:
        kind = self.take(1)
        assert self.number() == self.entry or self.entry is None
        if kind == b"\x01":
            return self.text()
        objects: dict[int, bytes] = {}
        while number := self.number():
            objects[number % (1 << 32)] = self.text()
        return objects


@given(
    blocks=st.lists(TEXTS | st.dictionaries(st.integers(1, (1 << 32) - 1), TEXTS, max_size=4), max_size=5),
    chunk=CHUNKS,
    piece=CHUNKS,
    size=SIZES,
    dead=st.binary(max_size=40),
)
def test_blocks_hold_unpacked_what_they_held_packed(
    *, blocks: list[Block], chunk: int, piece: int, size: int, dead: bytes
) -> None:
    """Whatever lies behind them is left where it is, and nothing is empty, which would mean a pause."""
    packed = b"".join(written(block, chunk, size) for block in blocks)
    passed = list(unpacked(pieces(packed + dead, piece), len(blocks), size))
    assert all(passed)
    reader = Reader(b"".join(passed), size)
    assert [reader.block() for _ in blocks] == blocks
    assert not reader.data


@given(data=TEXTS, chunk=CHUNKS, piece=CHUNKS, size=SIZES)
def test_the_rows_of_a_table_are_read_alone(data: bytes, chunk: int, piece: int, size: int) -> None:
    assert b"".join(read_rows(pieces(written(data, chunk, size), piece), ENTRY, size)) == data


@pytest.mark.parametrize("block", [bytes(5_000_000), {7: bytes(5_000_000)}], ids=["rows", "large object"])
def test_what_expands_a_thousand_times_comes_in_pieces(block: Block) -> None:
    passed = list(unpacked(pieces(written(block, 4096, 4), 1 << 20), 1, 4))
    reader = Reader(b"".join(passed), 4)
    assert reader.block() == block
    assert reader.longest <= BLOCK


@given(at=st.integers(0, 399), value=st.integers(0, 255), keep=st.integers(0, 400))
def test_damage_is_told_or_harms_nothing(at: int, value: int, keep: int) -> None:
    """Bytes are changed, or missing at the end; an object's number has no checksum."""
    rows, objects = b"".join(b"%d\tx\n" % n for n in range(100)), {77: b"one", 78: b"another"}
    good = written(rows, 50, 4) + written(objects, 50, 4)
    bad = bytearray(good[: max(1, len(good) - keep)])
    bad[at % len(bad)] = value
    try:
        passed = b"".join(unpacked(pieces(bytes(bad), 64), 2, 4))
    except UnreadableFile:
        return
    reader = Reader(passed, 4, entry=None)
    assert reader.block() == rows
    found = reader.block()
    assert isinstance(found, dict)
    assert [*found.values()] == [*objects.values()][: len(found)]


@pytest.mark.parametrize(("kind", "entry"), [(b"\x01", 218), (b"\x03", 217)])
def test_a_block_of_another_entry_or_kind_is_not_read(kind: bytes, entry: int) -> None:
    with pytest.raises(UnreadableFile, match="not where it tells"):
        list(read_rows(iter([kind + written(b"x", 50, 4)[1:]]), entry, 4))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x02" + number(7, 4) + number(0, 4), "unknown kind 2"),
        (b"\x01" + number(7, 4) + b"\1" + number(5, 4)[1:], "a chunk of -5 bytes"),
        (b"\x01" + number(7, 4) + number(1 << 31, 4) + b"x", "a chunk of 2147483648 bytes"),
        (b"\x01" + number(7, 4) + chunked(b"not packed", 50, 4), "corrupt"),
        (b"\x01" + number(7, 4) + chunked(zlib.compress(b"abc")[:-6], 50, 4), "does not come to its end"),
        (b"\x01" + number(7, 4) + chunked(zlib.compress(b"abc") + bytes(20), 50, 4), "bytes behind"),
        (b"\x01" + number(7, 4) + chunked(zlib.compress(b"abc") + b"xyz", 11, 4), "bytes behind"),
        (b"", "truncated"),
    ],
)
def test_what_is_wrong_with_the_data_is_said_in_words(data: bytes, said: str) -> None:
    with pytest.raises(UnreadableFile, match=said):
        list(unpacked(iter([data]), 1, 4))
