"""Leftovers: which restored files nobody needs any more when a restore has ended."""

from shared.contracts.files import Listing
from shared.contracts.progress import Phase
from shared.contracts.request import Mode
from shared.storage import landing
from shared.storage.ledger import Ledger, is_our_set

_IMPORTED = frozenset({Phase.COMPLETED, Phase.COMPLETED_WITH_WARNINGS})


def done_with(request_id: str, phase: Phase, owned: str | None) -> Listing | None:
    """The files to delete: those that were imported, if a restore of ours brought them, or that a cancel made useless.

    After any other end they stay: they can be imported again without another restore. `owned` is the landing container
    that the restore has reserved.
    """
    if phase is Phase.CANCELLED and owned is not None:
        return landing.everything(owned)
    ledger = Ledger(request_id)
    listing = ledger.read("listing", Listing)
    if listing is None or phase not in _IMPORTED or not is_our_set(listing.backup_name):
        return None
    return None if ledger.plan().request.mode is Mode.FILES_ONLY else listing
