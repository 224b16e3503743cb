"""Leftovers: which restored files nobody needs any more when a restore has ended."""

from shared.contracts.files import Listing
from shared.contracts.progress import Phase
from shared.contracts.request import Mode, RestoreRequest
from shared.storage import landing
from shared.storage.ledger import Ledger, owner_of_set, promotions, users_of_set
from shared.topology import SYSTEM_DATABASES

_IMPORTED = frozenset({Phase.COMPLETED, Phase.COMPLETED_WITH_WARNINGS})


def done_with(request_id: str, phase: Phase, brought: str) -> Listing | None:
    """The files to delete, of restores of ours only: those that were imported, or that a cancel made useless.

    After any other end they stay: they can be imported again without another restore. `brought` is the container that
    this restore's own backup job has filled, if it has.
    """
    if phase is Phase.CANCELLED:
        return landing.everything(brought) if brought else None
    ledger = Ledger(request_id)
    listing = ledger.read("listing", Listing)
    if listing is None or phase not in _IMPORTED:
        return None
    owner = owner_of_set(listing.container, listing.backup_name)
    if owner is None:
        return None
    if owner == request_id:
        return None if ledger.plan().request.mode is Mode.FILES_ONLY else listing
    return listing if _all_imported(listing, ledger, owner) else None


def _all_imported(listing: Listing, ledger: Ledger, owner: str) -> bool:
    """Whether nothing that the restore which brought the files was to bring is missing any more."""
    done = _asked_for(listing, ledger.plan().request)
    for user in {owner, *users_of_set(listing.container, listing.backup_name, owner)}:
        done |= promotions(Ledger(user)).keys()
    return _asked_for(listing, Ledger(owner).plan().request) <= done


def _asked_for(listing: Listing, request: RestoreRequest) -> set[str]:
    """The databases that a request asks for; of files alone, it is all of them."""
    databases = {file.database for file in listing.databases} - SYSTEM_DATABASES
    if request.mode is Mode.FILES_ONLY:
        return databases
    return {database for database in databases if request.final_name(database) is not None}
