"""Clients of the management services: whom they ask, and for whom their tokens are."""

from unittest.mock import Mock

import pytest

from shared.vault import clients


@pytest.mark.parametrize(
    ("endpoint", "scope"),
    [
        ("https://management.azure.com", "https://management.azure.com/.default"),
        ("https://management.chinacloudapi.cn/", "https://management.chinacloudapi.cn/.default"),
        ("http://127.0.0.1:8080", "https://management.azure.com/.default"),
    ],
)
def test_a_token_is_for_the_cloud_that_is_asked(monkeypatch: pytest.MonkeyPatch, endpoint: str, scope: str) -> None:
    """Another cloud takes no token for the public one; the vault service on this machine takes one as Azure does."""
    monkeypatch.setattr(clients, "settings", lambda: Mock(arm_endpoint=endpoint))
    options = clients._options()

    assert options["credential_scopes"] == [scope]
    assert options["base_url"] == endpoint.rstrip("/")
