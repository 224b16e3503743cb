"""Loads that are under way: in the answer of `show`, in the live picture, and in a line for each step."""

from typing import Any

import pytest

from shared.contracts.files import FileKind
from shared.contracts.loading import LoadProgress, LoadStep, TableProgress, TableState
from shared.contracts.progress import FileState, Phase
from shared.contracts.status import FileStatus

CALL = "GET restores/INC-1"
NASTY = "public.\x1b[31m[red]"


def loading(step: LoadStep = LoadStep.ROWS, *tables: TableProgress, **changes: Any) -> FileStatus:
    load = LoadProgress(
        attempt="flexrestore_x",
        file_version="v",
        at="2026-11-25T01:05:30+00:00",
        step=step,
        share=0.24,
        bytes=1_400_000_000,
        total_bytes=3_100_000_000,
        rows=6_437_821,
        seconds_left=312,
        indexes=3,
        total_indexes=46,
        tables=40,
        tables_loaded=9,
        by_table=tables or (TableProgress(
            table="public.invoices", state=TableState.LOADING, bytes=10**9, total_bytes=2 * 10**9, rows=4_120_388
        ),),
    ).model_copy(update=changes)  # fmt: skip
    return FileStatus(
        name="s", kind=FileKind.DATABASE, database="shop", size=3 * 10**9, state=FileState.IMPORTING, load=load
    )


def table(number: int, state: TableState = TableState.WAITING, total: int | None = 5_000) -> TableProgress:
    return TableProgress(table=f"public.t{number}", state=state, bytes=7, total_bytes=total, rows=number)


def test_show_tells_each_load_and_its_tables(api: Any, run: Any) -> None:
    api.on(CALL, api.status(Phase.IMPORTING, files=[loading()]))
    lines = [" ".join(line.split()) for line in run("show", "INC-1", env={"COLUMNS": "140"}).out.splitlines()]

    assert (
        "loading shop: rows, 24%, 1.4 GB of 3.1 GB, 6,437,821 rows, about 5 min 12 s left of this step"
        in lines
    )  # fmt: skip
    [invoices] = [line for line in lines if line.startswith("public.invoices")]
    assert invoices.endswith("1.0 GB of 2.0 GB 4,120,388 rows")
    assert "and 39 smaller tables" in lines


@pytest.mark.parametrize(
    ("load", "line"),
    [
        (loading(LoadStep.DEFINITIONS, seconds_left=None, share=0.0), "loading shop: definitions, 0%"),
        (loading(LoadStep.INDEXES), "loading shop: indexes, 24%, 3 of 46 built, about 5 min 12 s left of this step"),
        (loading(LoadStep.INDEXES, total_indexes=None, seconds_left=None), "loading shop: indexes, 24%, 3 built"),
        (loading(LoadStep.ROWS, total_bytes=None, seconds_left=None), "loading shop: rows, 24%, 6,437,821 rows"),
        (loading(LoadStep.OTHER, seconds_left=None, share=0.95), "loading shop: other, 95%"),
    ],
)
def test_what_is_not_known_of_a_load_is_left_out(api: Any, run: Any, load: FileStatus, line: str) -> None:
    api.on(CALL, api.status(Phase.IMPORTING, files=[load]))

    assert line in run("show", "INC-1", env={"COLUMNS": "140"}).out.splitlines()


def test_tables_are_shown_by_their_states_and_no_more_than_a_screen_bears(api: Any, run: Any) -> None:
    tables = [table(0, TableState.LOADED), table(1, TableState.LOADING, None), *map(table, range(2, 40))]
    api.on(CALL, api.status(Phase.IMPORTING, files=[loading(LoadStep.ROWS, *tables)]))
    out = run("show", "INC-1").out
    lines = [" ".join(line.split()) for line in out.splitlines()]

    assert {"public.t0 loaded 5.0 kB 0 rows", "public.t1 loading 7 bytes 1 rows"} <= set(lines)
    assert "public.t11 waiting 5.0 kB 11 rows" in lines
    assert "public.t12" not in out
    assert "and 28 smaller tables" in lines


def test_a_load_that_has_ended_is_not_shown_any_more(api: Any, run: Any) -> None:
    loaded = loading().model_copy(update={"state": FileState.LOADED})
    api.on(CALL, api.status(Phase.IMPORTING, files=[loaded]))

    assert "public.invoices" not in run("show", "INC-1").out


def test_each_step_of_a_load_is_a_line_where_there_is_no_terminal(api: Any, run: Any) -> None:
    """Its figures are not, for they change at each look."""
    indexes = loading(LoadStep.INDEXES, seconds_left=None)
    rows = loading(seconds_left=None)
    loads = [rows, loading(rows=6_500_000), indexes, indexes.model_copy(update={"state": FileState.LOADED})]
    api.on(CALL, *(api.status(Phase.IMPORTING, files=[one]) for one in loads), api.status())
    told = [line for line in run("wait", "INC-1").err.splitlines() if "database shop" in line]

    assert told[:3] == [
        "  database shop, 3.0 GB: importing (rows, 24%, 1.4 GB of 3.1 GB, 6,437,821 rows)",
        "  database shop, 3.0 GB: importing (indexes, 24%, 3 of 46 built)",
        "  database shop, 3.0 GB: loaded",
    ]


def test_a_terminal_shows_the_bars_and_obeys_no_name(api: Any, run: Any) -> None:
    nasty = TableProgress(table=NASTY, state=TableState.LOADING, bytes=1, total_bytes=2, rows=3)
    api.on(CALL, api.status(Phase.IMPORTING, files=[loading(LoadStep.ROWS, nasty)]), api.status())
    err = run("wait", "INC-1", env={"FORCE_COLOR": "1", "COLUMNS": "120"}).err

    for text in ("public.\\x1b[31m[red]", "loading", "━", "1 bytes of 2 bytes"):
        assert text in err, text
