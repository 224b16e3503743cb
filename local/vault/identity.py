"""The managed identity endpoint of App Service, and the tokens that it gives.

The app's credential asks here without knowing that it is local: environment variables IDENTITY_ENDPOINT and
IDENTITY_HEADER, api-version 2019-08-01.
"""

import hashlib
import hmac
import time

from local.vault.arm import Json
from local.vault.config import VaultConfig

ARM_RESOURCE = "https://management.azure.com"
_LIFETIME = 86_400


def token_for(config: VaultConfig, resource: str) -> str:
    """The token for one resource, as `https://management.azure.com`; valid for that resource only."""
    message = resource.rstrip("/").encode()
    return f"local.{hmac.digest(config.identity_header.encode(), message, hashlib.sha256).hex()}"


def token_body(config: VaultConfig, resource: str) -> Json:
    """The endpoint's answer."""
    return {
        "access_token": token_for(config, resource),
        "expires_on": str(int(time.time()) + _LIFETIME),
        "resource": resource,
        "token_type": "Bearer",
        "client_id": config.principal_id,
    }


def may_call_arm(config: VaultConfig, authorization: str | None) -> bool:
    """Whether an Authorization header carries a token for Azure Resource Manager."""
    return hmac.compare_digest(authorization or "", f"Bearer {token_for(config, ARM_RESOURCE)}")


def knows_secret(config: VaultConfig, header: str | None) -> bool:
    """Whether a caller of the endpoint is the app: its X-IDENTITY-HEADER is the secret it was started with."""
    return hmac.compare_digest(header or "", config.identity_header)
