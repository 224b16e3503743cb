"""A run is good when all was restored and all is equal or explained; everything else is shown with its text."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from local.demo.comparison import Compared, Comparison
from local.demo.differences import Area, Difference, Item
from local.demo.outcome import Outcome, show
from shared.contracts.outcome import Failure
from shared.contracts.progress import Phase

UNEXPLAINED = Difference(Item(Area.SCHEMA, "TABLE shop item"), "CREATE TABLE a;", "CREATE TABLE b;")
EXPLAINED = Difference(Item(Area.SCHEMA, "EVENT TRIGGER audit"), "CREATE EVENT TRIGGER;", None, "superusers only")


def outcome(*differences: Difference, phase: Phase = Phase.COMPLETED) -> Outcome:
    shop = Compared(name="shop", items=12, tables=3, rows=1_234_567, differences=differences)
    roles = Compared(name="roles", items=5, tables=0, rows=0, differences=())
    return Outcome(
        phase=phase,
        message="files: 2 imported",
        errors=(Failure(code="Odd", message="something", details=("first",)),),
        comparison=Comparison((shop,), roles),
        seconds={"restore": 12.34567},
        report=Path("report.html"),
    )


@pytest.mark.parametrize(
    ("result", "good"),
    [
        (outcome(), True),
        (outcome(EXPLAINED, phase=Phase.COMPLETED_WITH_WARNINGS), True),
        (outcome(EXPLAINED, UNEXPLAINED), False),
        *((outcome(phase=phase), False) for phase in (Phase.PARTIALLY_FAILED, Phase.FAILED, Phase.REJECTED)),
    ],
)
def test_only_a_whole_restore_without_unexplained_differences_is_good(result: Outcome, good: bool) -> None:
    assert result.good is good


def test_the_json_tells_phase_rows_equality_seconds_and_report() -> None:
    document = json.loads(json.dumps(outcome(EXPLAINED, UNEXPLAINED).to_json()))

    assert document["phase"] == "Completed"
    assert document["seconds"] == {"restore": 12.346}
    assert document["report"] == "report.html"
    shop = document["databases"]["shop"]
    assert (shop["rows"], shop["equal"], shop["explained"]) == (1_234_567, False, False)
    assert shop["unexplained"] == ["TABLE shop item"]


def test_reasons_of_the_explained_and_texts_of_the_unexplained_are_shown() -> None:
    console = Console(file=io.StringIO(), record=True, width=120)
    show(outcome(EXPLAINED, UNEXPLAINED), console)

    text = console.export_text()
    assert "1,234,567" in text
    assert "shop: EVENT TRIGGER audit: superusers only" in text
    assert "-CREATE TABLE a;\n+CREATE TABLE b;" in text
    assert "Completed: files: 2 imported\n  first" in text


def test_differences_of_one_reason_are_one_line() -> None:
    console = Console(file=io.StringIO(), record=True, width=120)
    show(
        outcome(EXPLAINED, Difference(Item(Area.SCHEMA, "EVENT TRIGGER other"), "x", None, "superusers only")), console
    )

    assert "shop: EVENT TRIGGER audit and 1 more: superusers only" in console.export_text()
