"""The service's configuration."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from local.vault.config import BackupInstance, SourceServer, VaultConfig
from local.vault.identity import ARM_RESOURCE, knows_secret, may_call_arm, token_for


def config(**values: Any) -> VaultConfig:
    server = SourceServer(host="127.0.0.1", port=1, password="secret")
    instance = BackupInstance(name="one", server_name="pg", server=server)
    everything = {"instances": (instance,), "accounts": (), "state": Path("state"), **values}
    return VaultConfig(subscription="s", resource_group="g", vault="v", **everything)


def test_it_survives_the_way_through_a_file() -> None:
    original = config()

    assert VaultConfig.model_validate_json(original.model_dump_json()) == original


def test_two_instances_of_one_name_are_refused() -> None:
    instance = config().instances[0]

    with pytest.raises(ValidationError, match="names are not unique"):
        config(instances=(instance, instance.model_copy(update={"name": "ONE"})))


def test_its_text_shows_no_secret_header() -> None:
    assert config().identity_header not in repr(config())


def test_a_token_is_good_for_its_resource_and_its_vault_only() -> None:
    ours, other = config(), config()

    assert may_call_arm(ours, f"Bearer {token_for(ours, ARM_RESOURCE)}")
    assert token_for(ours, f"{ARM_RESOURCE}/") == token_for(ours, ARM_RESOURCE)
    assert not may_call_arm(ours, f"Bearer {token_for(ours, 'https://vault.azure.net')}")
    assert not may_call_arm(ours, f"Bearer {token_for(other, ARM_RESOURCE)}")
    assert not may_call_arm(ours, None)
    assert not knows_secret(ours, None)
