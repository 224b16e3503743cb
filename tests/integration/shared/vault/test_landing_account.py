"""The landing account as a resource: each finding comes with the command that mends it."""

from collections.abc import Callable

import pytest

from local.vault.faults import RequestFault
from local.vault.process import VaultProcess
from shared.contracts.plan import Finding
from shared.errors import ServiceBusy, VaultRefused
from shared.vault.landing_account import BLOB_DATA_CONTRIBUTOR, findings

GROUP = "/subscriptions/00000000-0000-0000-0000-000000000007/resourceGroups/rg-storage"
type Check = Callable[[str], dict[str, Finding]]


def identity(account: str) -> str:
    return f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{account}"


@pytest.fixture
def check(app: object, configure: Callable[..., None]) -> Check:  # noqa: ARG001 -- settings first
    """The findings, by their checks, with an account of that name as the landing account."""

    def check(account: str) -> dict[str, Finding]:
        configure(FLEX_RESTORE_LANDING_ACCOUNT=identity(account))
        return {finding.check: finding for finding in findings()}

    return check


@pytest.mark.parametrize("account", ["devstoreaccount1", "DevStoreAccount1", "old"])
def test_an_account_that_the_vault_can_write_to_has_no_finding(check: Check, account: str) -> None:
    """Properties that were never set are left out of the answer, and mean yes."""
    assert check(account) == {}


def test_closed_doors_are_found_all_at_once_each_with_its_command(check: Check) -> None:
    found = check("closed")

    assert {finding.severity for finding in found.values()} == {"error"}
    assert {name: finding.remedy for name, finding in found.items()} == {
        "cross-tenant replication": (
            f"az storage account update --ids {identity('closed')} --allow-cross-tenant-replication true"
        ),
        "public reachability": (
            f"az storage account update --ids {identity('closed')} "
            "--public-network-access Enabled --default-action Deny --bypass AzureServices"
        ),
    }
    assert all("Storage account closed" in finding.message for finding in found.values())


def test_a_missing_role_is_found_with_the_command_that_assigns_it(check: Check, vault: VaultProcess) -> None:
    found = check("norole")

    assert list(found) == ["vault role"]
    assert found["vault role"].message == (
        "The identity of vault orders-vault lacks Storage Blob Data Contributor on norole."
    )
    assert found["vault role"].remedy == (
        f"az role assignment create --assignee-object-id {vault.config.principal_id} --assignee-principal-type "
        f"ServicePrincipal --role {BLOB_DATA_CONTRIBUTOR} --scope {identity('norole')}"
    )


def test_an_account_that_is_not_there_is_the_services_no(check: Check) -> None:
    with pytest.raises(VaultRefused, match="While reading storage account nowhere: ResourceNotFound"):
        check("nowhere")


@pytest.mark.parametrize("path", ["storageAccounts/[^/]+$", "roleAssignments", "backupVaults/[^/]+$"])
def test_a_service_that_does_not_tell_means_try_again_and_no_finding(
    check: Check, vault: VaultProcess, path: str
) -> None:
    vault.inject(RequestFault(status=503, path=path))

    with pytest.raises(ServiceBusy):
        check("norole")
