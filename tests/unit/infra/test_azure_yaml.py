"""azure.yaml, against a schema of what we use of it, and its hooks."""

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads(Path(__file__).with_name("azure_yaml.schema.json").read_text())


@pytest.fixture
def project() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "azure.yaml").read_text())
    return loaded


def test_it_follows_the_schema(project: dict[str, Any]) -> None:
    """azd ignores keys that it does not know: a typo would be lost."""
    Draft202012Validator.check_schema(SCHEMA)
    assert list(Draft202012Validator(SCHEMA).iter_errors(project)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("services", "app", "hsot"), "function"),
        (("services", "app", "host"), "functions"),
        (("hooks", "postdeplyo"), {}),
        (("hooks", "postdeploy", "windows", "shell"), "sh"),
        (("name",), "Flex Restore"),
    ],
)
def test_the_schema_finds_mistakes(path: tuple[str, ...], value: object, project: dict[str, Any]) -> None:
    """Typos, and shells that are not there."""
    broken: Any = copy.deepcopy(project)
    place = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value

    assert list(Draft202012Validator(SCHEMA).iter_errors(broken)) != []


def test_what_it_names_is_there(project: dict[str, Any]) -> None:
    """The module, and the hooks' scripts, which a POSIX shell must be allowed to run."""
    infra = project["infra"]
    scripts = [script["run"] for hook in project["hooks"].values() for script in hook.values()]

    assert (ROOT / infra["path"] / f"{infra['module']}.bicep").is_file()
    assert [name for name in scripts if not (ROOT / name).is_file()] == []
    assert [name for name in scripts if name.endswith(".sh") and not os.access(ROOT / name, os.X_OK)] == []


def test_the_service_is_the_app(project: dict[str, Any]) -> None:
    """The one service is the folder with host.json."""
    assert [(ROOT / service["project"] / "host.json").is_file() for service in project["services"].values()] == [True]
