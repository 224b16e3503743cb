"""Clients of the management services, for Azure or for whatever `FLEX_RESTORE_ARM_ENDPOINT` names."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import RetryPolicy, SansIOHTTPPolicy

from shared.arm import ResourceId, retry_after
from shared.settings import settings
from shared.storage.accounts import credential

if TYPE_CHECKING:
    from azure.mgmt.authorization import AuthorizationManagementClient
    from azure.mgmt.dataprotection import DataProtectionMgmtClient
    from azure.mgmt.storage import StorageManagementClient


class _PlainHttp(SansIOHTTPPolicy[Any, Any]):
    """Lets the token travel without TLS; only ever used for an endpoint on this machine."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.context.options.setdefault("enforce_https", False)


_AZURE = "https://management.azure.com"
CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
"""How long one try waits for a connection, and for the next byte; the SDK's own limits are 300 s each."""
ASKING_SECONDS = 20.0
"""The same for a POST that starts something: shorter than the time after which it may be asked again."""
LONGEST_SLEEP = 10.0
"""Seconds that a thread sleeps for a service that asks to wait; for more an orchestration sleeps."""


class _Retries(RetryPolicy[Any, Any]):
    """The SDK's retries, in which no thread sleeps for as long as a service likes: the SDK itself knows no limit."""

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        if retry_after(response.http_response.headers) > LONGEST_SLEEP:
            return False
        return bool(super().is_retry(settings, response))


def _options() -> dict[str, Any]:
    """Endpoint, scope, retries and time limits. A token is for the cloud whose Resource Manager it is."""
    endpoint = settings().arm_endpoint.rstrip("/")
    on_this_machine = urlsplit(endpoint).hostname in {"127.0.0.1", "localhost"}
    return {
        "base_url": endpoint,
        "credential_scopes": [f"{_AZURE if on_this_machine else endpoint}/.default"],
        "per_call_policies": [_PlainHttp()] if on_this_machine else [],
        "retry_policy": _Retries(retry_total=3),
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
    }


def vault_id() -> ResourceId:
    """The backup vault that the operator configured."""
    return ResourceId.parse(settings().vault)


@lru_cache(maxsize=4)
def data_protection(subscription: str) -> "DataProtectionMgmtClient":
    """The backup service of a subscription."""
    from azure.mgmt.dataprotection import DataProtectionMgmtClient  # noqa: PLC0415 -- heavy: most functions do without it

    return DataProtectionMgmtClient(credential(), subscription, **_options())


@lru_cache(maxsize=4)
def storage_management(subscription: str) -> "StorageManagementClient":
    """The storage accounts of a subscription, as resources."""
    from azure.mgmt.storage import StorageManagementClient  # noqa: PLC0415 -- heavy: most functions do without it

    return StorageManagementClient(credential(), subscription, **_options())


@lru_cache(maxsize=4)
def authorization(subscription: str) -> "AuthorizationManagementClient":
    """The role assignments of a subscription."""
    from azure.mgmt.authorization import AuthorizationManagementClient  # noqa: PLC0415 -- heavy: most functions do without it

    return AuthorizationManagementClient(credential(), subscription, **_options())
