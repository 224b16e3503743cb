"""The briefing: the parts of a plan that the flow needs; the plan itself is in the ledger."""

from datetime import datetime

from shared.contracts.base import Contract, Json, wire
from shared.contracts.importing import LandingRef
from shared.contracts.plan import BackupInstanceRef, RecoveryPointRef
from shared.contracts.request import Mode, Priority
from shared.contracts.vaultjobs import RestoreOrder
from shared.contracts.watch import Watch


class Pace(Contract):
    """How often is looked, and how long is waited; read from the settings once, for a history must not change."""

    poll_seconds: float
    poll_limit_seconds: float
    job_deadline_hours: float
    landing_deadline_hours: float
    approval_deadline_hours: float


class Briefing(Contract):
    """What `make_plan` answers."""

    request_id: str
    dry_run: bool
    needs_approval: bool
    mode: Mode
    priority: Priority
    instance: BackupInstanceRef | None
    recovery_point: RecoveryPointRef | None
    landing: LandingRef | None
    """Where the files are, when they have landed already."""
    pace: Pace

    def order(self, container: str) -> RestoreOrder:
        """What the vault is asked for."""
        if self.instance is None or self.recovery_point is None:
            raise ValueError("a plan without landed files names a backup instance and a recovery point")
        return RestoreOrder(
            request_id=self.request_id,
            instance=self.instance,
            recovery_point=self.recovery_point.id,
            container=container,
        )

    def reserving(self) -> Json:
        """What a landing container is reserved for."""
        datasource = {} if self.instance is None else {"instance": self.instance.to_wire()}
        return {
            "requestId": self.request_id,
            "priority": self.priority.value,
            "mode": self.mode.value,
            **datasource,
        }

    def watch(self, check: str, subject: Contract | Json, *, what: str, deadline: datetime) -> Watch:
        """A watch at this restore's pace, and for as long as it goes on."""
        return Watch(
            check=check,
            subject=wire(subject),
            restore=self.request_id,
            what=what,
            interval=self.pace.poll_seconds,
            longest_interval=self.pace.poll_limit_seconds,
            deadline=deadline,
        )
