"""Clients of the management services, for Azure or for whatever `FLEX_RESTORE_ARM_ENDPOINT` names."""

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.dataprotection import DataProtectionMgmtClient
from azure.mgmt.storage import StorageManagementClient

from shared.arm import ResourceId
from shared.settings import settings
from shared.storage.accounts import credential


class _PlainHttp(SansIOHTTPPolicy[Any, Any]):
    """Lets the token travel without TLS; only ever used for an endpoint on this machine."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.context.options.setdefault("enforce_https", False)


def _options() -> dict[str, Any]:
    """Endpoint, scope and retries."""
    endpoint = settings().arm_endpoint.rstrip("/")
    on_this_machine = urlsplit(endpoint).hostname in {"127.0.0.1", "localhost"}
    return {
        "base_url": endpoint,
        "credential_scopes": ["https://management.azure.com/.default"],
        "per_call_policies": [_PlainHttp()] if on_this_machine else [],
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
