"""Turns at a target server: it bears so many imports at once."""

from functools import partial
from typing import Any

from activities.answers import answering
from shared.contracts.base import Json
from shared.contracts.importing import LandingRef
from shared.contracts.watch import Sighting
from shared.decisions import require_running
from shared.storage import imports
from shared.storage.ledger import Ledger
from shared.targets import import_limit


@answering
def enter_target(subject: dict[str, Any]) -> Sighting:
    """Take a place at the target server, or say who imports into it."""
    where = LandingRef.from_wire(subject)
    ledger = Ledger(where.request_id)
    request, wanted = ledger.plan().request, partial(require_running, ledger)
    limit = import_limit(request.target)
    wait = imports.reserve(request.target, where.request_id, request.priority, limit, still_wanted=wanted)
    return Sighting(ended=wait is None, status="; ".join(wait.reasons) if wait else "")


@answering
def leave_target(subject: dict[str, Any]) -> Json:
    """Give up the place at the target server; where others wait for it."""
    where = LandingRef.from_wire(subject)
    target = Ledger(where.request_id).plan().request.target
    imports.release(target, where.request_id)
    return {"lines": [imports.line(target)]}
