"""What an archive's table of contents tells of the work that its load will be."""

from dataclasses import replace
from pathlib import Path

import pytest

from shared.contracts.imports import ArchiveFormat, ArchiveSummary
from shared.postgres.archive import Archive
from shared.postgres.blocks import Block, BlockIndex
from shared.postgres.expected import LARGE_OBJECTS, Expected, Index
from shared.postgres.source import LocalFile
from shared.postgres.toc import Entry
from shared.postgres.tools import Tool, Toolbox

NO_TOOL = Tool("pg_restore", Path("nowhere"), (18, 0), "setting")
TABLE = ("public", "t")


def entry(dump_id: int, desc: str, name: str, definition: str = "", *dependencies: int) -> Entry:
    return Entry(dump_id, desc, "public", name, "app", definition, dependencies)


ENTRIES = (
    entry(1, "TABLE", "t"),
    entry(2, "TABLE DATA", "t", "", 1),
    entry(3, "TABLE", "u"),
    entry(4, "TABLE DATA", "u", "", 3),
    entry(5, "BLOBS", "7..9"),
    entry(6, "BLOBS", "10..11"),
    entry(7, "CONSTRAINT", "t t_pkey", "ALTER TABLE ONLY public.t ADD CONSTRAINT t_pkey PRIMARY KEY (a);", 1),
    entry(8, "INDEX", "words", "CREATE INDEX words ON public.t USING gin (b);", 1),
    entry(9, "CONSTRAINT", "t filled", "ALTER TABLE public.t ADD CONSTRAINT filled NOT NULL a NOT VALID;", 1),
    entry(10, "FK CONSTRAINT", "u u_fkey", "ALTER TABLE ONLY public.u ADD CONSTRAINT u_fkey FOREIGN KEY (a)", 3, 1),
)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    path = tmp_path / "dump"
    path.write_bytes(bytes(1_000))
    summary = ArchiveSummary(format=ArchiveFormat.CUSTOM, size=1_000)
    return Archive(LocalFile(path), Toolbox(NO_TOOL, NO_TOOL), summary, "", "", ENTRIES, 100)


def test_tables_with_rows_and_indexes_are_told_without_their_sizes(archive: Archive) -> None:
    """Keys make indexes as well; other constraints do not."""
    expected = Expected.of(archive)

    assert expected.size == 900
    assert expected.tables == {TABLE: None, ("public", "u"): None, LARGE_OBJECTS: None}
    assert expected.indexes == {("public", "t t_pkey"): Index(TABLE, 1.0), ("public", "words"): Index(TABLE, 6.0)}


def test_where_the_blocks_are_known_so_is_what_each_table_takes_of_the_file(archive: Archive) -> None:
    index = BlockIndex.of(1_000, [Block(2, 100, 300), Block(4, 400, 50), Block(5, 450, 7), Block(6, 457, 3)])
    expected = Expected.of(archive).with_blocks(archive, index)

    assert expected.tables == {TABLE: 300, ("public", "u"): 50, LARGE_OBJECTS: 10}
    assert expected.size == 360


def test_where_no_rows_are_wanted_none_are_expected(archive: Archive) -> None:
    expected = Expected.of(archive, rows=False)

    assert (expected.size, expected.tables) == (0, {})
    assert len(expected.indexes or {}) == 2


def test_plain_sql_tells_its_size_alone(archive: Archive) -> None:
    plain = replace(archive, summary=ArchiveSummary(format=ArchiveFormat.PLAIN, size=1_000), entries=(), head_size=0)

    assert Expected.of(plain) == Expected(1_000)
