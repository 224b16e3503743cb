"""What came of a run of the demo, for people and as JSON."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.demo.comparison import Compared, Comparison
from local.demo.differences import Difference
from shared.contracts.outcome import Failure
from shared.contracts.progress import Phase

_SHOWN = 8
"""Unexplained differences that are shown in full."""


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        phase: the restore's terminal phase.
        message: its last words.
        errors: why it ended so.
        comparison: source and target held against each other.
        seconds: how long each step of the demo and each phase of the restore took.
        report: a copy of the report's page.
    """

    phase: Phase
    message: str
    errors: tuple[Failure, ...]
    comparison: Comparison
    seconds: Mapping[str, float]
    report: Path

    @property
    def good(self) -> bool:
        """Whether everything was restored, and all is equal or explained."""
        return self.phase in {Phase.COMPLETED, Phase.COMPLETED_WITH_WARNINGS} and self.comparison.explained

    def to_json(self) -> dict[str, Any]:
        """The outcome as plain JSON."""
        return {
            "phase": self.phase.value,
            "databases": {part.name: _part(part) for part in self.comparison.databases},
            "roles": _part(self.comparison.roles),
            "seconds": {name: round(seconds, 3) for name, seconds in self.seconds.items()},
            "report": str(self.report),
        }


def _part(part: Compared) -> dict[str, Any]:
    unexplained = [difference.item.subject for difference in part.differences if not difference.explained]
    return {
        "tables": part.tables,
        "rows": part.rows,
        "compared": part.items,
        "equal": part.equal,
        "explained": part.explained,
        "differences": len(part.differences),
        "unexplained": unexplained,
    }


def show(outcome: Outcome, console: Console) -> None:
    """Print the comparison: a table, the reasons of what is explained, the texts of what is not."""
    table = Table("", "tables", "rows", "items", "equal", "explained", "unexplained", box=SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for part in outcome.comparison.parts:
        table.add_row(escape(part.name), *_counts(part))
    console.print(table)
    for part in outcome.comparison.parts:
        _show_reasons(part, console)
        _show_unexplained(part, console)
    details = (f"\n  {detail}" for error in outcome.errors for detail in error.details)
    _line(console, f"{outcome.phase}: {outcome.message}{''.join(details)}")
    _line(console, f"The report: {outcome.report}")


def _counts(part: Compared) -> tuple[str, ...]:
    unexplained = sum(not difference.explained for difference in part.differences)
    different = len(part.differences)
    numbers = (part.tables, part.rows, part.items, part.items - different, different - unexplained, unexplained)
    return tuple(f"{number:,}" for number in numbers)


def _show_reasons(part: Compared, console: Console) -> None:
    by_reason: defaultdict[str, list[Difference]] = defaultdict(list)
    for difference in part.differences:
        if difference.explained:
            by_reason[difference.reason].append(difference)
    for reason, together in by_reason.items():
        more = f" and {len(together) - 1} more" if len(together) > 1 else ""
        _line(console, f"{part.name}: {together[0].item.subject}{more}: {reason}")


def _show_unexplained(part: Compared, console: Console) -> None:
    unexplained = [difference for difference in part.differences if not difference.explained]
    for difference in islice(unexplained, _SHOWN):
        _line(console, f"{part.name}: {difference.item.subject} differs, and the report does not say why")
        _line(console, difference.unified())
    if len(unexplained) > _SHOWN:
        _line(console, f"{part.name}: and {len(unexplained) - _SHOWN} more")


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
