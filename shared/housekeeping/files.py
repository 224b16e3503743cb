"""Restored files past their retention, of restores of ours that are over; files that somebody else brought stay."""

import logging
from collections.abc import Iterator

from shared.contracts.files import Listing, RestoredFile
from shared.contracts.housekeeping import Item, Kind
from shared.errors import LandingFailed
from shared.housekeeping.census import Census
from shared.settings import settings
from shared.storage import landing, reservations, waiting
from shared.storage.ledger import FileSet, Ledger, file_sets, users_of_set

_log = logging.getLogger(__name__)


def look() -> Iterator[Item]:
    """The file sets to delete: neither the restore that brought one nor one that imports from it runs any more."""
    days = settings().keep_files_days
    if not days:
        return
    census = Census.take()
    busy = _busy(census)
    for one in file_sets():
        users = users_of_set(one.container, one.backup_name, one.owner)
        ends = [census.ended(name) for name in (one.owner, *users)]
        last = max((end for end in ends if end is not None), default=None)
        in_use = one.container in busy or any(census.runs(name) for name in (one.owner, *users))
        if in_use or ends[0] is None or last is None or last > census.before(days):
            continue
        if files := _still_ours(one):
            listing = Listing(container=one.container, backup_name=one.backup_name, files=files, closed=True)
            yield Item(
                kind=Kind.FILES,
                name=f"backup {one.backup_name} in {one.container}",
                restores=(one.owner, *users),
                why=f"nobody has used the files since {last.isoformat(timespec='seconds')}",
                count=len(files),
                facts=listing.to_wire(),
                lines=(waiting.LANDING,),
            )


def remove(item: Item) -> bool:
    """Delete the versions of the files that we brought."""
    listing = Listing.from_wire(item.facts)
    if listing.container in _busy(Census.take()):
        return False
    landing.delete_files(listing)
    return True


def _busy(census: Census) -> set[str]:
    """The landing containers that a restore owns, and those that a running request names."""
    return {row.source for row in census.running} | {held.container for held in reservations.every()}


def standing(container: str) -> list[RestoredFile]:
    """The restored files of a container; of one that is gone, none."""
    try:
        return landing.restored_files(container)
    except LandingFailed as error:
        _log.warning("%s", error.text)
        return []


def _still_ours(one: FileSet) -> tuple[RestoredFile, ...]:
    """The files that lie there as the set's owner has brought them."""
    listing = Ledger(one.owner).read("listing", Listing)
    if listing is None or (listing.container, listing.backup_name) != (one.container, one.backup_name):
        return ()
    versions = {(file.name, file.etag) for file in standing(one.container)}
    return tuple(file for file in listing.files if file.etag and (file.name, file.etag) in versions)
