"""The infrastructure as data."""

import json
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from local.bicep.document import Document, properties

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def infra() -> Path:
    """The folder of the Bicep files."""
    return ROOT / "infra"


@pytest.fixture(scope="session")
def bicep(infra: Path) -> Callable[[str], Document]:
    """A Bicep file by its name."""
    return lambda name: Document.read(infra / f"{name}.bicep")


@pytest.fixture(scope="session")
def parameters(infra: Path) -> dict[str, Any]:
    """What main.parameters.json gives, by parameter."""
    content = json.loads((infra / "main.parameters.json").read_text())
    return {name: given["value"] for name, given in content["parameters"].items()}


@pytest.fixture(scope="session")
def app_settings(bicep: Callable[[str], Document]) -> set[str]:
    """The names of all app settings that function.bicep spells out."""
    function = bicep("app/function")
    [settings] = [one for one in function.resources("Microsoft.Web/sites/config") if one.name == "appSettings"]
    chosen = function.values(settings.value, "properties")
    return {key for node in chosen for one in function.objects(node) for key in properties(one)}


@pytest.fixture(scope="session")
def roles(infra: Path) -> list[dict[str, str]]:
    """The table of role assignments."""
    table: list[dict[str, str]] = json.loads((infra / "roles.json").read_text())
    return table


@pytest.fixture(scope="session")
def triggers() -> Callable[[str], dict[str, dict[str, Any]]]:
    """The app's triggers of a kind by the names of their functions."""
    # A copy of the module: an app tells its functions once in a process.
    spec = spec_from_file_location("function_app_for_infra", ROOT / "function_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    functions = module.app.get_functions()

    def of_kind(kind: str) -> dict[str, dict[str, Any]]:
        return {
            function.get_function_name(): binding.get_dict_repr()
            for function in functions
            for binding in function.get_bindings()
            if binding.type == kind
        }

    return of_kind
