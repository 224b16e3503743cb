"""The landing account as a resource: may the vault restore into it? Each finding comes with what mends it."""

from shared.arm import ResourceId, arm_errors, last_segment
from shared.contracts.plan import Finding
from shared.settings import settings
from shared.vault.clients import authorization, data_protection, storage_management, vault_id

BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
"""Storage Blob Data Contributor: what the vault's identity needs on the landing account."""
_OWNER_ROLES = frozenset({BLOB_DATA_CONTRIBUTOR, "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"})


def findings() -> list[Finding]:
    """What stands in the way of a restore into the landing account."""
    return [*_account_findings(), *_role_findings()]


def _account_findings() -> list[Finding]:
    account = ResourceId.parse(settings().landing_account)
    with arm_errors(f"reading storage account {account.name}"):
        properties = storage_management(account.subscription).storage_accounts.get_properties(
            account.resource_group, account.name
        )
    update = f"az storage account update --ids {settings().landing_account}"
    found = []
    if properties.allow_cross_tenant_replication is False:
        found.append(
            Finding(
                check="cross-tenant replication",
                severity="error",
                message=f"Storage account {account.name} forbids cross-tenant replication; the vault copies from "
                "an account of Microsoft's tenant.",
                remedy=f"{update} --allow-cross-tenant-replication true",
            )
        )
    if (properties.public_network_access or "").lower() == "disabled":  # an enum of str: str() would give its name
        found.append(
            Finding(
                check="public reachability",
                severity="error",
                message=f"Storage account {account.name} is closed to the public network; the vault cannot reach it.",
                remedy=f"{update} --public-network-access Enabled --default-action Deny --bypass AzureServices",
            )
        )
    return found


def _role_findings() -> list[Finding]:
    vault = vault_id()
    with arm_errors(f"reading vault {vault.name}"):
        resource = data_protection(vault.subscription).backup_vaults.get(vault.resource_group, vault.name)
    principal = resource.identity.principal_id if resource.identity else None
    if not principal:
        return [
            Finding(
                check="vault identity",
                severity="error",
                message=f"Vault {vault.name} has no system-assigned identity.",
                remedy=f"az dataprotection backup-vault update -g {vault.resource_group} -v {vault.name} "
                "--type SystemAssigned",
            )
        ]
    account = ResourceId.parse(settings().landing_account)
    with arm_errors(f"listing role assignments on {account.name}"):
        assignments = list(
            authorization(account.subscription).role_assignments.list_for_scope(
                settings().landing_account.lstrip("/"), filter=f"assignedTo('{principal}')"
            )
        )
    roles = {last_segment(str(one.role_definition_id)).lower() for one in assignments}
    if roles & _OWNER_ROLES:
        return []
    return [
        Finding(
            check="vault role",
            severity="error",
            message=f"The identity of vault {vault.name} lacks Storage Blob Data Contributor on {account.name}.",
            remedy=f"az role assignment create --assignee-object-id {principal} --assignee-principal-type "
            f"ServicePrincipal --role {BLOB_DATA_CONTRIBUTOR} --scope {settings().landing_account}",
        )
    ]
