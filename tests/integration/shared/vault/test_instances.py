"""Which backup instance a request means."""

import json
from collections.abc import Callable

import pytest

from local.environment import INSTANCE, alias
from local.vault.arm import instance_id, server_id
from local.vault.process import VaultProcess
from shared.errors import RequestRejected, VaultRefused
from shared.settings import settings
from shared.vault.instances import protected, resolve

NAME = "orders-prod-pgflex"
type Configure = Callable[..., None]


@pytest.mark.parametrize(
    "wanted", [NAME, "Orders-Prod-PGFLEX", "orders-prod", "ORDERS-PROD"], ids=lambda wanted: f"by {wanted}"
)
def test_an_instance_is_found_by_its_own_name_or_its_servers_in_any_casing(vault: VaultProcess, wanted: str) -> None:
    found = resolve(wanted)

    assert (found.name, found.server, found.vault) == (NAME, "orders-prod", vault.config.vault)
    assert found.location == vault.config.location


def test_an_instance_is_found_by_its_arm_id_in_any_casing_and_by_its_servers(vault: VaultProcess) -> None:
    config, instance = vault.config, vault.config.instances[0]
    identity = instance_id(config, instance)

    for wanted in (identity, identity.upper(), identity.lower(), f"{identity}/", server_id(config, instance)):
        found = resolve(wanted)
        assert found.name == NAME
        assert found.datasource_id == server_id(config, instance)


@pytest.mark.parametrize("as_id", [False, True], ids=["a name", "an ARM id"])
def test_an_alias_leads_to_what_the_operator_configured(vault: VaultProcess, configure: Configure, as_id: bool) -> None:
    meant = instance_id(vault.config, vault.config.instances[0]).lower() if as_id else NAME
    configure(FLEX_RESTORE_INSTANCES=json.dumps({"meant": meant}))

    assert resolve("meant").name == NAME


def test_an_alias_wins_over_an_instance_of_that_name(vault: VaultProcess, configure: Configure) -> None:
    assert "history" in {instance.name for instance in vault.config.instances}
    configure(FLEX_RESTORE_INSTANCES=json.dumps({"history": NAME}))

    assert resolve("history").name == NAME


def test_an_unknown_instance_is_rejected_with_what_is_known(vault: VaultProcess) -> None:
    with pytest.raises(RequestRejected) as rejected:
        resolve("nowhere")

    instances = vault.config.instances
    aliases = (alias(number) for number, _ in enumerate(instances, 1))
    known = ", ".join(sorted({*aliases, *(instance.name for instance in instances)}))
    assert rejected.value.text == (
        f"source.backupInstance: 'nowhere' is no backup instance of vault orders-vault; known are: {known}."
    )


def test_an_instance_of_another_vault_is_none_of_ours(vault: VaultProcess) -> None:
    elsewhere = instance_id(vault.config, vault.config.instances[0]).replace("orders-vault", "another-vault")

    with pytest.raises(RequestRejected, match="is no backup instance of vault orders-vault"):
        resolve(elsewhere)


@pytest.mark.usefixtures("vault")
def test_a_server_that_is_protected_twice_must_be_named_by_instance() -> None:
    with pytest.raises(RequestRejected, match="'twin' means 2 backup instances"):
        resolve("twin")

    assert resolve("twin-b").name == "twin-b"


@pytest.mark.usefixtures("vault")
def test_a_vault_that_is_not_there_is_the_services_no(configure: Configure) -> None:
    configure(FLEX_RESTORE_VAULT=settings().vault.replace("orders-vault", "another-vault"))

    with pytest.raises(VaultRefused, match="While listing the backup instances of vault another-vault"):
        resolve(NAME)


@pytest.mark.usefixtures("app")
def test_what_the_vault_protects_is_listed_with_the_operators_aliases() -> None:
    listed = {one.name: one for one in protected()}

    assert list(listed) == sorted(listed)
    assert {"empty", "history", "twin-a", "twin-b"} < listed.keys()
    assert listed[NAME].aliases == (INSTANCE,)
    assert listed[NAME].server == "orders-prod"
    assert listed[NAME].protection == "ProtectionConfigured"
