"""The resources that only stand there: vault, backup instances, storage accounts, role assignments."""

import re
import uuid
from dataclasses import dataclass

from local.vault.arm import (
    DATASOURCE_TYPE,
    VAULT_TYPE,
    ArmError,
    Json,
    account_id,
    instance_id,
    server_id,
    vault_id,
)
from local.vault.config import BackupInstance, StorageAccount, VaultConfig
from local.vault.storage import blob_address

# Ids of built-in roles, the same in every tenant.
STORAGE_BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"

_PRINCIPAL = re.compile(r"(?:principalId\s+eq\s+|assignedTo\()'([^']*)'", re.IGNORECASE)


def vault_body(config: VaultConfig) -> Json:
    """The vault."""
    properties = {
        "provisioningState": "Succeeded",
        "resourceMoveState": "Unknown",
        "securitySettings": {"softDeleteSettings": {"state": "On", "retentionDurationInDays": 14.0}},
        "storageSettings": [{"datastoreType": "VaultStore", "type": "LocallyRedundant"}],
        "isVaultProtectedByResourceGuard": False,
        "secureScore": "Minimum",
    }
    return {
        "location": config.location,
        "identity": {"type": "SystemAssigned", "principalId": config.principal_id, "tenantId": config.tenant},
        "tags": {},
        "properties": properties,
        "id": vault_id(config),
        "name": config.vault,
        "type": VAULT_TYPE,
    }


def instance_body(config: VaultConfig, instance: BackupInstance) -> Json:
    """A backup instance."""
    datasource = {
        "resourceID": server_id(config, instance),
        "resourceUri": "",
        "datasourceType": DATASOURCE_TYPE,
        "resourceName": instance.server_name,
        "resourceType": DATASOURCE_TYPE,
        "resourceLocation": config.location,
        "objectType": "Datasource",
    }
    properties = {
        "friendlyName": instance.server_name,
        "dataSourceInfo": datasource,
        "policyInfo": {"policyId": f"{vault_id(config)}/backupPolicies/{instance.policy}"},
        "protectionStatus": {"status": instance.protection},
        "currentProtectionState": instance.protection,
        "provisioningState": "Succeeded",
        "objectType": "BackupInstance",
    }
    return {
        "properties": properties,
        "id": instance_id(config, instance),
        "name": instance.name,
        "type": f"{VAULT_TYPE}/backupInstances",
    }


def account_body(config: VaultConfig, account: StorageAccount) -> Json:
    """A storage account, with what decides whether the vault can restore into it."""
    properties = {
        "publicNetworkAccess": account.public_network_access,
        "allowCrossTenantReplication": account.allow_cross_tenant_replication,
        "minimumTlsVersion": "TLS1_2",
        "allowBlobPublicAccess": False,
        "networkAcls": {
            "bypass": "AzureServices",
            "virtualNetworkRules": [],
            "ipRules": [],
            "defaultAction": "Allow",
        },
        "supportsHttpsTrafficOnly": True,
        "accessTier": "Hot",
        "provisioningState": "Succeeded",
        "primaryEndpoints": {"blob": blob_address(account)},
        "primaryLocation": config.location,
        "statusOfPrimary": "available",
    }
    return {
        "sku": {"name": "Standard_LRS", "tier": "Standard"},
        "kind": "StorageV2",
        "id": account_id(config, account),
        "name": account.name,
        "type": "Microsoft.Storage/storageAccounts",
        "location": config.location,
        "tags": {},
        # An account's unset properties are left out, as ARM does.
        "properties": {name: value for name, value in properties.items() if value is not None},
    }


@dataclass(frozen=True)
class _Assignment:
    scope: str
    role: str
    principal: str


def role_assignments(config: VaultConfig, scope: str, filter_text: str) -> Json:
    """The assignments at, above and below a scope.

    Args:
        config: says on which accounts the vault's identity has its role.
        scope: a resource id.
        filter_text: `principalId eq '...'`, `assignedTo('...')` or `atScope()`, which leaves out those below.

    Raises:
        ArmError: the filter is none of these.
    """
    principal = _PRINCIPAL.search(filter_text)
    at_scope = "atscope()" in filter_text.lower()
    if filter_text.strip() and principal is None and not at_scope:
        raise ArmError(400, "InvalidFilter", f"The filter '{filter_text}' is not supported.")
    chosen = [
        _assignment_body(config, assignment)
        for assignment in _assignments(config)
        if (principal is None or principal.group(1).lower() == assignment.principal.lower())
        and (_within(scope, assignment.scope) or (not at_scope and _within(assignment.scope, scope)))
    ]
    return {"value": chosen}


def _assignments(config: VaultConfig) -> list[_Assignment]:
    return [
        _Assignment(account_id(config, account), STORAGE_BLOB_DATA_CONTRIBUTOR, config.principal_id)
        for account in config.accounts
        if account.vault_has_role
    ]


def _within(inner: str, outer: str) -> bool:
    return f"{inner}/".lower().startswith(f"{outer.rstrip('/')}/".lower())


def _assignment_body(config: VaultConfig, assignment: _Assignment) -> Json:
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{assignment.scope}{assignment.role}{assignment.principal}"))
    provider = "providers/Microsoft.Authorization"
    properties = {
        "roleDefinitionId": f"/subscriptions/{config.subscription}/{provider}/roleDefinitions/{assignment.role}",
        "principalId": assignment.principal,
        "principalType": "ServicePrincipal",
        "scope": assignment.scope,
        "condition": None,
        "conditionVersion": None,
        "createdOn": "2024-04-10T10:00:00.0000000Z",
        "updatedOn": "2024-04-10T10:00:00.0000000Z",
        "createdBy": "",
        "updatedBy": "",
        "delegatedManagedIdentityResourceId": None,
        "description": None,
    }
    return {
        "properties": properties,
        "id": f"{assignment.scope}/{provider}/roleAssignments/{name}",
        "type": "Microsoft.Authorization/roleAssignments",
        "name": name,
    }
