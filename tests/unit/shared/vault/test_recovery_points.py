"""Which recovery points can be restored as files, told by what the SDK makes of the service's answers."""

import pytest
from azure.mgmt.dataprotection.models import AzureBackupDiscreteRecoveryPoint, RecoveryPointDataStoreDetails

from shared.vault.recovery_points import obstacle


def point(*stores: str, state: str | None = "Completed") -> AzureBackupDiscreteRecoveryPoint:
    details = [RecoveryPointDataStoreDetails({"id": f"store-{store}", "type": store}) for store in stores]
    values = {"recoveryPointState": state, "recoveryPointDataStoresDetails": details}
    return AzureBackupDiscreteRecoveryPoint({name: value for name, value in values.items() if value is not None})


@pytest.mark.parametrize(
    "usable",
    [
        point("VaultStore"),
        point("vaultstore"),
        point("OperationalStore", "VaultStore"),
        point("VaultStore", state=None),
        point(),
    ],
)
def test_a_whole_point_in_a_vault_store_can_be_restored_as_files(usable: AzureBackupDiscreteRecoveryPoint) -> None:
    assert obstacle(usable) == ""


@pytest.mark.parametrize("stores", [("OperationalStore",), ("OperationalStore", "ArchiveStore")])
def test_a_point_outside_the_vault_store_is_refused(stores: tuple[str, ...]) -> None:
    assert "as a server, not as files" in obstacle(point(*stores))


@pytest.mark.parametrize("state", ["Partial", "partial"])
def test_a_partial_point_is_refused_wherever_it_lies(state: str) -> None:
    assert "is partial" in obstacle(point("VaultStore", state=state))
