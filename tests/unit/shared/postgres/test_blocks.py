"""Where the data of an archive lie is found as they were written; no damage makes the search hang."""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.imports import ArchiveFormat, ArchiveSummary
from shared.errors import RestoreCancelled, UnreadableFile
from shared.postgres.archive import Archive
from shared.postgres.blocks import PIECE, Block, BlockIndex, Shelf, expansion, read_index, scan
from shared.postgres.source import LocalFile
from shared.postgres.toc import Entry
from shared.postgres.tools import Tool, Toolbox

HEAD = b"PGDMP and the table of contents"
OIDS = st.integers(1 - (1 << 31), 1 << 31).filter(bool)
"""Of large objects; pg_dump writes the upper half of them as negative numbers."""
NO_TOOL = Tool("pg_restore", Path("nowhere"), (18, 0), "setting")


def integer(value: int, size: int) -> bytes:
    return bytes([value < 0]) + abs(value).to_bytes(size, "little")


def chunks(sizes: list[int], int_size: int) -> bytes:
    return b"".join(integer(size, int_size) + b"\x01" * size for size in [*sizes, 0])


@dataclass(frozen=True)
class Written:
    """The data of an archive, and where each block of them lies."""

    data: bytes
    blocks: tuple[Block, ...]
    int_size: int


@st.composite
def archives(draw: st.DrawFn) -> Written:
    """Blocks as `pg_backup_custom.c` writes them: of tables, and of large objects by their OIDs."""
    int_size = draw(st.sampled_from([4, 8]))
    ids = draw(st.lists(st.integers(1, 1 << 31), min_size=1, max_size=8, unique=True))
    data, blocks = HEAD, list[Block]()
    for dump_id in ids:
        sizes = st.lists(st.integers(1, 400), max_size=6)
        objects = draw(st.none() | st.lists(st.tuples(OIDS, sizes), max_size=4))
        block = bytes([1 if objects is None else 3]) + integer(dump_id, int_size)
        if objects is None:
            block += chunks(draw(sizes), int_size)
        else:
            block += b"".join(integer(oid, int_size) + chunks(of_it, int_size) for oid, of_it in objects)
            block += integer(0, int_size)
        blocks.append(Block(dump_id, len(data), len(block)))
        data += block
    return Written(data, tuple(blocks), int_size)


def in_pieces(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    """The data in pieces of these sizes, over and over."""
    data = data[len(HEAD) :]
    for size in cycle(sizes):
        if not data:
            return
        yield data[:size]
        data = data[size:]


def found(written: Written, data: bytes, sizes: list[int]) -> list[Block]:
    expected = [block.dump_id for block in written.blocks]
    return list(scan(in_pieces(data, sizes), expected, len(HEAD), len(data), written.int_size))


@given(archives(), st.lists(st.integers(1, 700), min_size=1, max_size=5), st.binary(max_size=40))
def test_each_block_is_found_where_it_was_written_and_nothing_behind_the_last_one_matters(
    written: Written, sizes: list[int], dead: bytes
) -> None:
    assert tuple(found(written, written.data + dead, sizes)) == written.blocks


@given(archives(), st.data())
def test_an_archive_that_is_cut_off_anywhere_is_unreadable(written: Written, data: st.DataObject) -> None:
    length = data.draw(st.integers(len(HEAD), len(written.data) - 1))
    with pytest.raises(UnreadableFile, match="truncated"):
        found(written, written.data[:length], [100])


@given(archives(), st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=5))
def test_damage_is_told_or_does_not_matter(written: Written, changes: list[tuple[int, int]]) -> None:
    """No byte is held or read twice, whatever lengths it announces."""
    broken = bytearray(written.data)
    for place, byte in changes:
        broken[len(HEAD) + place % (len(broken) - len(HEAD))] = byte
    with suppress(UnreadableFile):
        blocks = found(written, bytes(broken), [64])
        assert [block.offset for block in blocks] == [len(HEAD), *(block.end for block in blocks[:-1])]
        assert blocks[-1].end <= len(broken)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x01" + integer(9, 4) + integer(0, 4), "no block of entry 9 is expected at byte 31"),
        (b"\x02" + integer(7, 4) + integer(0, 4), "unknown kind 2 at byte 31"),
        (b"\x01" + integer(7, 4) + integer(-5, 4), "a chunk of -5 bytes"),
        (b"\x03" + integer(7, 4) + integer(77, 4) + integer(-5, 4), "a chunk of -5 bytes"),
        (b"\x01" + integer(7, 4) + integer(1 << 31, 4) + b"x", "truncated"),
        (b"", "truncated"),
    ],
)
def test_what_is_wrong_with_an_archive_is_said_in_words(data: bytes, said: str) -> None:
    with pytest.raises(UnreadableFile, match=said):
        list(scan(iter([data]), [7], len(HEAD), len(HEAD) + len(data), 4))


def test_a_chunk_that_is_longer_than_the_file_is_not_read_for() -> None:
    data = b"\x01" + integer(7, 8) + integer(1 << 60, 8)
    pieces = iter([data, *[bytes(1000)] * 1000])
    with pytest.raises(UnreadableFile, match="truncated"):
        list(scan(pieces, [7], 0, 1_000_017, 8))
    assert sum(1 for _ in pieces) == 1000


def archive(path: Path, places: dict[int, int | None], content: bytes) -> Archive:
    path.write_bytes(content)
    entries = tuple(Entry(dump_id, "TABLE DATA", "", "", "", "", (), place=place) for dump_id, place in places.items())
    summary = ArchiveSummary(format=ArchiveFormat.CUSTOM, size=len(content))
    return Archive(LocalFile(path), Toolbox(NO_TOOL, NO_TOOL), summary, "", "", entries, len(HEAD))


TWO = HEAD + b"\x01" + integer(4, 4) + chunks([10], 4) + b"\x01" + integer(3, 4) + chunks([5, 5], 4)
TWO_BLOCKS = [Block(4, 31, 26), Block(3, 57, 31)]


@pytest.mark.parametrize("places", [{3: 57, 4: 31}, {3: 0, 4: 0}, {3: 57, 4: 0}], ids=["told", "piped", "in part"])
def test_an_index_is_told_by_the_archive_or_made_from_all_of_it(places: dict[int, int | None], tmp_path: Path) -> None:
    index = read_index(archive(tmp_path / "x", {**places, 5: None}, TWO))
    assert index.blocks == TWO_BLOCKS
    assert BlockIndex.from_wire(index.to_wire()) == index


def test_an_index_that_the_file_was_read_for_is_kept_and_found_again(tmp_path: Path) -> None:
    kept: list[BlockIndex] = []
    shelf = Shelf(lambda: kept[0] if kept else None, kept.append)
    told, piped = archive(tmp_path / "x", {3: 57, 4: 31}, TWO), archive(tmp_path / "x", {3: 0, 4: 0}, TWO)
    read_index(told, shelf=shelf)
    assert kept == []
    assert read_index(piped, shelf=shelf).blocks == TWO_BLOCKS
    (tmp_path / "x").write_bytes(b"nobody looks at it any more")
    assert read_index(piped, shelf=shelf).blocks == TWO_BLOCKS
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ({3: 5, 4: 31}, "x: the archive is corrupt: it tells that data lie in its table of contents"),
        ({3: 88, 4: 31}, "x: the archive is truncated: data should lie at byte 88 of 88"),
        ({3: 31, 4: 31}, "x: the archive is corrupt: it tells that two entries have their data at one place"),
    ],
)
def test_places_that_cannot_be_are_refused(places: dict[int, int | None], said: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=said):
        read_index(archive(tmp_path / "x", places, TWO))


def test_the_pass_over_a_file_ends_when_nobody_wants_it_any_more(tmp_path: Path) -> None:
    def cancelled() -> None:
        raise RestoreCancelled

    rows = HEAD + b"\x01" + integer(3, 4) + chunks([2 * PIECE, 1], 4)
    with pytest.raises(RestoreCancelled):
        read_index(archive(tmp_path / "x", {3: 0}, rows), cancelled)


TEXT = "".join(f"{number}\tname {number * 7_919 % 1_000}\n" for number in range(60_000)).encode()


@pytest.mark.parametrize("start", [bytes([1]) + integer(7, 4), bytes([3]) + integer(7, 4) + integer(77, 4)])
@pytest.mark.parametrize("level", [1, 9])
def test_how_much_text_a_block_becomes_is_told_by_its_beginning(tmp_path: Path, start: bytes, level: int) -> None:
    """Of rows as of large objects."""
    packed = zlib.compress(TEXT, level)
    pieces = [packed[at : at + 4096] for at in range(0, len(packed), 4096)]
    block = start + b"".join(integer(len(piece), 4) + piece for piece in pieces) + integer(0, 4)
    factor = expansion(in_file(tmp_path, block), len(HEAD))

    assert factor == pytest.approx(len(TEXT) / len(block), rel=0.1)


def test_a_block_that_is_not_packed_is_its_text_and_little_more(tmp_path: Path) -> None:
    lines = TEXT.splitlines(keepends=True)
    block = bytes([1]) + integer(7, 4) + b"".join(integer(len(line), 4) + line for line in lines) + integer(0, 4)

    assert expansion(in_file(tmp_path, block), len(HEAD)) == pytest.approx(len(TEXT) / len(block), rel=0.1)


@pytest.mark.parametrize("block", [b"", b"\x01", bytes([1]) + integer(7, 4) + integer(0, 4), b"\xff" * 50])
def test_a_block_that_tells_nothing_has_a_factor_all_the_same(tmp_path: Path, block: bytes) -> None:
    assert expansion(in_file(tmp_path, block), len(HEAD)) > 0


def in_file(folder: Path, block: bytes) -> Archive:
    path = folder / "dump"
    path.write_bytes(HEAD + block)
    summary = ArchiveSummary(format=ArchiveFormat.CUSTOM, size=0)
    return Archive(LocalFile(path), Toolbox(NO_TOOL, NO_TOOL), summary, "", "", (), len(HEAD))
