"""What people have decided: whether a restore may go on, whether its plan is approved, how it ends."""

from datetime import UTC, datetime
from typing import Any

from activities.answers import answering
from shared import decisions
from shared.contracts.decisions import End, Verdict
from shared.contracts.watch import Sighting
from shared.storage.ledger import Ledger


@answering
def check_running(subject: dict[str, Any]) -> None:
    """Whether the restore goes on: neither cancelled nor ended."""
    decisions.require_running(Ledger(subject["requestId"]))


@answering
def check_approval(subject: dict[str, Any]) -> Sighting:
    """Look whether somebody has decided on the plan; at the deadline nobody has, and nobody can any more."""
    ledger = Ledger(subject["requestId"])
    standing = decisions.decision(ledger)
    if standing is None and datetime.now(UTC) >= datetime.fromisoformat(subject["deadline"]):
        standing = decisions.decide(ledger, Verdict.EXPIRED)
    if standing is None:
        return Sighting(ended=False, status=f"waiting for approval until {subject['deadline']}")
    return Sighting(ended=True, status=standing.verdict, value=standing.to_wire())


@answering
def close_restore(subject: dict[str, Any]) -> End:
    """Settle how the restore ends: by itself, unless it was cancelled before. Its import stops at its next step."""
    return decisions.close(Ledger(subject["requestId"]))
