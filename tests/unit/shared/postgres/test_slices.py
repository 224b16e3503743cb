"""An archive's data are cut into slices that bring every wanted block once and together take as long as they must."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.imports import ArchiveFormat, ArchiveSummary
from shared.postgres import slices
from shared.postgres.archive import Archive
from shared.postgres.blocks import Block, BlockIndex
from shared.postgres.contents import select
from shared.postgres.slices import digest, divide, plan_slices, why_not
from shared.postgres.source import LocalFile
from shared.postgres.toc import Entry
from shared.postgres.tools import Tool, Toolbox

MB = 1 << 20
NO_TOOL = Tool("pg_restore", Path("nowhere"), (18, 0), "setting")


def entry(dump_id: int, desc: str, name: str, section: str = "", **more: object) -> Entry:
    made = Entry(dump_id, desc, "public", name, "app", "", (), section)
    return replace(made, **more)  # type: ignore[arg-type]  # forwarded


def rows(dump_id: int, name: str, copy: str = "", place: int = 1000) -> Entry:
    copy = copy or f"COPY public.{name} (a) FROM stdin;\n"
    return entry(dump_id, "TABLE DATA", name, "data", copy_statement=copy, place=place)


def archive(*entries: Entry) -> Archive:
    summary = ArchiveSummary(format=ArchiveFormat.CUSTOM, size=1)
    return Archive(LocalFile(Path("x")), Toolbox(NO_TOOL, NO_TOOL), summary, "", "", entries, 100)


def index(*blocks: Block) -> BlockIndex:
    return BlockIndex.of(1 << 40, blocks)


BLOBS = entry(90, "BLOBS", "77..78", "data", place=1000)


@given(
    st.lists(st.tuples(st.integers(1, 600 * MB), st.booleans()), min_size=1, max_size=60),
    st.integers(2, 16),
)
def test_each_wanted_block_is_in_one_slice_and_a_slice_is_read_front_to_back(
    sizes: list[tuple[int, bool]], jobs: int
) -> None:
    blocks, place = list[Block](), 100
    for dump_id, (size, _) in enumerate(sizes, 1):
        blocks.append(Block(dump_id, place, size))
        place += size
    wanted = [rows(dump_id, f"t{dump_id}") for dump_id, (_, chosen) in enumerate(sizes, 1) if chosen]
    made = [entry(1000 + one.dump_id, "TABLE", one.name) for one in wanted]
    planned = plan_slices(archive(*made, *wanted), wanted, index(*blocks), jobs)

    by_id = {block.dump_id: block for block in blocks}
    assert sorted(one.dump_id for part in planned for one in part.entries) == [one.dump_id for one in wanted]
    assert [part.number for part in planned] == list(range(len(planned)))
    assert all(before.size >= after.size for before, after in pairwise(planned))
    share = max(MB, sum(by_id[one.dump_id].length for one in wanted) // (jobs * slices.PER_JOB))
    for part in planned:
        lie = [by_id[one.dump_id] for one in part.entries]
        assert all(before.end <= after.offset for before, after in pairwise(lie))
        read = [place for start, end in part.ranges for place in (start, end)]
        assert read == sorted(set(read))
        assert part.size == sum(block.length for block in lie)
        assert len(part.entries) == 1 or part.size <= min(share, slices.LARGEST)
        assert part.repeatable


def test_blocks_side_by_side_are_one_range() -> None:
    wanted = [rows(1, "a"), rows(2, "b"), rows(4, "d")]
    made = [entry(10 + one.dump_id, "TABLE", one.name) for one in wanted]
    blocks = index(Block(1, 100, 10), Block(2, 110, 10), Block(3, 120, 10), Block(4, 130, 10))
    [one] = plan_slices(archive(*made, *wanted), wanted, blocks, 2)
    assert one.ranges == ((100, 120), (130, 140))


def test_the_tables_of_a_slice_are_those_that_its_rows_go_into_as_sql_writes_them() -> None:
    odd = 'a "b". c'
    wanted = [
        rows(1, odd, 'COPY public."a ""b"". c" (x, "y z") FROM stdin;\n'),
        rows(2, "e", "COPY public.e  FROM stdin;"),
    ]
    made = [entry(11, "TABLE", odd), entry(12, "TABLE", "e")]
    [one] = plan_slices(archive(*made, *wanted), wanted, index(Block(1, 1, 1), Block(2, 2, 1)), 2)
    assert one.tables == ('public."a ""b"". c"', "public.e")
    assert one.repeatable


def test_rows_in_tables_that_others_fill_too_are_kept_apart_and_never_started_over() -> None:
    """A partitioned table distributes rows, an extension brings some; large objects are written over."""
    through_root = rows(2, "leaf", "COPY public.root (a) FROM stdin;\n")
    of_extension = rows(3, "spatial_ref_sys")
    wanted = [rows(1, "a"), through_root, of_extension, rows(4, "b"), BLOBS]
    made = [entry(11, "TABLE", "a"), entry(12, "TABLE", "leaf"), entry(13, "TABLE", "root"), entry(14, "TABLE", "b")]
    blocks = index(*(Block(one.dump_id, 100 * one.dump_id, 50) for one in wanted))
    planned = plan_slices(archive(*made, *wanted), wanted, blocks, 2)
    assert {(part.repeatable, tuple(one.dump_id for one in part.entries)) for part in planned} == {
        (True, (1, 4, 90)),
        (False, (2, 3)),
    }


def test_rows_that_a_crash_of_the_server_takes_are_kept_apart() -> None:
    wanted = [rows(1, "a"), rows(2, "u"), rows(3, "b")]
    unlogged = entry(12, "TABLE", "u", definition="CREATE UNLOGGED TABLE public.u (\n    a integer\n);\n")
    made = [entry(11, "TABLE", "a", definition="CREATE TABLE public.a ();"), unlogged, entry(13, "TABLE", "b")]
    planned = plan_slices(archive(*made, *wanted), wanted, index(*(Block(n, n, 1) for n in (1, 2, 3))), 2)
    assert {(part.lasting, tuple(one.dump_id for one in part.entries)) for part in planned} == {
        (True, (1, 3)),
        (False, (2,)),
    }


def test_a_plan_s_digest_tells_other_slices_and_another_archive() -> None:
    wanted = [rows(n, f"t{n}") for n in range(1, 9)]
    blocks = index(*(Block(n, n * MB, MB) for n in range(1, 9)))
    for_two, for_one = (plan_slices(archive(*wanted), wanted, blocks, jobs) for jobs in (2, 1))
    texts = [digest(for_two, b"head"), digest(for_two, b"head"), digest(for_one, b"head"), digest(for_two, b"HEAD")]
    assert texts[0] == texts[1]
    assert len(set(texts)) == 3


def test_a_slice_has_no_more_tables_than_a_list_bears() -> None:
    wanted = [rows(n, f"t{n}") for n in range(1, 2 * slices.ENTRIES + 2)]
    made = [entry(10_000 + one.dump_id, "TABLE", one.name) for one in wanted]
    planned = plan_slices(archive(*made, *wanted), wanted, index(*(Block(n, n, 1) for n in range(1, 5000))), 1)
    assert [len(part.entries) for part in planned] == [slices.ENTRIES, slices.ENTRIES, 1]


def test_what_has_data_comes_between_what_makes_its_place_and_what_needs_it() -> None:
    """Large objects are made before they are filled, although since PostgreSQL 17 they stand among the data."""
    table, comment = entry(1, "TABLE", "t", "pre-data"), entry(2, "COMMENT", "TABLE t")
    data, setval = rows(3, "t"), entry(4, "SEQUENCE SET", "s", "data")
    made, about = entry(5, "BLOB METADATA", "77..78", "data"), entry(6, "COMMENT", "LARGE OBJECT 77")
    planner, made_index = entry(7, "STATISTICS DATA", "t", "data"), entry(8, "INDEX", "i", "post-data")
    described = entry(9, "COMMENT", "INDEX i")
    entries = (table, comment, data, setval, made, about, BLOBS, planner, made_index, described)
    parts = divide(entries)
    assert parts.before == (table, comment, made)
    assert parts.data == (data, BLOBS)
    assert parts.after == (setval, about, planner, made_index, described)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([entry(1, "TABLE", "t", "pre-data"), rows(2, "t"), BLOBS], ""),
        ([entry(1, "TABLE", "t", "pre-data")], "it has no rows"),
        ([entry(1, "TABLE", "t", "pre-data"), replace(rows(2, "t"), copy_statement="")], "INSERT statements"),
        ([entry(1, "FOREIGN TABLE", "t", "pre-data"), rows(2, "t")], "rows of foreign tables"),
        ([entry(1, "NEW DATA", "t", "data", place=1)], "data of an unknown kind"),
    ],
)
def test_an_archive_that_cannot_be_sliced_says_why(entries: list[Entry], said: str) -> None:
    assert said in why_not(archive(*entries), select(entries))
    assert bool(said) == bool(why_not(archive(*entries), select(entries)))
