"""The schedule of what is built on large tables one by one, and what is left to pg_restore."""

import pytest

from shared.postgres.schedule import LARGE, make_schedule
from shared.postgres.toc import Entry

TABLES = [Entry(number, "TABLE", "public", f"t{number}", "me", "CREATE TABLE", ()) for number in (1, 2, 3)]
SIZES = {("public", f"t{number}"): number * LARGE for number in (1, 2, 3)}


def index(number: int, table: int, method: str = "btree", *depends: int) -> Entry:
    text = f"CREATE INDEX i{number} ON public.t{table} USING {method} (a);\n"
    return Entry(number, "INDEX", "public", f"i{number}", "me", text, (table, *depends))


def key(number: int, table: int) -> Entry:
    text = f"ALTER TABLE ONLY public.t{table}\n    ADD CONSTRAINT k{number} PRIMARY KEY (id);\n"
    return Entry(number, "CONSTRAINT", "public", f"t{table} k{number}", "me", text, (table,))


def foreign_key(number: int, table: int, other: int, *depends: int, text: str = "") -> Entry:
    text = (
        text or f"ALTER TABLE ONLY public.t{table}\n    ADD CONSTRAINT f{number} FOREIGN KEY (a) REFERENCES public.t\n"
    )
    return Entry(number, "FK CONSTRAINT", "public", f"t{table} f{number}", "me", text, (table, other, *depends))


def schedule(*after: Entry, sizes: dict[tuple[str, str], int] = SIZES) -> tuple[list[int], list[int]]:
    found = make_schedule(after, [*TABLES, *after], sizes)
    return [build.entry.dump_id for build in found.builds], [entry.dump_id for entry in found.others]


def test_what_a_build_takes_follows_from_its_table_and_its_method() -> None:
    found = make_schedule([index(10, 3, "brin"), index(11, 1, "gin"), index(12, 3), key(13, 2)], TABLES, SIZES)
    slowest = sorted(found.builds, key=lambda build: -build.cost)

    assert [build.entry.dump_id for build in slowest] == [11, 12, 13, 10]
    assert found.others == ()


def test_small_tables_are_left_to_pg_restore() -> None:
    assert schedule(index(10, 1), index(11, 2), sizes={("public", "t2"): LARGE}) == ([11], [10])


@pytest.mark.parametrize(
    "entry",
    [
        foreign_key(20, 1, 2, text="ALTER TABLE public.t1 ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES public.t2 (a)"),
        foreign_key(
            20, 1, 2, text="ALTER TABLE ONLY public.t1 ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES t NOT VALID"
        ),
        Entry(20, "TRIGGER", "public", "t1 g", "me", "CREATE TRIGGER g", (1,)),
        Entry(20, "INDEX ATTACH", "public", "i", "me", "ALTER INDEX i ATTACH PARTITION j", (1,)),
        Entry(20, "CONSTRAINT", "public", "t1 c", "me", "ALTER TABLE public.t1 ADD CONSTRAINT c NOT NULL a", (1,)),
        Entry(20, "INDEX", "public", "i", "me", "CREATE INDEX i ON public.t1 USING btree (a)", (99,)),
    ],
    ids=lambda entry: f"{entry.desc} {entry.definition[-9:]}",
)
def test_what_makes_no_index_of_one_table_is_left_to_pg_restore(entry: Entry) -> None:
    assert schedule(entry) == ([], [20])


def test_an_index_that_needs_another_one_comes_after_it() -> None:
    assert schedule(index(10, 3), index(11, 3, "btree", 10)) == ([10], [11])


def test_the_indexes_of_partitions_are_built_behind_the_empty_one_of_their_parent() -> None:
    """The parent's makes nothing; a partition's depends on it, and so on what comes after the data."""
    parent = Entry(4, "TABLE", "public", "parent", "me", "CREATE TABLE", ())
    attach = Entry(12, "INDEX ATTACH", "public", "i11", "me", "ALTER INDEX i10 ATTACH PARTITION i11", (11, 10))
    found = make_schedule([index(10, 4), index(11, 3, "btree", 10), attach], [*TABLES, parent], SIZES)

    assert [entry.dump_id for entry in found.first] == [10]
    assert [build.entry.dump_id for build in found.builds] == [11]
    assert [entry.dump_id for entry in found.others] == [12]


def test_a_table_may_be_named_several_times() -> None:
    assert schedule(index(10, 3, "btree", 3, 3)) == ([10], [])


def test_a_foreign_key_comes_after_the_key_that_it_refers_to_and_locks_both_tables() -> None:
    found = make_schedule([foreign_key(12, 3, 1, 11), key(10, 3), key(11, 1)], TABLES, SIZES)
    last = found.builds[-1]

    assert [build.entry.dump_id for build in found.builds] == [10, 11, 12]
    assert (set(last.tables), last.exclusive, set(last.needs)) == ({1, 3}, True, {11})


def test_a_foreign_key_whose_key_is_left_to_pg_restore_is_left_to_it_too() -> None:
    small = {**SIZES, ("public", "t1"): 0}

    assert schedule(key(11, 1), foreign_key(12, 3, 1, 11), sizes=small) == ([], [11, 12])
