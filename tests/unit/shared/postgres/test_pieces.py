"""Which piece of a load comes next: the one with the longest way to the end, none locked out, none without workers."""

import dataclasses
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.postgres.load_settings import WORKERS_LIMIT, Resources
from shared.postgres.pieces import Piece, memory_for, next_piece, plan_pieces
from shared.postgres.schedule import FOREIGN_KEY, LARGE, Build
from shared.postgres.slices import Slice
from shared.postgres.toc import Entry

PLENTY = Resources(180_000, 4 << 20, 64 << 10, 8, 2)
TABLES = {("public", f"t{number}"): number for number in (1, 2, 3)}


def rows(number: int, table: int, size: int) -> Slice:
    entry = Entry(100 + table, "TABLE DATA", "public", f"t{table}", "me", "", ())
    return Slice(number, (entry,), ((0, size),), (f"public.t{table}",))


def build(
    dump_id: int,
    table: int,
    cost: float = 1.0,
    method: str = "btree",
    *,
    exclusive: bool = False,
    needs: tuple[int, ...] = (),
) -> Build:
    entry = Entry(dump_id, "INDEX", "public", f"i{dump_id}", "me", "", (table,))
    return Build(entry, frozenset({table}), LARGE, method, cost, exclusive, frozenset(needs))


def plan(slices: list[Slice], *builds: Build) -> list[Piece]:
    return plan_pieces(slices, builds, TABLES)


def order(pieces: list[Piece], loaders: int = 1) -> list[int]:
    """The numbers of the pieces in the order in which a single loader does them."""
    done: list[int] = []
    while found := next_piece(pieces, set(done), {}, loaders, PLENTY):
        done.append(found[0].number)
    return done


def test_an_index_begins_when_its_tables_rows_are_in_while_other_tables_are_loaded() -> None:
    pieces = plan([rows(0, 1, 100), rows(1, 2, 90), rows(2, 3, 80)], build(10, 1, 1e6))

    assert order(pieces) == [0, 3, 1, 2]
    assert next_piece(pieces, set(), {0: 0}, 2, PLENTY) == (pieces[2], 0)


def test_the_rows_that_a_slow_index_waits_for_come_before_larger_ones() -> None:
    """Their way to the end is the longest."""
    assert order(plan([rows(0, 1, 100), rows(1, 2, 50)], build(10, 2, 1e6, "gin"))) == [1, 2, 0]


def test_what_is_built_on_a_table_that_several_slices_fill_waits_for_all_of_them() -> None:
    pieces = plan([rows(0, 1, 10), rows(1, 1, 10)], build(10, 1))

    assert pieces[-1].needs == {0, 1}
    assert order(pieces) == [0, 1, 2]


def test_a_foreign_key_waits_for_the_rows_of_both_tables_and_for_the_key() -> None:
    reference = dataclasses.replace(build(11, 1, needs=(10,)), tables=frozenset({1, 2}), method=FOREIGN_KEY)
    pieces = plan([rows(0, 1, 10), rows(1, 2, 10)], build(10, 2), reference)

    assert next(piece for piece in pieces if piece.work == reference).needs == {0, 1, 2}


def test_a_constraint_has_its_table_to_itself() -> None:
    """Its lock lets nobody else build there: a loader that waits for it would be lost to the others."""
    pieces = plan([], build(10, 3, 9, exclusive=True), build(11, 3, 8, exclusive=True), build(12, 1, 7))
    ten, eleven, twelve = pieces

    def beside(running: Piece) -> Piece | None:
        found = next_piece(pieces, set(), {running.number: 0}, 4, PLENTY)
        return found[0] if found else None

    assert beside(ten) == twelve
    assert beside(eleven) == twelve
    assert next_piece([eleven], set(), {eleven.number: 0}, 4, PLENTY) is None


def test_a_key_comes_before_the_other_indexes_of_its_table() -> None:
    """Behind a slow one it would come last of all, and with it what refers to it."""
    pieces = plan([rows(0, 1, 1)], build(10, 1, 1e6, "gin"), build(11, 1, 1.0, exclusive=True), build(12, 2, 5.0))
    key, slow = (next(one for one in pieces if one.build and one.build.entry.dump_id == n) for n in (11, 10))

    assert slow.needs == {0, key.number}
    assert order(pieces)[:3] == [0, key.number, slow.number]


def test_the_slowest_build_gets_the_most_workers_and_the_others_theirs() -> None:
    pieces, running = plan([], build(10, 3, 3.0), build(11, 2, 2.0), build(12, 1, 1.0)), dict[int, int]()
    while found := next_piece(pieces, set(), running, 3, PLENTY):
        running[found[0].number] = found[1]

    assert [running[piece.number] for piece in pieces] == [4, 3, 1]


@pytest.mark.parametrize(("cores", "workers"), [(2, [1, 0]), (4, [2, 0]), (8, [4, 2])])
def test_workers_and_the_builds_themselves_stay_within_the_cores_that_are_told(cores: int, workers: list[int]) -> None:
    pieces, running = plan([], build(10, 3, 3.0), build(11, 2, 1.0)), dict[int, int]()
    resources = dataclasses.replace(PLENTY, cores=cores)
    while found := next_piece(pieces, set(), running, 2, resources):
        running[found[0].number] = found[1]

    assert [running[piece.number] for piece in pieces] == workers


@pytest.mark.parametrize(("version", "workers"), [(170_000, 0), (180_000, WORKERS_LIMIT)])
def test_a_method_that_the_server_builds_alone_gets_no_workers(version: int, workers: int) -> None:
    resources = dataclasses.replace(PLENTY, version=version)

    assert next_piece(plan([], build(10, 3, 1.0, "gin")), set(), {}, 4, resources) is not None
    assert (next_piece(plan([], build(10, 3, 1.0, "gin")), set(), {}, 4, resources) or (None, None))[1] == workers


def test_memory_is_shared_by_the_loaders_and_never_less_than_the_servers_own() -> None:
    one = build(10, 1)

    assert memory_for(one, 0, 4, PLENTY) == 1 << 20
    assert memory_for(one, 0, 1, PLENTY) == 2 << 20
    assert memory_for(one, 0, 1_000, PLENTY) == 64 << 10


@pytest.mark.parametrize(
    ("size", "workers", "expected"),
    [(1 << 30, 0, 64 << 10), (1 << 30, 1, 64 << 10), (1 << 30, 4, 160 << 10), (1 << 40, 4, 160 << 10)],
)
def test_a_gin_index_gets_no_more_than_the_processors_caches_bear(size: int, workers: int, expected: int) -> None:
    """In 512 MB a GIN index took 1.25 times as long as in these: docs/import-speed.md."""
    assert memory_for(dataclasses.replace(build(10, 1, method="gin"), size=size), workers, 1, PLENTY) == expected


def test_a_large_gin_index_that_one_process_builds_is_written_in_few_passes() -> None:
    large = dataclasses.replace(build(10, 1, method="gin"), size=1 << 40)

    assert memory_for(large, 0, 2, PLENTY) == memory_for(build(11, 1), 0, 2, PLENTY) == 2 << 20


@given(
    slices=st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.integers(1, 1000)), max_size=6),
    builds=st.lists(
        st.tuples(
            st.sampled_from([1, 2, 3]), st.sampled_from(["btree", "gin", "gist", "brin"]), st.booleans(), st.booleans()
        ),
        max_size=10,
    ),
    loaders=st.integers(1, 8),
    most=st.integers(0, 16),
    chance=st.randoms(use_true_random=False),
)
def test_every_piece_comes_once_behind_what_it_needs_and_no_limit_is_passed(
    slices: list[tuple[int, int]],
    builds: list[tuple[int, str, bool, bool]],
    loaders: int,
    most: int,
    chance: Random,
) -> None:
    """Whatever ends when: all are done, no more workers run than the server has, locks let each other be."""
    made = [
        build(10 + at, table, LARGE, FOREIGN_KEY, exclusive=True, needs=(9 + at,))
        if chained and at
        else build(10 + at, table, LARGE, method, exclusive=exclusive)
        for at, (table, method, exclusive, chained) in enumerate(builds)
    ]
    pieces = plan([rows(at, table, size) for at, (table, size) in enumerate(slices)], *made)
    resources = dataclasses.replace(PLENTY, max_parallel_workers=most)
    by_number = {piece.number: piece for piece in pieces}
    done, running = list[int](), dict[int, int]()
    while len(done) < len(pieces):
        while len(running) < loaders and (found := next_piece(pieces, set(done), running, loaders, resources)):
            piece, running[found[0].number] = found
            assert piece.needs <= set(done)
            assert sum(running.values()) <= most
            at_work = [one for number in running if (one := by_number[number].build)]
            assert not any(
                one.exclusive and one.tables & other.tables for one in at_work for other in at_work if one != other
            )
        assert running, "pieces are left and none can begin"
        ended = chance.choice(sorted(running))
        del running[ended]
        done.append(ended)

    assert sorted(done) == sorted(by_number)
