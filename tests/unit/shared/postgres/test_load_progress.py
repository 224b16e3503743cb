"""What the server told, put together with what the archive told, is how far a load is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from shared.contracts.loading import BUILDS_LIMIT, TABLES_LIMIT, LoadProgress, LoadStep, TableProgress, TableState
from shared.postgres.expected import LARGE_OBJECTS, Expected, Index, Name
from shared.postgres.load_progress import LATE, Build, Copied, Earlier, Pace, Seen, Standing, load_progress

GB = 1 << 30
BIG, OTHER = ("public", "big"), ("public", "other")
FILE = Expected(
    4 * GB,
    {BIG: 3 * GB, OTHER: GB},
    {("public", "big big_pkey"): Index(BIG, 1.0), ("public", "gin"): Index(BIG, 6.0)},
)
NOW = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)


def told(seen: Seen, earlier: Earlier = Earlier(), expected: Expected = FILE) -> LoadProgress:  # noqa: B008  frozen
    return load_progress(Standing(expected, seen, earlier), Pace(), NOW, attempt="flexrestore_x", version="v")


def table(progress: LoadProgress, name: Name) -> TableProgress:
    [found] = [one for one in progress.by_table if one.table == ".".join(name)]
    return found


def copying(size: int, rows: int = 1_000_000, name: Name = BIG) -> Seen:
    return Seen(copies={name: Copied(size, rows)})


def test_a_copy_under_way_is_a_part_of_its_tables_bytes_of_the_file() -> None:
    """The server counts text; a byte of the file may be several of these."""
    progress = told(copying(6 * GB), Earlier(expansions={BIG: 4.0}))

    assert table(progress, BIG) == TableProgress(
        table="public.big", state=TableState.LOADING, bytes=6 * GB // 4, total_bytes=3 * GB, rows=1_000_000
    )
    assert (progress.step, progress.bytes, progress.total_bytes) == (LoadStep.ROWS, 6 * GB // 4, 4 * GB)
    assert (progress.tables, progress.tables_loaded, progress.indexes, progress.total_indexes) == (2, 0, 0, 2)


def test_a_copy_never_looks_finished_however_its_text_was_packed() -> None:
    assert 2.9 * GB < table(told(copying(50 * GB)), BIG).bytes < 3 * GB


def test_a_table_that_several_connections_fill_counts_what_is_committed_by_the_length_of_its_rows() -> None:
    seen = replace(copying(100_000_000, 1_000), rows={BIG: 2_000})

    assert (table(told(seen), BIG).rows, table(told(seen), BIG).bytes) == (3_000, 300_000_000)


def test_one_row_of_many_bytes_is_seen_before_it_is_there() -> None:
    assert table(told(copying(500_000_000, 0)), BIG).bytes == 500_000_000


def test_a_table_that_was_seen_on_its_way_is_loaded_although_the_statistics_are_late() -> None:
    earlier = Earlier(copies={BIG: Copied(9 * GB, 5_000)})
    one = table(told(copying(1, name=OTHER), earlier), BIG)

    assert (one.state, one.bytes, one.rows) == (TableState.LOADED, 3 * GB, 5_000)
    later = table(told(replace(copying(1, name=OTHER), rows={BIG: 6_000}), earlier), BIG)
    assert later.rows == 6_000


def test_a_table_that_starts_over_is_on_its_way_again() -> None:
    earlier = Earlier(copies={BIG: Copied(9 * GB, 5_000)})

    assert table(told(copying(1_000, 10), earlier), BIG).bytes == 1_000


def test_of_a_file_that_does_not_tell_where_its_data_lie_the_whole_is_known() -> None:
    expected = Expected(4 * GB, {BIG: None, OTHER: None}, {})
    progress = told(copying(2 * GB), Earlier(expansion=2.0), expected)

    assert (table(progress, BIG).bytes, table(progress, BIG).total_bytes) == (GB, None)
    assert (progress.bytes, progress.total_bytes) == (GB, 4 * GB)


def test_plain_sql_tells_what_the_server_has_met() -> None:
    seen = replace(copying(GB), rows={OTHER: 7}, indexes={("public", "i"): OTHER})
    progress = told(seen, expected=Expected(4 * GB))

    assert (progress.tables, progress.tables_loaded, progress.indexes, progress.total_indexes) == (2, 1, 1, None)
    assert (progress.bytes, progress.total_bytes) == (GB, 4 * GB)


def test_large_objects_count_by_their_pages_and_are_no_rows() -> None:
    expected = Expected(GB, {LARGE_OBJECTS: GB}, {})
    some, all_of_them = (told(Seen(rows={LARGE_OBJECTS: pages}), expected=expected) for pages in (1_000, GB))
    [one] = some.by_table

    assert (one.table, one.state, one.bytes, one.rows) == ("large objects", TableState.LOADING, 2_048_000, 0)
    assert (some.step, all_of_them.step) == (LoadStep.ROWS, LoadStep.OTHER)


COURSE = (
    (LoadStep.DEFINITIONS, Seen()),
    (LoadStep.ROWS, copying(GB)),
    (LoadStep.ROWS, replace(copying(2 * GB), rows={OTHER: 5})),
    (LoadStep.INDEXES, Seen(rows={BIG: 5, OTHER: 5})),
    (LoadStep.INDEXES, Seen(rows={BIG: 5, OTHER: 5}, builds=(Build(BIG, "building index", 0.5),))),
    (LoadStep.INDEXES, Seen(rows={BIG: 5, OTHER: 5}, indexes={("public", "gin"): BIG})),
    (LoadStep.OTHER, Seen(rows={BIG: 5, OTHER: 5}, indexes=dict.fromkeys(FILE.indexes or {}, BIG))),
)


def test_rows_come_before_indexes_and_these_before_the_rest_and_the_share_grows() -> None:
    progresses = [told(seen) for _, seen in COURSE]

    assert [one.step for one in progresses] == [step for step, _ in COURSE]
    assert all(earlier.share < later.share for earlier, later in pairwise(progresses))
    assert progresses[0].share == 0.0
    assert progresses[-1].share < 1.0
    assert [one.tables_loaded for one in progresses[3:]] == [2] * 4
    assert [one.indexes for one in progresses] == [0, 0, 0, 0, 0, 1, 2]


@pytest.mark.parametrize(("size", "step"), [(LATE + 1, LoadStep.ROWS), (LATE, LoadStep.INDEXES)])
def test_while_indexes_are_built_little_may_be_missing_without_rows_being_left(size: int, step: LoadStep) -> None:
    """A session that builds an index tells of its last second's rows when that is done."""
    expected = replace(FILE, tables={BIG: 3 * GB, OTHER: size})

    assert told(Seen(rows={BIG: 5}, builds=(Build(BIG, "p", None),)), expected=expected).step is step


def test_an_index_of_a_partitioned_table_comes_before_rows_and_tells_nothing() -> None:
    expected = Expected(GB, {BIG: None}, {("public", "i"): Index(("public", "tree"), 1.0)})

    assert told(Seen(indexes={("public", "i"): ("public", "tree")}), expected=expected).step is LoadStep.DEFINITIONS


def test_tables_without_rows_are_loaded_once_indexes_come() -> None:
    expected = Expected(100, {BIG: 100, OTHER: 30}, FILE.indexes)
    progress = told(Seen(rows={BIG: 1}, builds=(Build(BIG, "p", None),)), expected=expected)

    assert (progress.tables_loaded, progress.tables) == (2, 2)


def test_definitions_alone_have_no_rows_and_come_to_their_end() -> None:
    expected = Expected(0, {}, FILE.indexes)
    first, last = told(Seen(), expected=expected), told(COURSE[-1][1], expected=expected)

    assert (first.step, first.total_bytes) == (LoadStep.DEFINITIONS, None)
    assert (last.step, last.bytes, last.tables) == (LoadStep.OTHER, 0, 0)


def test_lists_are_bounded_and_name_first_what_is_at_work_then_the_largest() -> None:
    names = [("s", f"t{number}") for number in range(200)]
    expected = Expected(10**6, {name: number for number, name in enumerate(names)}, {})
    progress = told(replace(copying(1, 1, names[3]), builds=(Build(BIG, "p", None),) * 99), expected=expected)

    assert [one.table for one in progress.by_table[:3]] == ["s.t3", "s.t199", "s.t198"]
    assert len(progress.by_table) == TABLES_LIMIT
    assert len(progress.building) == BUILDS_LIMIT
    assert progress.tables == 200


def test_names_that_are_no_valid_text_can_be_told() -> None:
    name = ("public", "caf\udce9")

    assert told(copying(1, 1, name)).by_table[0].table == "public.caf\\udce9"


class TestPace:
    """What is left is told by what was done."""

    def test_it_is_unknown_at_first_and_then_follows_what_was_done(self) -> None:
        pace = Pace()
        left = [pace.seconds_left(at, LoadStep.ROWS, 10.0 * at, 1_000) for at in (0, 3, 10, 50)]

        assert left == [None, None, 90, 50]

    def test_it_is_that_of_the_last_minutes(self) -> None:
        pace = Pace()
        for minute in range(60):
            pace.seconds_left(60.0 * minute, LoadStep.ROWS, 60.0 * minute, 100_000)
        slower = [pace.seconds_left(3_540.0 + at, LoadStep.ROWS, 3_540 + at / 10, 4_540) for at in (300, 600)]

        assert slower[1] == 9_400

    def test_it_begins_anew_with_each_step_and_with_what_was_lost(self) -> None:
        pace = Pace()
        pace.seconds_left(0, LoadStep.ROWS, 0, 100)
        assert pace.seconds_left(10, LoadStep.ROWS, 50, 100) == 10
        assert pace.seconds_left(20, LoadStep.INDEXES, 60, 100) is None
        assert pace.seconds_left(30, LoadStep.INDEXES, 70, 100) == 30
        assert pace.seconds_left(40, LoadStep.INDEXES, 10, 100) is None

    def test_nothing_done_and_no_measure_tell_nothing(self) -> None:
        pace = Pace()
        pace.seconds_left(0, LoadStep.ROWS, 5, 100)
        assert pace.seconds_left(100, LoadStep.ROWS, 5, 100) is None
        assert pace.seconds_left(100, LoadStep.ROWS, 9, None) is None

    def test_a_load_tells_what_its_step_still_takes(self) -> None:
        pace, standing = Pace(), Standing(FILE, copying(GB))
        load_progress(standing, pace, NOW, attempt="a", version="v")
        later = replace(standing, seen=copying(2 * GB))
        progress = load_progress(later, pace, NOW + timedelta(minutes=1), attempt="a", version="v")

        assert progress.seconds_left == 120
