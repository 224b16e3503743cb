"""What the backup vault service is told at its start."""

import uuid
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Frozen(BaseModel):
    """A model whose values never change and whose unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceServer(Frozen):
    """Where and as whom a backup is taken: the service's own access, which no customer has."""

    host: str
    port: int
    user: str = "azuresu"
    password: str = Field(repr=False)


class BackupInstance(Frozen):
    """A flexible server under protection."""

    name: str
    server_name: str
    server: SourceServer
    resource_group: str | None = Field(default=None, description="of the server; the vault's when None")
    policy: str = "pgflexpolicy"
    protection: str = "ProtectionConfigured"


class StorageAccount(Frozen):
    """A storage account as ARM shows it, and its real blob service."""

    name: str
    resource_group: str
    connection_string: str = Field(repr=False)
    allow_cross_tenant_replication: bool | None = True
    public_network_access: Literal["Enabled", "Disabled", "SecuredByPerimeter"] | None = "Enabled"
    vault_has_role: bool = Field(default=True, description="Storage Blob Data Contributor for the vault's identity")


class Pacing(Frozen):
    """How slow the service is, in seconds: the real one is slow enough that clients must wait well.

    Attributes:
        retry_after: the header of that name; the real one says 10 (validate) and 30 (restore).
        operation: how long an operation is `Inprogress`.
        job: how long a job runs at least.
        file: pause between two restored files.
    """

    retry_after: int = 1
    operation: float = 0.3
    job: float = 0.5
    file: float = 0.0


class VaultConfig(Frozen):
    """One vault, what it protects, and where its state lives."""

    subscription: str
    resource_group: str
    vault: str
    location: str = "westeurope"
    tenant: str = "00000000-0000-0000-0000-00000000aad1"
    principal_id: str = "00000000-0000-0000-0000-0000000000d1"
    instances: tuple[BackupInstance, ...]
    accounts: tuple[StorageAccount, ...]
    state: Path = Field(description="recovery points, jobs and operations; they survive the death of the service")
    identity_header: str = Field(
        default_factory=lambda: uuid.uuid4().hex, repr=False, description="secret of the managed identity endpoint"
    )
    pacing: Pacing = Pacing()
    page_size: int = Field(default=100, ge=1, description="recovery points on one page")

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for things in (self.instances, self.accounts):
            names = [thing.name.lower() for thing in things]
            if len(names) != len(set(names)):
                raise ValueError(f"names are not unique: {names}")
        return self
