"""Recovery points: what a backup left in the vault, and how it is listed."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from local.vault.arm import VAULT_TYPE, ArmError, Json, instance_id, timestamp
from local.vault.config import BackupInstance, Frozen, VaultConfig

MARKER = "backupstarttimestamp"

_FILTER = re.compile(r"(startDate|endDate)\s+(?:eq|ge|le)\s+'([^']+)'", re.IGNORECASE)


class BackupFile(Frozen):
    """One file of a backup.

    Attributes:
        blob: the name of the blob that it is restored as.
        path: where it lies, relative to the recovery point's folder.
        size: bytes.
    """

    blob: str
    path: Path
    size: int


class RecoveryPoint(Frozen):
    """A finished backup.

    Attributes:
        id: 32 hexadecimal digits.
        backup_name: the GUID in front of its files' names; not the id.
        time: when the backup was taken.
        files: in the order in which they are restored.
    """

    id: str
    instance: str
    backup_name: str
    data_store_id: str
    time: datetime
    created: datetime
    state: Literal["Completed", "Partial"] = "Completed"
    files: tuple[BackupFile, ...]


def point_body(config: VaultConfig, instance: BackupInstance, point: RecoveryPoint) -> Json:
    """A recovery point as ARM shows it."""
    store = {
        "id": point.data_store_id,
        "type": "VaultStore",
        "creationTime": timestamp(point.created),
        "expiryTime": None,
        "metaData": None,
        "visible": True,
        "state": "COMMITTED",
        "rehydrationExpiryTime": None,
        "rehydrationStatus": None,
    }
    properties = {
        "objectType": "AzureBackupDiscreteRecoveryPoint",
        "recoveryPointId": point.id,
        "recoveryPointTime": timestamp(point.time),
        "recoveryPointType": "Full",
        "friendlyName": point.id,
        "recoveryPointDataStoresDetails": [store],
        "retentionTagName": "default",
        "retentionTagVersion": "638483410928586093",
        "policyName": instance.policy,
        "policyVersion": None,
        "expiryTime": None,
        "recoveryPointState": point.state,
    }
    return {
        "properties": properties,
        "id": f"{instance_id(config, instance)}/recoveryPoints/{point.id}",
        "name": point.id,
        "type": f"{VAULT_TYPE}/backupInstances/recoveryPoints",
    }


def select(points: Iterable[RecoveryPoint], filter_text: str) -> list[RecoveryPoint]:
    """The points that a `$filter` lets through, newest first.

    Raises:
        ArmError: the filter is not understood.
    """
    bounds = {name.lower(): _moment(value) for name, value in _FILTER.findall(filter_text)}
    if filter_text.strip() and not bounds:
        raise ArmError(400, "InvalidFilter", f"The filter '{filter_text}' is not valid.")
    chosen = [
        point
        for point in points
        if bounds.get("startdate", point.time) <= point.time <= bounds.get("enddate", point.time)
    ]
    return sorted(chosen, key=lambda point: point.time, reverse=True)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArmError(400, "InvalidFilter", f"'{text}' is not a time.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
