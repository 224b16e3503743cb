"""Clients of the management services, for Azure or for whatever `FLEX_RESTORE_ARM_ENDPOINT` names."""

from functools import lru_cache
from typing import Any

from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.dataprotection import DataProtectionMgmtClient
from azure.mgmt.storage import StorageManagementClient

from shared.arm import ResourceId
from shared.settings import settings
from shared.storage.accounts import credential


def _options() -> dict[str, Any]:
    """Endpoint, scope and retries; plain HTTP is for an endpoint on this machine, which the settings then name."""
    endpoint = settings().arm_endpoint.rstrip("/")
    return {
        "base_url": endpoint,
        "credential_scopes": ["https://management.azure.com/.default"],
        "enforce_https": not endpoint.startswith(("http://127.0.0.1", "http://localhost")),
        "retry_total": 3,
    }


def vault_id() -> ResourceId:
    """The backup vault that the operator configured."""
    return ResourceId.parse(settings().vault)


@lru_cache(maxsize=4)
def data_protection(subscription: str) -> DataProtectionMgmtClient:
    """The backup service of a subscription."""
    return DataProtectionMgmtClient(credential(), subscription, **_options())


@lru_cache(maxsize=4)
def storage_management(subscription: str) -> StorageManagementClient:
    """The storage accounts of a subscription, as resources."""
    return StorageManagementClient(credential(), subscription, **_options())


@lru_cache(maxsize=4)
def authorization(subscription: str) -> AuthorizationManagementClient:
    """The role assignments of a subscription."""
    return AuthorizationManagementClient(credential(), subscription, **_options())
