"""Places in the line before the landing containers that nobody comes back to."""

from collections.abc import Iterator

from shared.contracts.housekeeping import Item, Kind
from shared.housekeeping.census import Census
from shared.storage import waiting


def look() -> Iterator[Item]:
    """The places to give up."""
    census = Census.take()
    for request_id in waiting.abandoned():
        if census.runs(request_id):
            continue
        yield Item(
            kind=Kind.PLACE,
            name=f"place of restore {request_id} in the line for a landing container",
            restores=(request_id,),
            why="nothing works for that restore any more",
        )


def remove(item: Item) -> bool:
    """Give the place up."""
    waiting.leave(item.restores[0])
    return True
