"""The rows of a table come out of an archive whole, and in parts that end with rows."""

import zlib
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UnreadableFile
from shared.postgres import split_load
from shared.postgres.split_load import Cutter, Part
from shared.postgres.unpacking import read_rows

ROWS = st.lists(
    st.binary(max_size=40).map(lambda row: row.replace(b"\n", b"\\n").replace(b"\\.", b"\\\\.")), max_size=30
)
END = b"\\.\n\n\n"
COPY = b"COPY public.t (n) FROM stdin;\n"
ENTRY = 217


def number(value: int, size: int = 4) -> bytes:
    return b"\0" + value.to_bytes(size, "little")


def block(chunks: list[bytes], int_size: int = 4) -> bytes:
    body = b"".join(number(len(chunk), int_size) + chunk for chunk in chunks)
    return b"\x01" + number(ENTRY, int_size) + body + number(0, int_size)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def cut(pieces: Iterable[bytes], statement: bytes = b"") -> list[Part]:
    cutter = Cutter(statement)
    return [*(part for piece in pieces for part in cutter.feed(piece)), cutter.close()]


@given(
    rows=ROWS,
    size=st.integers(1, 50),
    large=st.integers(1, 60),
    tail=st.integers(len(END), 40),
    printed=st.booleans(),
)
def test_parts_are_the_rows_and_end_with_one_unless_it_is_larger_than_a_part(
    *, rows: list[bytes], size: int, large: int, tail: int, printed: bool
) -> None:
    """Whatever pg_restore prints before and behind them."""
    text = b"".join(row + b"\n" for row in rows)
    before, behind = (b"SET x;\n\n" + COPY, b"--\n") if printed and tail > len(END) + 3 else (b"", b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split_load, "BLOCK", large)
        patch.setattr(split_load, "_TAIL", tail)
        parts = cut(pieces(before + text + END + behind, size), COPY if before else b"")

    assert b"".join(part.data for part in parts) == text
    for part, after in pairwise(parts):
        assert not part.whole or not part.data or part.data.endswith(b"\n")
        assert part.whole or after.data
    assert all(len(part.data) <= large + size + tail for part in parts)


@pytest.mark.parametrize("text", [b"", b"1\n2\n", b"1\n\\.x", b"\n\n", b"1\\.\n\n\n", b"1\\\\.\n"])
def test_rows_without_their_end_are_truncated(text: bytes) -> None:
    """A row may end as that line does."""
    with pytest.raises(UnreadableFile, match="truncated"):
        cut([text])


def test_what_prints_no_rows_is_not_waited_for() -> None:
    with pytest.raises(UnreadableFile):
        cut([b"SET x;\n" * 100_000] * 2, COPY)
    with pytest.raises(UnreadableFile):
        cut([b"SET x;\n", END], COPY)


@given(at=st.integers(0, 399), value=st.integers(0, 255), keep=st.integers(0, 400))
def test_damage_is_told_or_harms_nothing(at: int, value: int, keep: int) -> None:
    """Bytes are changed, or missing at the end."""
    rows = b"".join(b"%d\tx\n" % n for n in range(100)) + END
    good = block(list(pieces(zlib.compress(rows), 50)))
    bad = bytearray(good[: max(1, len(good) - keep)])
    bad[at % len(bad)] = value
    try:
        found = b"".join(part.data for part in cut(read_rows(pieces(bytes(bad), 64), ENTRY, 4)))
    except UnreadableFile:
        return
    assert found + END == rows
