"""App settings: what Bicep sets is read by somebody, and what the code reads can be set."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from local.bicep.document import Document, string_of
from shared.settings import Settings
from shared.topology import APP_STORAGE, LANDING_STORAGE

ROOT = Path(__file__).parents[3]
READ_ELSEWHERE = {
    "AZURE_CLIENT_ID": "azure-identity",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "the Functions host, and the telemetry of the app",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "the same",
    "DURABLE_TASK_SCHEDULER_CONNECTION_STRING": "Durable Functions, by connectionStringName",
    "FUNCTIONS_EXTENSION_VERSION": "App Service",
    "FUNCTIONS_WORKER_RUNTIME": "the Functions host",
    "PYTHON_THREADPOOL_THREAD_COUNT": "the Functions worker",
    "WEBSITES_ENABLE_APP_SERVICE_STORAGE": "App Service",
    "WEBSITE_RUN_FROM_PACKAGE": "App Service",
    "WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID": "App Service",
}
"""Settings that are not the app's own, and who reads them."""
APP = ("triggers", "orchestrators", "activities", "shared")
_ASKED = re.compile(r'environ(?:\.get\(|\[)"(\w+)"')
CONNECTION_PARTS = {"credential", "clientId", "blobServiceUri", "queueServiceUri", "tableServiceUri"}
"""What the Functions host reads of a connection with an identity."""


def name_of(field: str, info: FieldInfo) -> str:
    return str(info.validation_alias or f"FLEX_RESTORE_{field.upper()}")


def of_the_code() -> dict[str, FieldInfo]:
    """The app's settings by their names; those that App Service itself makes are nobody's to set."""
    named = {name_of(field, info): info for field, info in Settings.model_fields.items()}
    return {name: info for name, info in named.items() if not name.startswith("WEBSITE_")}


def outside_the_model() -> set[str]:
    """Settings that the code asks the environment for by name."""
    sources = [ROOT / "function_app.py", *(path for layer in APP for path in (ROOT / layer).rglob("*.py"))]
    asked = {name for path in sources for name in _ASKED.findall(path.read_text())}
    return asked - set(READ_ELSEWHERE)


def is_secret(info: FieldInfo) -> bool:
    return SecretStr.__name__ in str(info.annotation)


def test_what_bicep_sets_is_read(app_settings: set[str]) -> None:
    """Every setting is the app's, of a connection, in place of something in host.json, or known to somebody else."""
    connections = {f"{name}__{part}" for name in (APP_STORAGE, LANDING_STORAGE) for part in CONNECTION_PARTS}
    ours = app_settings - connections - set(READ_ELSEWHERE)

    assert {name for name in ours if not name.startswith("AzureFunctionsJobHost__")} <= set(of_the_code())
    assert set(READ_ELSEWHERE) <= app_settings, "a reader is listed for a setting that is not made"


def test_what_replaces_host_json_is_there(app_settings: set[str]) -> None:
    """Settings over host.json are at a place that it has; the backend of Durable Functions is under its own section."""
    document = json.loads((ROOT / "host.json").read_text())
    for name in app_settings:
        if name.startswith("AzureFunctionsJobHost__"):
            path = name.split("__")[1:]
            place: Any = document
            for step in path[: 2 if "storageProvider" in path else None]:
                assert step in place, name
                place = place[step]


def test_what_the_code_reads_can_be_set(app_settings: set[str], parameters: dict[str, Any]) -> None:
    """Each setting of the app is made by Bicep, stands in the parameters file, or is a secret of the Key Vault."""
    secret = {name for name, info in of_the_code().items() if is_secret(info)}
    read = set(of_the_code()) | outside_the_model()

    assert read == (app_settings & read) | set(parameters["settings"]) | secret


def test_the_connections_that_the_code_names_are_made(app_settings: set[str]) -> None:
    """The code and the host's triggers find both storage accounts by the identity."""
    assert {f"{APP_STORAGE}__{part}" for part in CONNECTION_PARTS} <= app_settings
    assert {f"{LANDING_STORAGE}__{part}" for part in CONNECTION_PARTS - {"tableServiceUri"}} <= app_settings


def test_the_parameters_file_holds_the_defaults(parameters: dict[str, Any]) -> None:
    """As shipped, a deployment has the defaults of docs/settings.md: the file shows what can be changed."""
    defaults = dict.fromkeys(outside_the_model(), "") | {
        name: to_jsonable_python(info.get_default(call_default_factory=True, validated_data={}))
        for name, info in of_the_code().items()
        if not info.is_required()
    }

    assert parameters["settings"] == {name: defaults[name] for name in parameters["settings"]}


def test_no_secret_stands_in_the_parameters_file(parameters: dict[str, Any]) -> None:
    """Secrets are Key Vault references: never values, in no file."""
    assert [name for name, info in of_the_code().items() if is_secret(info) and name in parameters["settings"]] == []
    assert parameters["keyVaultReferences"] == {}


def test_secrets_become_references(bicep: Callable[[str], Document]) -> None:
    """What the parameter `keyVaultReferences` names is read from the Key Vault of this deployment."""
    assert "'@Microsoft.KeyVault(VaultName=${keyVaultName};SecretName=${setting.value})'" in bicep("app/function").text


def test_a_load_ends_before_its_function_does(bicep: Callable[[str], Document], parameters: dict[str, Any]) -> None:
    """The app's own limit comes first, so that a load that takes too long is reported, and not killed."""
    default = bicep("main").named("param")["functionTimeout"].value
    assert default is not None
    for told in (string_of(default), parameters["functionTimeout"]):
        found = re.fullmatch(r"(\d+):(\d+):(\d+)", told)
        assert found
        hours, minutes, seconds = map(int, found.groups())
        limit = timedelta(minutes=parameters["settings"]["FLEX_RESTORE_LOAD_TIMEOUT_MINUTES"])
        assert limit < timedelta(hours=hours, minutes=minutes, seconds=seconds)
