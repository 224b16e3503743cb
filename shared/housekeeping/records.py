"""Ledger records and register rows past their retention; with them goes the memory of a request id."""

from collections.abc import Iterator
from dataclasses import asdict

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
    sets = file_sets()
    there = {container: _backups(container) for container in {one.container for one in sets}}
    needed = {one.owner for one in sets if one.backup_name in there[one.container]}
    needed |= {held.request_id for held in reservations.every()}
    for request_id in census.ended_before(census.before(days)):
        if request_id not in needed:
            yield Item(
                kind=Kind.RECORDS,
                name=f"records of restore {request_id}",
                restores=(request_id,),
                why=f"it ended at {census.rows[request_id].updated_at}",
                facts={"sets": [asdict(one) for one in sets if one.owner == request_id]},
            )


def remove(item: Item) -> bool:
    """Delete what is known of a restore, its row last, for that is what it is found by."""
    (request_id,) = item.restores
    if Census.take().runs(request_id):
        return False
    for one in item.facts["sets"]:
        forget_set(FileSet(**one))
    Ledger(request_id).delete_all()
    register.forget(request_id)
    return True


def _backups(container: str) -> set[str]:
    """The backups of which a file lies in the container."""
    return {file.backup_name for file in standing(container)}
