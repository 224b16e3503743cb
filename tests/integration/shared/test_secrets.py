"""Secrets come by reference to Key Vault or are not needed: what is not so is named, and its value is not."""

from collections.abc import Callable

import pytest

from local.environment import TARGET
from shared.contracts.api import Check
from shared.errors import Misconfigured
from shared.health import examine
from shared.settings import access, settings
from shared.targets import target_server

type Configure = Callable[..., None]
REFERENCE = "@Microsoft.KeyVault(SecretUri=https://vault.example/secrets/hidden-name)"
pytestmark = pytest.mark.usefixtures("app")


def check(name: str) -> Check:
    return next(one for one in examine().checks if one.name == name)


def test_a_reference_that_was_not_resolved_is_named_without_its_address(configure: Configure) -> None:
    configure(DRILL_PASSWORD=REFERENCE, SOMETHING_ELSE=REFERENCE.upper())
    found = check("secrets")

    assert not found.ok
    assert "DRILL_PASSWORD: is a reference to Key Vault that was not resolved" in found.detail
    assert "SOMETHING_ELSE: " in found.detail
    assert "hidden-name" not in found.detail.lower()


def test_it_is_never_taken_for_the_password(configure: Configure) -> None:
    configure(DRILL_PASSWORD=REFERENCE)

    with pytest.raises(Misconfigured, match="was not resolved") as caught:
        target_server(TARGET)
    assert "hidden-name" not in caught.value.text


@pytest.mark.parametrize("read", [settings, access])
def test_a_setting_of_ours_that_was_not_resolved_is_told_as_that(
    configure: Configure, read: Callable[[], object]
) -> None:
    """And not as a value that has the wrong form; nobody comes in by a tenant that is not known."""
    configure(FLEX_RESTORE_WEBHOOK_SECRETS=REFERENCE, FLEX_RESTORE_TENANT=REFERENCE)

    with pytest.raises(Misconfigured) as caught:
        read()
    assert [line.split(":")[0] for line in caught.value.details] == [
        "FLEX_RESTORE_TENANT",
        "FLEX_RESTORE_WEBHOOK_SECRETS",
    ]
    assert "hidden-name" not in str(caught.value.details)


def test_account_keys_in_storage_connections_are_mentioned() -> None:
    found = check("secrets")

    assert found.ok
    assert found.detail.startswith("AzureWebJobsStorage and LandingStorage hold account keys")
