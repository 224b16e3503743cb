"""Who may do what, and what is shut."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from local.bicep.document import Document, string_of, text_of
from shared.topology import APP_STORAGE, LANDING_STORAGE
from shared.vault.landing_account import BLOB_DATA_CONTRIBUTOR

ROOT = Path(__file__).parents[3]
BLOBS = {"Storage Blob Data Owner", "Storage Blob Data Contributor"}
NEEDS = {
    f"{APP_STORAGE}__blobServiceUri": ("storage", {"Storage Blob Data Owner"}),
    f"{APP_STORAGE}__queueServiceUri": ("storage", {"Storage Queue Data Contributor"}),
    f"{APP_STORAGE}__tableServiceUri": ("storage", {"Storage Table Data Contributor"}),
    f"{LANDING_STORAGE}__blobServiceUri": ("landing", BLOBS),
    f"{LANDING_STORAGE}__queueServiceUri": ("landing", {"Storage Queue Data Contributor"}),
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": ("insights", {"Monitoring Metrics Publisher"}),
    "DURABLE_TASK_SCHEDULER_CONNECTION_STRING": ("scheduler", {"Durable Task Data Contributor"}),
    "WEBSITE_RUN_FROM_PACKAGE": ("storage", BLOBS),
    "FLEX_RESTORE_VAULT": ("vault", {"Backup Operator"}),
    "FLEX_RESTORE_LANDING_ACCOUNT": ("landing", {"Reader"}),
}
"""A setting that leads the app somewhere with its identity: where, and one of the roles that it needs there."""


def held(roles: list[dict[str, str]], who: str, on: str) -> set[str]:
    return {row["role"] for row in roles if row["who"] == who and row["on"] == on}


def test_every_connection_with_an_identity_has_its_roles(app_settings: set[str], roles: list[dict[str, str]]) -> None:
    """Wherever a setting leads the app, its identity may do its work there."""
    leading = {name for name in app_settings if name.endswith("ServiceUri")} | {
        name for name in app_settings if "CONNECTION_STRING" in name and not name.startswith("APPLICATIONINSIGHTS")
    }

    assert leading <= set(NEEDS)
    assert set(NEEDS) <= app_settings
    assert [name for name, (on, needed) in NEEDS.items() if not held(roles, "app", on) & needed] == []
    assert "Key Vault Secrets User" in held(roles, "app", "keyVault")


def test_the_vault_may_write_where_files_land(roles: list[dict[str, str]]) -> None:
    """The backup vault's identity gets the role that preflight looks for."""
    assert [row["id"] for row in roles if row["who"] == "vault"] == [BLOB_DATA_CONTRIBUTOR]


def test_event_grid_may_keep_what_it_could_not_deliver(roles: list[dict[str, str]]) -> None:
    """The topic's identity writes dead letters."""
    assert held(roles, "topic", "storage") == {"Storage Blob Data Contributor"}


def test_the_table_is_whole(roles: list[dict[str, str]], bicep: Callable[[str], Document]) -> None:
    """Each row is assigned: its scope and its principal are ones that the Bicep files know; no row is there twice."""
    text = bicep("app/roles").text + bicep("app/vault-roles").text
    scopes = set(re.findall(r"row\.on == '(\w+)'", text))
    people = set(re.findall(r"^  (\w+): \{$", text.split("var principals = {")[1].split("\n}")[0], re.MULTILINE))

    assert {row["on"] for row in roles} == scopes
    assert {row["who"] for row in roles} == people
    assert {row["who"] for row in roles if row["on"] == "vault"} == {"app"}
    assert len({(row["who"], row["on"], row["id"]) for row in roles}) == len(roles)


def test_a_role_has_one_id(roles: list[dict[str, str]]) -> None:
    """A name is one GUID everywhere, and a GUID one name."""
    pairs = {(row["role"], row["id"]) for row in roles}

    assert len(pairs) == len({name for name, _ in pairs}) == len({guid for _, guid in pairs})
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", guid) for _, guid in pairs)


def test_the_documented_table_is_the_deployed_one(roles: list[dict[str, str]]) -> None:
    """docs/deployment.md shows each assignment with its role's id and its reason."""
    page = (ROOT / "docs" / "deployment.md").read_text()
    rows = re.findall(r"^\| (\w+) \| (\w+) \| (.+?) \| `([0-9a-f-]{36})` \| (.+?) \|$", page, re.MULTILINE)

    assert rows == [(row["who"], row["on"], row["role"], row["id"], row["why"]) for row in roles]


ACCOUNTS = {"app/storage": "false", "app/landing": "true"}


@pytest.mark.parametrize("file", ACCOUNTS)
def test_storage_accounts(file: str, bicep: Callable[[str], Document]) -> None:
    """No shared keys, nothing public, TLS; only the landing account lets another tenant copy into it."""
    document = bicep(file)
    [account] = document.resources("Microsoft.Storage/storageAccounts")

    def told(name: str) -> list[str]:
        return [text_of(node) for node in document.values(account.value, "properties", name)]

    assert told("allowSharedKeyAccess") == ["false"]
    assert told("allowBlobPublicAccess") == ["false"]
    assert told("minimumTlsVersion") == ["'TLS1_2'"]
    assert told("supportsHttpsTrafficOnly") == ["true"]
    assert told("allowCrossTenantReplication") == [ACCOUNTS[file]]
    assert told("publicNetworkAccess") == ["'Enabled'"], (
        "the vault reaches only accounts that are on the public network"
    )


def test_every_storage_account_is_looked_at(bicep: Callable[[str], Document], infra: Path) -> None:
    """The rule above holds for all accounts that are made."""
    making = {
        f"app/{path.stem}"
        for path in (infra / "app").glob("*.bicep")
        if bicep(f"app/{path.stem}").resources("Microsoft.Storage/storageAccounts")
    }

    assert making == set(ACCOUNTS)


@pytest.mark.parametrize(
    ("file", "kind", "path", "value"),
    [
        ("app/monitoring", "Microsoft.Insights/components", "properties.DisableLocalAuth", "true"),
        ("app/monitoring", "Microsoft.OperationalInsights/workspaces", "properties.features.disableLocalAuth", "true"),
        ("app/key-vault", "Microsoft.KeyVault/vaults", "properties.enableRbacAuthorization", "true"),
        ("app/function", "Microsoft.Web/sites", "properties.httpsOnly", "true"),
        ("app/function", "Microsoft.Web/sites", "properties.siteConfig.ftpsState", "'Disabled'"),
        ("app/function", "Microsoft.Web/sites", "identity.type", "'UserAssigned'"),
    ],
)
def test_what_is_shut(file: str, kind: str, path: str, value: str, bicep: Callable[[str], Document]) -> None:
    """Keys, passwords and plain HTTP are no way in."""
    document = bicep(file)
    [resource] = document.resources(kind)

    assert {text_of(node) for node in document.values(resource.value, *path.split("."))} == {value}


def test_no_publishing_passwords(bicep: Callable[[str], Document]) -> None:
    """Neither FTP nor the deployment site takes a password."""
    document = bicep("app/function")
    policies = document.resources("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    told = {
        string_of(document.values(one.value, "name")[0]): text_of(document.values(one.value, "properties", "allow")[0])
        for one in policies
    }

    assert told == {"ftp": "false", "scm": "false"}
