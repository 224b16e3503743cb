"""Restore requests: what they say, and whether the vault can do it."""

from typing import Literal

from azure.core.exceptions import AzureError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from local.vault.arm import ArmError, UserError, account_id, invalid_restore
from local.vault.config import StorageAccount, VaultConfig
from local.vault.jobs import RestoreTarget
from local.vault.recovery_points import RecoveryPoint
from local.vault.storage import blob_address, container_client


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, extra="ignore")


class TargetDetails(_Wire):
    """Where the files go."""

    file_prefix: str = Field(min_length=1)
    restore_target_location_type: Literal["AzureBlobs"]
    url: str
    target_resource_arm_id: str | None = None


class TargetInfo(_Wire):
    """How they go there."""

    object_type: Literal["RestoreFilesTargetInfo"]
    recovery_option: Literal["FailIfExists"]
    restore_location: str
    target_details: TargetDetails


class RestoreRequest(_Wire):
    """The body of `restore`, and the inner object of the body of `validateRestore`."""

    object_type: Literal["AzureBackupRecoveryPointBasedRestoreRequest"]
    recovery_point_id: str
    restore_target_info: TargetInfo
    source_data_store_type: Literal["VaultStore"]


def parse(body: object) -> RestoreRequest:
    """Read a request.

    Raises:
        ArmError: it is none; refused at once, with status 400.
    """
    try:
        return RestoreRequest.model_validate(body)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        refusal = ArmError(400, "UserErrorInvalidRestoreRequest", faults)
        refusal.body["error"] = invalid_restore("InvalidRequest", faults).as_operation_error()
        raise refusal from error


def resolve_target(config: VaultConfig, request: RestoreRequest) -> RestoreTarget:
    """The account and container that a request names, by the account's real address or by Azure's.

    Raises:
        UserError: there is no such account, or the address is none of a container.
    """
    details = request.restore_target_info.target_details
    for account in config.accounts:
        for address in (blob_address(account), f"https://{account.name}.blob.core.windows.net/"):
            if details.url.lower().startswith(address.lower()):
                container = details.url[len(address) :].strip("/")
                if container and "/" not in container:
                    _check_arm_id(config, account, container, details.target_resource_arm_id)
                    return RestoreTarget(
                        url=details.url, account=account.name, container=container, prefix=details.file_prefix
                    )
    raise invalid_restore("ResourceNotFound", f"'{details.url}' is no container of a known storage account.")


def check(config: VaultConfig, request: RestoreRequest, point: RecoveryPoint | None) -> RestoreTarget:
    """All that `validateRestore` looks at.

    Not looked at, as far as is known: AllowCrossTenantReplication and the account's network, which make the job fail.

    Raises:
        UserError: the restore would not work.
    """
    if request.restore_target_info.restore_location.lower() != config.location.lower():
        raise invalid_restore("InvalidRestoreLocation", f"The vault can restore in {config.location} only.")
    check_point(request, point)
    target = resolve_target(config, request)
    account = account_of(config, target)
    check_role(config, account)
    if not _container_exists(account, target.container):
        raise invalid_restore("ContainerNotFound", f"The specified container does not exist: {target.url}")
    return target


def check_point(request: RestoreRequest, point: RecoveryPoint | None) -> RecoveryPoint:
    """Refuse a recovery point that is not there.

    Raises:
        UserError: there is none of that id.
    """
    if point is None:
        raise invalid_restore("RecoveryPointNotFound", f"There is no recovery point {request.recovery_point_id}.")
    return point


def check_role(config: VaultConfig, account: StorageAccount) -> None:
    """Refuse an account on which the vault's identity has no role.

    Raises:
        UserError: with the code of recorded traffic.
    """
    if account.vault_has_role:
        return
    principal, action = config.principal_id, "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"
    detail = (
        f"The client '{principal}' with object id '{principal}' does not have authorization to perform action "
        f"'{action}' over scope '{account_id(config, account)}' or the scope is invalid. "
        "If access was recently granted, please refresh your credentials."
    )
    raise UserError(
        "UserErrorMSIMissingPermissions",
        "Backup vault is missing the necessary permissions on the storage account to do this operation. ",
        " Grant appropriate access permissions to the backup vault's identity (MSI) on the storage account. "
        "Refer to 'aka.ms/UserErrorMSIMissingPermissions 'for details. ",
        ("AuthorizationFailed", detail),
    )


def check_reachable(account: StorageAccount) -> None:
    """Refuse an account that the service's own tenant cannot copy into.

    How the service words this is not known.

    Raises:
        UserError: cross-tenant replication or public network access is off.
    """
    if account.allow_cross_tenant_replication is False:
        raise invalid_restore(
            "CrossTenantReplicationNotAllowed", f"{account.name} does not allow cross-tenant replication."
        )
    if account.public_network_access == "Disabled":
        raise invalid_restore("AuthorizationFailure", "This request is not authorized to perform this operation.")


def account_of(config: VaultConfig, target: RestoreTarget) -> StorageAccount:
    """The configured account of a target."""
    return next(account for account in config.accounts if account.name == target.account)


def _check_arm_id(config: VaultConfig, account: StorageAccount, container: str, arm_id: str | None) -> None:
    expected = f"{account_id(config, account)}/blobServices/default/containers/{container}"
    if arm_id is not None and arm_id.lower() != expected.lower():
        raise invalid_restore("InvalidTargetResourceArmId", f"targetResourceArmId is not {expected}.")


def _container_exists(account: StorageAccount, container: str) -> bool:
    try:
        with container_client(account, container) as client:
            return client.exists()
    except AzureError as error:
        raise invalid_restore("StorageError", str(error).splitlines()[0]) from error
