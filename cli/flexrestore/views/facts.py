"""Names and values, one a line; what has no value is not shown."""

from collections.abc import Iterable

from rich.table import Table

from flexrestore.texts import text


def facts_table(facts: Iterable[tuple[str, str]]) -> Table:
    """A table of two columns."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts:
        if value:
            table.add_row(name, text(value))
    return table
