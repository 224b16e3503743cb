"""Restored files: in a status, in a live display, in a report."""

from collections.abc import Iterable

from rich.table import Table

from flexrestore.texts import size, text
from flexrestore.trouble import Json

_STYLES = {
    "imported": "green",
    "imported-with-warnings": "yellow",
    "skipped": "dim",
    "failed": "red",
    "cancelled": "yellow",
}


_INTEREST = {"failed": 1, "landed": 2, "imported-with-warnings": 3, "imported": 4, "skipped": 5}
"""Where a state stands in a live display, which a screen may be too short for; what is at work comes first."""


def by_interest(files: Iterable[Json]) -> list[Json]:
    """The files, those that somebody who watches cares for first."""
    return sorted(files, key=lambda file: _INTEREST.get(file.get("state", ""), 0))


def label(file: Json) -> str:
    """The file for people: `database shop -> shop_copy, 1.2 MB`."""
    database, final = file.get("database"), file.get("finalName")
    name = f"{file.get('kind', 'file')} {database}" if database else str(file.get("kind", "file"))
    arrow = f" -> {final}" if final and final != database else ""
    return f"{name}{arrow}, {size(file.get('size') or 0)}"


def state_style(state: str) -> str:
    """The colour of a file's state."""
    return _STYLES.get(state, "cyan")


def files_table(files: Iterable[Json]) -> Table:
    """Each file, where it stands, and why."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for one in files:
        state = one.get("state", "")
        table.add_row(text(label(one)), text(state, state_style(state)), text(one.get("reason")))
    return table
