"""Bicep files: what both parsers read, what no parser sees, and that the checks of it can fail."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from local.bicep import checks
from local.bicep.checks import documents

ALLOWED = json.loads(Path(__file__).with_name("properties.json").read_text())
CHECKS: dict[str, Callable[[Path], list[str]]] = {
    "syntax": checks.syntax,
    "names": checks.names,
    "modules": checks.modules,
    "files": checks.files,
    "properties": partial(checks.property_names, allowed=ALLOWED),
}


@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_wrong(check: str, infra: Path) -> None:
    """Both parsers read every file; names, modules, files and properties fit together."""
    assert CHECKS[check](infra) == []


@pytest.mark.parametrize(
    ("check", "file", "old", "new", "complaint"),
    [
        pytest.param(
            "syntax", "app/storage.bicep", "tags: tags\n", "tags: tags,\n", "tree-sitter|pycep", id="a stray comma"
        ),
        pytest.param("syntax", "app/storage.bicep", "parent: blobs", "parent blobs", "tree-sitter", id="a lost colon"),
        pytest.param("syntax", "app/vault.bicep", "@2024-04-01' existing", "' existing", "pycep", id="no version"),
        pytest.param("names", "app/storage.bicep", "parent: blobs", "parent: blob", "blob is not declared", id="a typo"),
        pytest.param(
            "names", "app/target.bicep", "principalName: principalName", "principalName: 'x'",
            "principalName is not used", id="an idle parameter",
        ),
        pytest.param(
            "names", "main.bicep", "param location string", "param location string\nparam location string",
            "location is declared 2 times", id="declared twice",
        ),
        pytest.param(
            "names", "app/key-vault.bicep", "enableSoftDelete: true", "enableSoftDelete: true\n    enableSoftDelete: false",
            "enableSoftDelete is given 2 times", id="a key given twice",
        ),
        pytest.param("names", "main.bicep", "toLower(", "lower(", "lower() is no function", id="no such function"),
        pytest.param("names", "main.bicep", "@minLength(1)", "@minimum(1)", "minimum() is no function", id="no decorator"),
        pytest.param(
            "modules", "main.bicep", "'app/storage.bicep'", "'app/store.bicep'", "there is no app/store.bicep",
            id="no such module",
        ),
        pytest.param("modules", "main.bicep", "name: vaultId[8]", "nam: vaultId[8]", "no parameter nam", id="unknown"),
        pytest.param(
            "modules", "main.bicep", "    email: alertEmail\n", "", "needs the parameter email", id="a parameter forgotten"
        ),
        pytest.param(
            "modules", "main.bicep", "landing.outputs.name", "landing.outputs.nam", "no output nam", id="no such output"
        ),
        pytest.param(
            "modules", "app/vault.bicep", "output location", "output idle string = 'x'\noutput location",
            "output idle is not used", id="an idle output",
        ),
        pytest.param(
            "files", "app/roles.bicep", "'../roles.json'", "'../rolls.json'", "there is no rolls.json", id="no such file"
        ),
        pytest.param(
            "files", "abbreviations.json", '"rg-"', '"rg-", "webStaticSites": "stapp-"', "webStaticSites is not used",
            id="an idle abbreviation",
        ),
        pytest.param(
            "files", "abbreviations.json", "webServerFarms", "serverFarms", "webServerFarms is missing", id="missing"
        ),
        pytest.param(
            "properties", "app/landing.bicep", "allowSharedKeyAccess", "allowSharedKey",
            "no property properties.allowSharedKey", id="a property's typo",
        ),
        pytest.param(
            "properties", "app/function.bicep", "instanceMemoryMB: i", "instanceMemoryMb: i",
            "no property properties.functionAppConfig.scaleAndConcurrency.instanceMemoryMb", id="a casing, in a variable",
        ),
        pytest.param(
            "properties", "app/vault.bicep", "2024-04-01", "2030-01-01", "not in the list of properties", id="a version"
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(
    check: str, file: str, old: str, new: str, complaint: str, infra: Path, tmp_path: Path
) -> None:
    """A check that cannot fail checks nothing: each finds the mistake that is made in a copy."""
    copy = tmp_path / "infra"
    shutil.copytree(infra, copy)
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))

    found = CHECKS[check](copy)

    assert any(part in one for one in found for part in complaint.split("|")), found


def test_modules_come_from_this_repository(infra: Path) -> None:
    """A module of a registry is a black box to every check here: resources are declared directly."""
    targets = [module.target for one in documents(infra) for module in one.named("module").values()]

    assert [target for target in targets if not target.startswith("app/")] == []


def test_every_file_is_deployed(infra: Path) -> None:
    """Each Bicep file is a module of main.bicep, but for the subscriptions, which the hook deploys after the code."""
    deployed = {infra / module.target for one in documents(infra) for module in one.named("module").values()}

    assert {one.path for one in documents(infra)} - deployed == {
        infra / "main.bicep",
        infra / "app" / "subscriptions.bicep",
    }
    assert "infra/app/subscriptions.bicep" in (infra.parent / "scripts" / "post-up.sh").read_text()
    assert "infra/app/subscriptions.bicep" in (infra.parent / "scripts" / "post-up.ps1").read_text()
