"""What can be restored and whereto, and whether it can be done now."""

from collections.abc import Iterable

from rich.table import Table

from flexrestore.texts import text
from flexrestore.times import shown
from flexrestore.trouble import Json


def instances_table(instances: Iterable[Json]) -> Table:
    """Backup instances."""
    table = _table("alias", "server", "location", "protection", "backup instance")
    for one in instances:
        names = ("server", "location", "protection", "name")
        table.add_row(text(", ".join(one.get("aliases") or ())), *(text(one.get(name)) for name in names))
    return table


def points_table(points: Iterable[Json]) -> Table:
    """Recovery points."""
    table = _table("time", "recovery point", "as files")
    for one in points:
        obstacle = one.get("obstacle")
        usable = text(obstacle, "red") if obstacle else text("yes", "green")
        table.add_row(shown(one.get("time")), text(one.get("id")), usable)
    return table


def targets_table(targets: Iterable[Json]) -> Table:
    """Target servers."""
    table = _table("alias", "host", "approval")
    for one in targets:
        table.add_row(*(text(one.get(name)) for name in ("alias", "host", "approval")))
    return table


def checks_table(checks: Iterable[Json]) -> Table:
    """What restores need, and what of it is amiss."""
    table = _table("check", "", "found")
    for one in checks:
        mark = text("ok", "green") if one.get("ok") else text("FAILED", "red")
        table.add_row(text(one.get("name")), mark, text(one.get("detail")))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
