"""Clearing a landing container that the vault still writes into for a cancelled restore."""

from shared.contracts.base import Contract
from shared.contracts.vaultjobs import RestoreOrder
from shared.contracts.watch import Patience, Watch


class Clearing(Patience):
    """What `clear_landing` waits for."""

    order: RestoreOrder
    """What the vault was asked for, and into which container."""

    def watch(self, check: str, subject: Contract, what: str) -> Watch:
        """A watch that outlives the restore."""
        patience = {name: getattr(self, name) for name in Patience.model_fields}
        return Watch(check=check, subject=subject.to_wire(), what=what, **patience)
