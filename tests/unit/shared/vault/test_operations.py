"""What the vault accepts without saying where to look."""

from types import SimpleNamespace
from typing import Any

import pytest

from shared.contracts.plan import BackupInstanceRef
from shared.contracts.vaultjobs import RestoreOrder
from shared.errors import ServiceBusy
from shared.vault import operations

INSTANCE = BackupInstanceRef(
    subscription="s", resource_group="rg", vault="v", name="bi", server="orders", datasource_id="d", location="l"
)


def test_an_accepted_restore_without_a_status_address_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its job may run: a refusal would give the container away that it writes into."""

    def accept(*_order: object, raw_response_hook: Any, **_options: object) -> None:
        raw_response_hook(SimpleNamespace(http_response=SimpleNamespace(headers={})))

    vault = SimpleNamespace(
        backup_instances=SimpleNamespace(begin_trigger_restore=accept, begin_validate_for_restore=accept)
    )
    monkeypatch.setattr(operations, "data_protection", lambda _subscription: vault)
    monkeypatch.setattr(operations, "_body", lambda _order: None)

    with pytest.raises(ServiceBusy, match="without a status address"):
        operations.start_restore(
            RestoreOrder(request_id="r", instance=INSTANCE, recovery_point="p", container="landing-1")
        )
