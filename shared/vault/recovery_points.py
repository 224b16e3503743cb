"""Recovery points: the one that a request means, and whether it can be restored as files."""

from datetime import datetime
from typing import TYPE_CHECKING

from shared.arm import arm_errors
from shared.contracts.api import PointInfo
from shared.contracts.plan import BackupInstanceRef, RecoveryPointRef
from shared.contracts.request import BackupSource
from shared.errors import RequestRejected
from shared.vault.clients import data_protection

if TYPE_CHECKING:
    from azure.mgmt.dataprotection.models import AzureBackupDiscreteRecoveryPoint


def choose(instance: BackupInstanceRef, source: BackupSource) -> RecoveryPointRef:
    """The recovery point that the source means. The service's order is not relied on.

    Raises:
        RequestRejected: there is none, or it cannot be restored as files.
    """
    points = _list(instance)
    if source.recovery_point != "latest":
        return _by_id(points, source.recovery_point, instance)
    limit = source.at_or_before
    usable = [p for p in points if not obstacle(p) and (limit is None or p.recovery_point_time <= limit)]
    if not usable:
        when = f" at or before {limit.isoformat()}" if limit else ""
        refused = f"; {len(points)} point(s) exist, the first says: {obstacle(points[0])}" if points else ""
        raise RequestRejected(f"source: {instance.name} has no recovery point to restore{when}{refused or '.'}")
    return _reference(max(usable, key=lambda point: point.recovery_point_time))


def between(instance: BackupInstanceRef, since: datetime | None, until: datetime | None) -> list[PointInfo]:
    """The recovery points of a time range, the newest first, usable or not."""
    points = [
        PointInfo(id=str(point.recovery_point_id), time=point.recovery_point_time, obstacle=obstacle(point))
        for point in _list(instance)
        if (since is None or point.recovery_point_time >= since)
        and (until is None or point.recovery_point_time <= until)
    ]
    return sorted(points, key=lambda point: point.time, reverse=True)


def still_there(instance: BackupInstanceRef, point_id: str) -> bool:
    """Whether the vault still has a recovery point."""
    return any((point.recovery_point_id or "").lower() == point_id.lower() for point in _list(instance))


def _list(instance: BackupInstanceRef) -> list["AzureBackupDiscreteRecoveryPoint"]:
    from azure.mgmt.dataprotection.models import (  # noqa: PLC0415 -- heavy: most functions do without it
        AzureBackupDiscreteRecoveryPoint,
    )

    with arm_errors(f"listing the recovery points of {instance.name}"):
        listed = data_protection(instance.subscription).recovery_points.list(
            instance.resource_group, instance.vault, instance.name
        )
        return [one.properties for one in listed if isinstance(one.properties, AzureBackupDiscreteRecoveryPoint)]


def _by_id(
    points: list["AzureBackupDiscreteRecoveryPoint"], wanted: str, instance: BackupInstanceRef
) -> RecoveryPointRef:
    for point in points:
        if (point.recovery_point_id or "").lower() == wanted.lower():
            if problem := obstacle(point):
                raise RequestRejected(f"source.recoveryPoint: {wanted} {problem}")
            return _reference(point)
    raise RequestRejected(f"source.recoveryPoint: {instance.name} has no recovery point {wanted!r}.")


def obstacle(point: "AzureBackupDiscreteRecoveryPoint") -> str:
    """Why the point cannot be restored as files; empty when it can.

    Points of the snapshot-based backup ("v2") are restored as a server and lie in no vault store; how else the API
    marks them is not documented.
    """
    if (point.recovery_point_state or "").lower() == "partial":
        return "is partial: its backup did not finish, so choose an earlier one."
    stores = {str(store.type).lower() for store in point.recovery_point_data_stores_details or []}
    if stores and "vaultstore" not in stores:
        return "lies in no vault store (a snapshot-based v2 backup): it can be restored as a server, not as files."
    return ""


def _reference(point: "AzureBackupDiscreteRecoveryPoint") -> RecoveryPointRef:
    return RecoveryPointRef(id=str(point.recovery_point_id), time=point.recovery_point_time)
