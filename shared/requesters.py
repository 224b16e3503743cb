"""Who asked for a restore, and whether that is who approves it."""

from shared.contracts.access import Identity, Requester
from shared.contracts.base import Json
from shared.contracts.request import RestoreRequest


def signed(request: RestoreRequest, identity: Identity | None) -> tuple[RestoreRequest, Requester | None]:
    """The request under the name that Entra proves, with whom it names itself, and who that is."""
    if identity is None:
        return request, None
    requester = Requester(**identity.model_dump(), on_behalf_of=request.requested_by)
    return request.model_copy(update={"requested_by": identity.speaking(request.requested_by)}), requester


def asked_for(identity: Identity, requester: Requester | None, request: Json) -> bool:
    """Whether somebody has asked for a restore, or somebody else for them.

    A message of the queue has no requester: whoever may write there is trusted to name the right one.
    """
    if requester is not None and requester.object_id == identity.object_id:
        return True
    named = requester.on_behalf_of if requester else str(request.get("requestedBy") or "")
    return named.strip().casefold() in {identity.name.casefold(), identity.object_id.casefold()}
