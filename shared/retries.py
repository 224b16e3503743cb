"""Retries: the request that imports again what a restore did not bring, from the files that it left."""

from collections.abc import Iterable, Sequence

from shared.contracts.api import Retry
from shared.contracts.base import Json
from shared.contracts.files import FileKind, Listing
from shared.contracts.progress import RETRIED, FileProgress, Phase
from shared.contracts.request import RestoreRequest, read_request
from shared.contracts.status import RestoreStatus
from shared.errors import Conflict
from shared.storage import landing
from shared.storage.ledger import Ledger

_ID_LENGTH = 80
_SCRIPTS = {FileKind.ROLES: ("roles", "none"), FileKind.TABLESPACES: ("tablespaces", "skip")}


def request_again(status: RestoreStatus, retry: Retry) -> RestoreRequest:
    """The request of the retry.

    Raises:
        Conflict: the restore runs, brought everything, or left no files.
    """
    missing = [file for file in status.files if file.can_come_again]
    if status.phase not in RETRIED or not missing:
        raise Conflict(_why_not(status.request_id, status.phase))
    ledger = Ledger(status.request_id)
    request, listing = ledger.plan().request, _left(ledger, missing)
    return read_request({**_changes(request, missing, listing), **_who(status.request_id, retry)})


def retry_id(request_id: str, retry: Retry) -> str:
    """The name of the retry of a restore."""
    return retry.request_id or f"{request_id[: _ID_LENGTH - len('-retry')]}-retry"


def is_retry_of(request: Json, request_id: str) -> bool:
    """Whether a request imports from the files that a restore has left."""
    listing = Ledger(request_id).read("listing", Listing)
    return listing is not None and request.get("source") == _source(listing)


def _source(listing: Listing) -> Json:
    return {"container": listing.container, "backupName": listing.backup_name}


def _why_not(request_id: str, phase: Phase) -> str:
    if not phase.is_terminal:
        return f"Restore {request_id} still runs ({phase}); retry what it has not brought when it has ended."
    if phase is Phase.CANCELLED:
        return f"Restore {request_id} was cancelled and its files are deleted; send its request under a new id."
    return f"Restore {request_id} ended as {phase} and lacks nothing that a retry can bring; send another request."


def _left(ledger: Ledger, missing: Iterable[FileProgress]) -> Listing:
    """The files that the restore left.

    Raises:
        Conflict: some that are needed are gone.
    """
    listing = ledger.read("listing", Listing)
    if listing is None:
        raise Conflict(f"Restore {ledger.request_id} ended before files landed; send its request under a new id.")
    here = {file.name for file in landing.list_files(listing.container, listing.backup_name, closed=True).files}
    gone = [file.name for file in missing if file.name not in here]
    if gone:
        raise Conflict(f"{listing.container} no longer holds {', '.join(gone)}; send a request under a new id.")
    return listing


def _changes(request: RestoreRequest, missing: Sequence[FileProgress], listing: Listing) -> Json:
    """The first request with landed files as its source, for what is missing alone."""
    kinds = {file.kind for file in missing}
    scripts = {name: nothing for kind, (name, nothing) in _SCRIPTS.items() if kind not in kinds}
    databases = [{"name": file.database, "as": file.final_name} for file in missing if file.kind is FileKind.DATABASE]
    # Where only scripts are missing, the databases stand already and stay.
    chosen = {"databases": databases, "exclude": []} if databases else {"onConflict": "skip"}
    fixed = {"source": _source(listing), "mode": "import-only", "schema": "skip", "dryRun": False}
    return {**request.to_wire(), **scripts, **chosen, **fixed}


def _who(request_id: str, retry: Retry) -> Json:
    stated = {"requestedBy": retry.requested_by, "reason": retry.reason}
    return {
        **{name: text for name, text in stated.items() if text},
        "requestId": retry_id(request_id, retry),
    }
