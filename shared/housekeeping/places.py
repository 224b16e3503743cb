"""Places in lines that nobody comes back to, and places at target servers that nobody uses."""

from collections.abc import Iterator

from shared.contracts.housekeeping import Item, Kind
from shared.housekeeping.census import Census
from shared.storage import imports, waiting


def look() -> Iterator[Item]:
    """The places to give up."""
    census = Census.take()
    for line, request_id in waiting.abandoned():
        if not census.runs(request_id):
            yield _place(request_id, f"in the line {line}")
    for target, request_id in imports.held():
        if not census.runs(request_id):
            where = f"at the target server {target}"
            yield _place(request_id, where, lines=(imports.line(target),), target=target)


def remove(item: Item) -> bool:
    """Give the place up."""
    (request_id,) = item.restores
    if "target" in item.facts:
        imports.release(item.facts["target"], request_id)
    else:
        waiting.leave_all(request_id)
    return True


def _place(request_id: str, where: str, *, lines: tuple[str, ...] = (), **facts: str) -> Item:
    return Item(
        kind=Kind.PLACE,
        name=f"place of restore {request_id} {where}",
        restores=(request_id,),
        why="nothing works for that restore any more",
        facts=facts,
        lines=lines,
    )
