"""Chunks are made small on their way to pg_restore: the same bytes of data, and never more than a piece in memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UnreadableFile
from shared.postgres import chunks
from shared.postgres.chunks import LIMIT, bounded

SMALL = 50
"""The limit of most tests here."""


def integer(value: int, size: int) -> bytes:
    return bytes([value < 0]) + abs(value).to_bytes(size, "little")


def signed(oid: int) -> int:
    """As pg_dump writes it: as an integer with a sign, which it is not."""
    return oid if oid < 1 << 31 else oid - (1 << 32)


@dataclass(frozen=True)
class Block:
    """The data of an entry: of a table, or of large objects by their OIDs."""

    dump_id: int
    rows: tuple[bytes, ...] = ()
    objects: tuple[tuple[int, tuple[bytes, ...]], ...] | None = None

    def written(self, int_size: int) -> bytes:
        """As `pg_backup_custom.c` writes it."""

        def chunked(parts: tuple[bytes, ...]) -> bytes:
            return b"".join(integer(len(part), int_size) + part for part in (*parts, b""))

        head = integer(self.dump_id, int_size)
        if self.objects is None:
            return b"\x01" + head + chunked(self.rows)
        contents = b"".join(integer(signed(oid), int_size) + chunked(parts) for oid, parts in self.objects)
        return b"\x03" + head + contents + integer(0, int_size)

    def joined(self) -> "Block":
        """The block without where its chunks end."""
        objects = None if self.objects is None else tuple((oid, (b"".join(parts),)) for oid, parts in self.objects)
        return Block(self.dump_id, (b"".join(self.rows),), objects)


@dataclass
class Reader:
    """Reads blocks as pg_restore does."""

    data: bytes
    int_size: int
    at: int = 0
    longest: int = field(default=0)

    def take(self, length: int) -> bytes:
        assert self.at + length <= len(self.data)
        self.at += length
        return self.data[self.at - length : self.at]

    def integer(self) -> int:
        sign, value = self.take(1), int.from_bytes(self.take(self.int_size), "little")
        return -value if sign == b"\1" else value

    def chunks(self) -> tuple[bytes, ...]:
        found = []
        while length := self.integer():
            self.longest = max(self.longest, length)
            found.append(self.take(length))
        return tuple(found)

    def block(self) -> Block:
        kind, dump_id = self.take(1), self.integer()
        if kind == b"\x01":
            return Block(dump_id, self.chunks())
        objects = []
        while oid := self.integer():
            objects.append((oid % (1 << 32), self.chunks()))
        return Block(dump_id, (), tuple(objects))


def rows(longest: int) -> st.SearchStrategy[tuple[bytes, ...]]:
    return st.lists(st.binary(min_size=1, max_size=longest), max_size=6).map(tuple)


BLOCKS = st.lists(
    st.builds(Block, st.integers(1, 1 << 31), rows(300))
    | st.builds(
        lambda dump_id, objects: Block(dump_id, (), tuple(objects)),
        st.integers(1, 1 << 31),
        st.lists(st.tuples(st.integers(1, (1 << 32) - 1), rows(300)), max_size=4),
    ),
    max_size=6,
)
SIZES = st.lists(st.integers(1, 700), min_size=1, max_size=5)
INT_SIZES = st.sampled_from([4, 8])


@pytest.fixture(autouse=True, scope="module")
def low_limit() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "LIMIT", SMALL)
        yield


def in_pieces(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    """The data in pieces of these sizes, over and over."""
    for size in cycle(sizes):
        if not data:
            return
        yield data[:size]
        data = data[size:]


@given(BLOCKS, SIZES, INT_SIZES, st.binary(max_size=40), st.binary(max_size=40))
def test_the_data_are_the_same_and_no_chunk_is_above_the_limit(
    blocks: list[Block], sizes: list[int], int_size: int, head: bytes, dead: bytes
) -> None:
    """Whatever lies before and behind the blocks passes unchanged, and nothing empty, which would mean a pause."""
    data = b"".join(block.written(int_size) for block in blocks)
    passed = list(bounded(in_pieces(head + data + dead, sizes), len(blocks), int_size, len(head)))
    assert all(passed)
    reader = Reader(b"".join(passed), int_size)
    assert reader.take(len(head)) == head
    assert [reader.block().joined() for _ in blocks] == [block.joined() for block in blocks]
    assert reader.longest <= SMALL
    assert reader.take(len(dead)) == dead
    assert reader.at == len(reader.data)


@given(st.lists(st.builds(Block, st.integers(1, 99), rows(SMALL)), max_size=6), SIZES)
def test_small_chunks_pass_as_they_are(blocks: list[Block], sizes: list[int]) -> None:
    data = b"".join(block.written(4) for block in blocks)
    assert b"".join(bounded(in_pieces(data, sizes), len(blocks), 4)) == data


@given(BLOCKS.filter(bool), SIZES, st.data())
def test_data_that_are_cut_off_anywhere_are_unreadable(
    blocks: list[Block], sizes: list[int], data: st.DataObject
) -> None:
    whole = b"".join(block.written(4) for block in blocks)
    length = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(UnreadableFile, match="truncated"):
        list(bounded(in_pieces(whole[:length], sizes), len(blocks), 4))


@given(BLOCKS.filter(bool), st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=5))
def test_damage_is_told_or_passes_as_data(blocks: list[Block], changes: list[tuple[int, int]]) -> None:
    """Whatever lengths it announces, there is an end, and nothing is added but the beginnings of chunks."""
    broken = bytearray(b"".join(block.written(4) for block in blocks))
    for place, byte in changes:
        broken[place % len(broken)] = byte
    passed = bytearray()
    try:
        for piece in bounded(in_pieces(bytes(broken), [64]), len(blocks), 4):
            passed += piece
    except UnreadableFile:
        assert len(passed) <= 6 * len(broken)
    else:
        reader = Reader(bytes(passed), 4)
        assert all(reader.block() for _ in blocks)
        assert reader.longest <= SMALL


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x02" + integer(7, 4) + integer(0, 4), "unknown kind 2"),
        (b"\x01" + integer(7, 4) + integer(-5, 4), "a length of -5 bytes"),
        (b"\x03" + integer(7, 4) + integer(77, 4) + integer(-5, 4), "a length of -5 bytes"),
        (b"\x01" + integer(7, 4) + integer(1 << 31, 4) + b"x", "truncated"),
        (b"", "truncated"),
    ],
)
def test_what_is_wrong_with_the_data_is_said_in_words(data: bytes, said: str) -> None:
    with pytest.raises(UnreadableFile, match=said):
        list(bounded(iter([data]), 1, 4))


def test_of_a_row_of_any_size_no_more_than_a_piece_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes out lags behind what goes in by no more than one piece, a gigabyte long."""
    monkeypatch.setattr(chunks, "LIMIT", LIMIT)
    piece, count = bytes(1 << 20), 1024
    begun = b"\x01" + integer(7, 4) + integer(count << 20, 4)
    taken = passed = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        for one in chain([begun], [piece] * count, [integer(0, 4)]):
            taken += len(one)
            yield one

    for one in bounded(pieces(), 1, 4):
        passed += len(one)
        assert len(one) <= LIMIT
        assert taken - passed <= 2 * len(piece)
    assert passed == len(begun) + 5 * (count << 20) // LIMIT + (count << 20)
