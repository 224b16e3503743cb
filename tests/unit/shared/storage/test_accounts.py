"""Identities: each signs in once for all that the process does with it."""

from typing import Any

import pytest

from shared.storage import accounts


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The credentials that were made, by what they were asked for."""
    made: list[Any] = []

    def make(**chosen: Any) -> object:
        made.append(chosen.get("managed_identity_client_id"))
        return object()

    monkeypatch.setattr(accounts, "DefaultAzureCredential", make)
    accounts.identity_of.cache_clear()
    yield made
    accounts.identity_of.cache_clear()


def test_an_identity_is_one_for_the_process_and_keeps_its_tokens(made: list[str | None]) -> None:
    """Every load and every look at a target server would ask the platform for a token of its own."""
    first = accounts.identity_of("drill")

    assert accounts.identity_of("drill") is first
    assert accounts.credential() is accounts.credential() is accounts.identity_of(None) is not first
    assert made == ["drill", None]
