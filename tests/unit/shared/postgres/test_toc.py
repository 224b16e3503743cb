"""The table of contents is read from the archive's own bytes, in every version that PostgreSQL still writes."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ToolTooOld, UnreadableFile
from shared.postgres.toc import Bytes, not_packed, read_toc

VERSIONS = [(1, 12), (1, 13), (1, 14), (1, 15), (1, 16)]


def integer(value: int) -> bytes:
    return bytes([value < 0]) + abs(value).to_bytes(4, "little")


def string(value: str | None, codec: str = "utf-8") -> bytes:
    return integer(-1) if value is None else integer(len(value.encode(codec))) + value.encode(codec)


def entry(
    version: tuple[int, int], dump_id: int, desc: str, name: str, *, codec: str = "utf-8", **fields: str | None
) -> bytes:
    parts = [integer(dump_id), integer(0), string("1259"), string("16384"), string(name, codec), string(desc)]
    parts += [integer(2), string(fields.get("definition", ""), codec), string(""), string(None)]
    parts += [string(fields.get("schema", ""), codec), string("")]
    parts += [string("heap")] if version >= (1, 14) else []
    parts += [integer(114)] if version >= (1, 16) else []
    parts += [string(fields.get("owner", ""), codec), string("false"), string("7"), string(None)]
    return b"".join(parts)


def archive(
    version: tuple[int, int], entries: list[bytes], *, form: int = 1, count: int | None = None, told: bytes = b""
) -> bytes:
    head = b"PGDMP" + bytes([*version, 0, 4, 8, form])
    head += told or (bytes([1]) if version >= (1, 15) else integer(-1))
    head += integer(0) * 7 + string("shop") + string("16.4 (Debian)") + string("18.6")
    position = bytes([2]) + bytes(8) if form == 1 else string("7.dat")
    return head + integer(len(entries) if count is None else count) + b"".join(one + position for one in entries)


def in_pieces(data: bytes) -> Iterator[bytes]:
    """The bytes in pieces of any size."""
    for size in cycle(range(1, 50)):
        if not data:
            return
        yield data[:size]
        data = data[size:]


@pytest.mark.parametrize("form", [1, 3], ids=["custom", "tar"])
@pytest.mark.parametrize("version", VERSIONS)
def test_names_owners_and_definitions_come_out_as_they_went_in(version: tuple[int, int], form: int) -> None:
    odd = 'table "with"\nnewline and ünicode'
    entries = [
        entry(version, 1, "ENCODING", "ENCODING", definition="SET client_encoding = 'UTF8';\n"),
        entry(version, 5, "TABLE", odd, schema="my schema", owner="an owner", definition="CREATE TABLE …"),
    ]
    data = archive(version, entries, form=form)
    found = read_toc(Bytes(in_pieces(data + b"data that is not looked at")))
    assert (found.version, found.database, found.dumped_from, found.dumped_by) == (
        version,
        "shop",
        "16.4 (Debian)",
        "18.6",
    )
    assert found.end == len(data)
    table = found.entries[1]
    assert (table.dump_id, table.desc, table.name) == (5, "TABLE", odd)
    assert (table.schema, table.owner, table.definition) == ("my schema", "an owner", "CREATE TABLE …")
    assert table.dependencies == (7,)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("compression", ["none", "gzip", "lz4", "zstd"])
def test_how_the_data_are_compressed_is_told_in_every_version(version: tuple[int, int], compression: str) -> None:
    """Before 1.15 by gzip's level alone."""
    algorithm = ["none", "gzip", "lz4", "zstd"].index(compression)
    older = integer(0 if compression == "none" else -1)
    told = bytes([algorithm]) if version >= (1, 15) else older
    data = archive(version, [], told=told)
    expected = "gzip" if version < (1, 15) and algorithm else compression
    assert read_toc(Bytes(in_pieces(data))).compression == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_a_head_can_say_that_nothing_is_packed(version: tuple[int, int]) -> None:
    """And everything else as before."""
    data = archive(version, [entry(version, 5, "TABLE", "t")])
    before, after = (read_toc(Bytes(in_pieces(head))) for head in (data, not_packed(data)))
    assert (before.compression, after.compression) == ("gzip", "none")
    assert replace(after, compression="gzip") == before


@pytest.mark.parametrize(
    ("encoding", "codec"),
    [("LATIN1", "iso8859-1"), ("WIN1252", "cp1252"), ("SJIS", "cp932"), ("EUC_JP", "euc_jp"), ("KOI8R", "koi8-r")],
)
def test_names_are_decoded_as_the_archive_says(encoding: str, codec: str) -> None:
    name = "größe" if codec in {"iso8859-1", "cp1252"} else "表" if "jp" in codec or "932" in codec else "таблица"
    entries = [
        entry((1, 16), 5, "TABLE", name, codec=codec),
        entry((1, 16), 1, "ENCODING", "ENCODING", definition=f"SET client_encoding = '{encoding}';\n"),
    ]
    found = read_toc(Bytes(iter([archive((1, 16), entries)])))
    assert (found.encoding, found.entries[0].name) == (encoding, name)


def test_an_archive_that_is_cut_off_anywhere_is_unreadable() -> None:
    for length in range(len(ONE_TABLE)):
        with pytest.raises(UnreadableFile):
            read_toc(Bytes(iter([ONE_TABLE[:length]])))


ONE_TABLE = archive((1, 16), [entry((1, 16), 5, "TABLE", "t", schema="public", owner="me")])


@given(st.lists(st.tuples(st.integers(11, len(ONE_TABLE) - 1), st.integers(0, 255)), max_size=5))
def test_garbage_behind_the_head_is_unreadable_and_never_anything_else(changes: list[tuple[int, int]]) -> None:
    broken = bytearray(ONE_TABLE)
    for place, byte in changes:
        broken[place] = byte
    with suppress(UnreadableFile):
        assert read_toc(Bytes(iter([bytes(broken)]))).version == (1, 16)


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (archive((1, 17), []), ToolTooOld, "version 1.17"),
        (archive((1, 11), []), UnreadableFile, "before PostgreSQL 9.0"),
        (b"PGDMP\x01\x10\x00\x03\x08\x01", UnreadableFile, "impossible sizes"),
        (archive((1, 16), [], count=-3), UnreadableFile, "-3 entries"),
        (b"ROLLBACK", UnreadableFile, "no pg_dump archive"),
    ],
)
def test_what_cannot_be_read_is_said_in_words(data: bytes, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        read_toc(Bytes(iter([data])))
