"""The schedule of index builds: the slowest first, none without its share of workers, none locked out by another."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.postgres.load_settings import Resources
from shared.postgres.schedule import (
    LARGE,
    WORKERS_LIMIT,
    Build,
    make_schedule,
    memory_for,
    next_build,
    workers_for,
)
from shared.postgres.toc import Entry

PLENTY = Resources(180_000, 4 << 20, 64 << 10, 8, 2)
TABLES = [Entry(number, "TABLE", "public", f"t{number}", "me", "CREATE TABLE", ()) for number in (1, 2, 3)]
SIZES = {("public", f"t{number}"): number * LARGE for number in (1, 2, 3)}


def index(number: int, table: int, method: str = "btree", *depends: int) -> Entry:
    text = f"CREATE INDEX i{number} ON public.t{table} USING {method} (a);\n"
    return Entry(number, "INDEX", "public", f"i{number}", "me", text, (table, *depends))


def key(number: int, table: int) -> Entry:
    text = f"ALTER TABLE ONLY public.t{table}\n    ADD CONSTRAINT k{number} PRIMARY KEY (id);\n"
    return Entry(number, "CONSTRAINT", "public", f"t{table} k{number}", "me", text, (table,))


def schedule(*after: Entry, sizes: dict[tuple[str, str], int] = SIZES) -> tuple[list[int], list[int]]:
    found = make_schedule(after, [*TABLES, *after], sizes)
    return [build.entry.dump_id for build in found.builds], [entry.dump_id for entry in found.others]


def test_the_slowest_begin_first() -> None:
    """By the size of the table and by what the method takes for each byte of it."""
    builds, others = schedule(index(10, 3, "brin"), index(11, 1, "gin"), index(12, 3), key(13, 2))

    assert builds == [11, 12, 13, 10]
    assert others == []


def test_small_tables_are_left_to_pg_restore() -> None:
    assert schedule(index(10, 1), index(11, 2), sizes={("public", "t2"): LARGE}) == ([11], [10])


@pytest.mark.parametrize(
    "entry",
    [
        Entry(
            20,
            "FK CONSTRAINT",
            "public",
            "t1 f",
            "me",
            "ALTER TABLE ONLY public.t1 ADD CONSTRAINT f FOREIGN KEY",
            (1, 2),
        ),
        Entry(20, "TRIGGER", "public", "t1 g", "me", "CREATE TRIGGER g", (1,)),
        Entry(20, "INDEX ATTACH", "public", "i", "me", "ALTER INDEX i ATTACH PARTITION j", (1,)),
        Entry(20, "CONSTRAINT", "public", "t1 c", "me", "ALTER TABLE public.t1 ADD CONSTRAINT c NOT NULL a", (1,)),
        Entry(20, "INDEX", "public", "i", "me", "CREATE INDEX i ON public.t1 USING btree (a)", (99,)),
    ],
    ids=lambda entry: entry.desc,
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


def test_a_constraint_has_its_table_to_itself() -> None:
    """Its lock lets nobody else build there: a lane that waits for it would be lost to the others."""
    builds = make_schedule([index(10, 3), key(11, 3), index(12, 1)], [*TABLES], SIZES).builds
    ten, eleven, twelve = builds

    assert next_build([eleven, twelve], [ten]) == twelve
    assert next_build([ten, twelve], [eleven]) == twelve
    assert next_build([eleven], [ten]) is None
    assert next_build([ten], []) == ten


def test_the_slowest_build_gets_the_most_workers_and_the_others_theirs() -> None:
    builds = make_schedule([index(10, 3), index(11, 1), index(12, 2)], [*TABLES], SIZES).builds
    waiting, running = list(builds), dict[Build, int]()
    while (build := next_build(waiting, running)) is not None:
        running[build] = workers_for(build, waiting, running, 3, PLENTY)
        waiting.remove(build)

    assert [running[build] for build in builds] == [4, 3, 1]


def test_a_method_that_the_server_builds_alone_gets_no_workers() -> None:
    gin = make_schedule([index(10, 3, "gin")], [*TABLES], SIZES).builds[0]

    assert workers_for(gin, [gin], {}, 4, dataclasses.replace(PLENTY, version=170_000)) == 0
    assert workers_for(gin, [gin], {}, 4, PLENTY) == WORKERS_LIMIT


def test_memory_is_shared_by_the_lanes_and_never_less_than_the_servers_own() -> None:
    assert memory_for(4, PLENTY) == 1 << 20
    assert memory_for(1, PLENTY) == 2 << 20
    assert memory_for(1_000, PLENTY) == 64 << 10


@given(
    drawn=st.lists(
        st.tuples(
            st.sampled_from([1, 2, 3]), st.sampled_from(["btree", "gin", "gist", "brin", "bloom"]), st.booleans()
        ),
        max_size=12,
    ),
    lanes=st.integers(1, 8),
    most=st.integers(0, 16),
    order=st.randoms(use_true_random=False),
)
def test_every_entry_comes_once_and_no_limit_is_passed(
    drawn: list[tuple[int, str, bool]], lanes: int, most: int, order: object
) -> None:
    """Whatever ends when: all are built, no more workers run than the server has, locks let each other be."""
    after = [
        key(number, table) if is_key else index(number, table, method)
        for number, (table, method, is_key) in enumerate(drawn, 10)
    ]
    found = make_schedule(after, [*TABLES, *after], SIZES)
    resources = dataclasses.replace(PLENTY, max_parallel_workers=most)
    waiting, running, built = list(found.builds), dict[Build, int](), list[int]()
    while waiting or running:
        while len(running) < lanes and (build := next_build(waiting, running)) is not None:
            running[build] = workers_for(build, waiting, running, lanes, resources)
            waiting.remove(build)
            assert sum(running.values()) <= most
            assert len(running) == 1 or not any(
                one.exclusive and other.table == one.table for one in running for other in running if one != other
            )
        ended = order.choice(list(running))  # type: ignore[attr-defined]  # a random.Random
        del running[ended]
        built.append(ended.entry.dump_id)

    assert sorted([*built, *(entry.dump_id for entry in found.others)]) == [entry.dump_id for entry in after]
