"""Decisions of people about a restore, race-free: the record that is written first stands.

Approvals and cancels are records of the ledger, created with `If-None-Match: *`. The orchestrations look at them; an
event only wakes those that sleep between two looks, so one that is lost costs patience and nothing else.
"""

import logging
import time
from datetime import UTC, datetime

from azure.core.exceptions import AzureError

from shared.contracts.decisions import Decision, End, Statement, Verdict
from shared.errors import RestoreCancelled, RestoreEnded
from shared.storage.ledger import Ledger

_DECISION = "decision"
_END = "end"
_log = logging.getLogger(__name__)


def decide(ledger: Ledger, verdict: Verdict, statement: Statement | None = None) -> Decision:
    """Decide on the plan; the decision that stands."""
    said = statement.model_dump() if statement else {}
    mine = Decision(verdict=verdict, at=datetime.now(UTC), **said)
    return Decision.from_wire(ledger.first(_DECISION, mine))


def decision(ledger: Ledger) -> Decision | None:
    """The decision on the plan, if there is one."""
    return ledger.read(_DECISION, Decision)


def cancel(ledger: Ledger, statement: Statement) -> End:
    """Cancel the restore; the end that stands, which may be another one."""
    return _first(ledger, End(at=datetime.now(UTC), cancelled=statement))


def close(ledger: Ledger) -> End:
    """The restore ends by itself; the end that stands, which may be a cancel."""
    return _first(ledger, End(at=datetime.now(UTC)))


def end(ledger: Ledger) -> End | None:
    """How the restore ends, once that is settled."""
    return ledger.read(_END, End)


def require_running(ledger: Ledger) -> None:
    """See to it that nothing is done for a restore that ends.

    Raises:
        RestoreCancelled, RestoreEnded: it does.
    """
    ending = end(ledger)
    if ending is None:
        return
    if ending.cancelled is not None:
        raise RestoreCancelled(
            f"{ending.cancelled.by} cancelled restore {ledger.request_id}: {ending.cancelled.reason}"
        )
    raise RestoreEnded(f"Restore {ledger.request_id} has ended; nothing more is done for it.")


class StillWanted:
    """Asks now and then whether a restore goes on, for work that takes long."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._asked = time.monotonic()

    def __call__(self) -> None:
        """Ask, unless that was done just now.

        Raises:
            RestoreCancelled, RestoreEnded: it does not go on.
        """
        if time.monotonic() - self._asked < ASKED_EVERY:
            return
        self._asked = time.monotonic()
        try:
            require_running(self._ledger)
        except AzureError as error:  # the work of hours is not thrown away for one look that could not be taken
            _log.warning("whether restore %s goes on is not known: %s", self._ledger.request_id, error.message)


ASKED_EVERY = 2.0
"""Seconds."""


def _first(ledger: Ledger, mine: End) -> End:
    return End.from_wire(ledger.first(_END, mine))


def reopen(ledger: Ledger) -> None:
    """Forget how a rejected restore ended, because its request is sent again; not what was said since."""
    ended, version = ledger.read_version(_END)
    if ended is not None and End.from_wire(ended).cancelled is None:
        ledger.delete_version(_END, version)
