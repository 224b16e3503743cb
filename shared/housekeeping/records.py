"""Ledger records and register rows past their retention; with them goes the memory of a request id."""

from collections.abc import Iterator

from shared.contracts.housekeeping import Item, Kind
from shared.housekeeping.census import Census
from shared.housekeeping.files import standing
from shared.settings import settings
from shared.storage import register, reservations
from shared.storage.ledger import FileSet, Ledger, file_sets, forget_set


def look() -> Iterator[Item]:
    """The restores to forget: all that is left of them is what we know of them."""
    days = settings().keep_records_days
    if not days:
        return
    census = Census.take()
    needed = {one.owner for one in file_sets() if _stands(one)} | {held.request_id for held in reservations.every()}
    for request_id in census.ended_before(census.before(days)):
        if request_id not in needed:
            yield Item(
                kind=Kind.RECORDS,
                name=f"records of restore {request_id}",
                restores=(request_id,),
                why=f"it ended at {census.rows[request_id].updated_at}",
            )


def remove(item: Item) -> bool:
    """Delete what is known of a restore, its row last, for that is what it is found by."""
    (request_id,) = item.restores
    if Census.take().runs(request_id):
        return False
    for one in file_sets():
        if one.owner == request_id:
            forget_set(one)
    Ledger(request_id).delete_all()
    register.forget(request_id)
    return True


def _stands(one: FileSet) -> bool:
    return any(file.backup_name == one.backup_name for file in standing(one.container))
