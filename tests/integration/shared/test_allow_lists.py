"""A request names servers, containers and webhooks of the operator's lists, and nothing else, however it is written."""

from collections.abc import Callable
from typing import Any

import pytest

from local.environment import TARGET
from shared import planning
from shared.contracts.request import read_request
from shared.errors import RequestRejected
from shared.targets import target_server
from shared.topology import APP_STORAGE, CONTROL_CONTAINER, LANDING_CONTAINERS, REPORT_CONTAINER

LANDING = LANDING_CONTAINERS[0]
FOREIGN_VAULT = (
    "/subscriptions/99999999-0000-0000-0000-000000000000/resourceGroups/evil/providers/Microsoft.DataProtection"
    "/backupVaults/evil/backupInstances/orders-prod-pgflex"
)
TARGETS = (
    "evil.postgres.database.azure.com",
    "postgres://u@evil.example/db",
    "host=evil.example",
    f"{TARGET} host=evil.example",
    f"{TARGET}@evil.example",
    f"{TARGET}\x00",
    f"{TARGET}\n",
    f" {TARGET}",
    TARGET.upper(),
    f"../{TARGET}",
    "127.0.0.1",
    "__class__",
)
CONTAINERS = (
    CONTROL_CONTAINER,
    REPORT_CONTAINER,
    "azure-webjobs-secrets",
    "azure-webjobs-hosts",
    "$root",
    "$logs",
    f"{LANDING}/../{CONTROL_CONTAINER}",
    f"{LANDING}%2f..%2f{CONTROL_CONTAINER}",
    f"{LANDING}?restype=container",
    f"{LANDING} ",
    LANDING.upper(),
    "https://evil.blob.core.windows.net/c",
    APP_STORAGE,
)
INSTANCES = (
    FOREIGN_VAULT,
    f"{FOREIGN_VAULT}/../../../orders",
    "https://evil.example/backupInstances/orders",
    "orders/../history",
    "orders\x00",
    "",
)
WEBHOOKS = ("https://evil.example/hook", "http://169.254.169.254/metadata", "//evil.example", "ops\n", "OPS", "", "*")


@pytest.fixture
def rejected(app: object, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:  # noqa: ARG001 -- settings first
    """What is said of a request that names something else; no server is connected to."""
    configure(
        FLEX_RESTORE_WEBHOOKS='{"ops": "https://hooks.example/o"}',
        FLEX_RESTORE_WEBHOOK_HOSTS='["hooks.example"]',
        FLEX_RESTORE_WEBHOOK_SECRETS="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )
    connected: list[str] = []

    def watched(alias: str) -> Any:
        server = target_server(alias)
        connected.append(server.host)
        return server

    monkeypatch.setattr(planning, "target_server", watched)

    def rejected(**changes: Any) -> list[str]:
        source = {"backupInstance": "orders"}
        with pytest.raises(RequestRejected) as caught:
            planning.make_plan(read_request({"requestId": "p", "source": source, "target": TARGET, **changes}))
        assert not connected or "target" not in changes
        return caught.value.details

    return rejected


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_is_an_alias_of_the_operators(rejected: Callable[..., list[str]], target: str) -> None:
    assert any(line.startswith("target: ") for line in rejected(target=target))


@pytest.mark.parametrize("container", CONTAINERS)
def test_files_come_from_landing_containers_alone(rejected: Callable[..., list[str]], container: str) -> None:
    found = rejected(source={"container": container, "backupName": "b"})

    assert any(line.startswith("source.container: ") for line in found)


@pytest.mark.parametrize("instance", INSTANCES)
def test_a_source_is_an_instance_of_the_operators_vault(rejected: Callable[..., list[str]], instance: str) -> None:
    found = rejected(source={"backupInstance": instance})

    assert any(line.startswith("source.backupInstance: ") for line in found)


@pytest.mark.parametrize("webhook", WEBHOOKS)
def test_a_webhook_is_one_that_the_operator_named(rejected: Callable[..., list[str]], webhook: str) -> None:
    assert any(line.startswith("notify: ") for line in rejected(notify=[webhook]))


@pytest.mark.parametrize(
    "field",
    ["host", "storageAccount", "landingAccount", "vault", "webhookUrl", "callbackUrl", "sslmode", "psql", "user"],
)
def test_no_field_names_a_server_an_account_or_a_program(rejected: Callable[..., list[str]], field: str) -> None:
    assert rejected(**{field: "evil.example"}) == [f"{field}: is not a field of this contract"]
