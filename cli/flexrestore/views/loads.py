"""Databases that are being loaded: how far each is, and its tables."""

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from flexrestore.texts import plain, size, text
from flexrestore.times import lasting
from flexrestore.trouble import Json

_SHOWN = 12
"""Tables of one load."""


def loads_view(files: Iterable[Json]) -> Iterator[RenderableType]:
    """Each load in a line, and its tables: those that are being loaded, then the largest."""
    for file in files:
        if (load := load_of(file)) and file.get("state") == "importing":
            yield Text.assemble("loading ", (plain(file.get("database")), "bold"), f": {load_line(load)}")
            yield _tables(load)
            rest = int(load.get("tables") or 0) - len((load.get("byTable") or ())[:_SHOWN])
            if rest > 0:
                yield text(f"  and {rest} smaller table{'' if rest == 1 else 's'}", "dim")


def load_of(file: Json) -> Json:
    """How far a file's load is; empty while nothing is known of it."""
    return file.get("load") or {}


def load_line(load: Json) -> str:
    """`rows, 24%, 1.4 GB of 3.1 GB, 6,437,821 rows, about 5 min 12 s left of this step`."""
    parts = [plain(load.get("step")), f"{float(load.get('share') or 0):.0%}"]
    if load.get("step") == "indexes":
        total = load.get("totalIndexes")
        parts.append(f"{load.get('indexes')} of {total} built" if total is not None else f"{load.get('indexes')} built")
    elif load.get("step") == "rows":
        if load.get("totalBytes"):
            parts.append(f"{size(load.get('bytes') or 0)} of {size(load['totalBytes'])}")
        parts.append(f"{load.get('rows') or 0:,} rows")
    if load.get("secondsLeft") is not None:
        parts.append(f"about {lasting(load['secondsLeft'])} left of this step")
    return ", ".join(parts)


def _tables(load: Json) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for justify in ("left", "left", "right", "right"):
        table.add_column(justify=justify)
    for one in (load.get("byTable") or ())[:_SHOWN]:
        table.add_row(text(f"  {one.get('table')}"), *_standing(one), f"{one.get('rows') or 0:,} rows")
    return table


def _standing(one: Json) -> tuple[RenderableType, str]:
    """A table's bar, or its state, and its size."""
    done, total = one.get("bytes") or 0, one.get("totalBytes")
    if one.get("state") == "loading" and total:
        return ProgressBar(total=total, completed=done, width=20), f"{size(done)} of {size(total)}"
    return text(one.get("state"), "dim"), size(done if total is None else total)
