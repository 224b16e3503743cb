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


type Mistake = tuple[str, str, str, str, str]
"""The check that finds it, the file, what stands there, what is made of it, and what the check says."""

MISTAKES: dict[str, Mistake] = {
    "a stray comma": ("syntax", "app/storage.bicep", "tags: tags\n", "tags: tags,\n", "storage.bicep"),
    "a lost colon": ("syntax", "app/storage.bicep", "parent: blobs", "parent blobs", "tree-sitter"),
    "no version": ("syntax", "app/vault.bicep", "@2024-04-01' existing", "' existing", "pycep"),
    "a typo": ("names", "app/storage.bicep", "parent: blobs", "parent: blob", "blob is not declared"),
    "an idle parameter": (
        *("names", "app/target.bicep", "principalName: principalName", "principalName: 'x'"),
        "principalName is not used",
    ),
    "declared twice": (
        *("names", "app/vault.bicep", "param name string", "param name string\nparam name string"),
        "name is declared 2 times",
    ),
    "a key given twice": (
        *("names", "app/key-vault.bicep", "family: 'A'", "family: 'A'\n      family: 'B'"),
        "family is given 2 times",
    ),
    "no such function": ("names", "main.bicep", "toLower(", "lower(", "lower() is no function"),
    "no such decorator": ("names", "main.bicep", "@minLength(1)", "@minimum(1)", "minimum() is no function"),
    "no such module": ("modules", "main.bicep", "'app/storage.bicep'", "'app/store.bicep'", "no app/store.bicep"),
    "no such parameter": ("modules", "main.bicep", "name: vaultId[8]", "nam: vaultId[8]", "no parameter nam"),
    "a parameter forgotten": ("modules", "main.bicep", "    email: alertEmail\n", "", "needs the parameter email"),
    "no such output": ("modules", "main.bicep", "landing.outputs.name", "landing.outputs.nam", "no output nam"),
    "an idle output": (
        *("modules", "app/vault.bicep", "output location", "output idle string = 'x'\noutput location"),
        "output idle is not used",
    ),
    "no such file": ("files", "app/roles.bicep", "'../roles.json'", "'../rolls.json'", "there is no rolls.json"),
    "an idle key": ("files", "abbreviations.json", '"rg-"', '"rg-", "sites": "s-"', "sites is not used"),
    "no such key": ("files", "abbreviations.json", "webServerFarms", "farms", "webServerFarms is missing"),
    "no such property": (
        *("properties", "app/landing.bicep", "allowSharedKeyAccess", "allowSharedKey"),
        "no property properties.allowSharedKey",
    ),
    "another casing, in a variable": (
        *("properties", "app/function.bicep", "instanceMemoryMB: i", "instanceMemoryMb: i"),
        "no property properties.functionAppConfig.scaleAndConcurrency.instanceMemoryMb",
    ),
    "no such version": ("properties", "app/vault.bicep", "2024-04-01", "2030-01-01", "not in the list of properties"),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_what_is_wrong_is_found(mistake: Mistake, infra: Path, tmp_path: Path) -> None:
    """A check that cannot fail checks nothing: each finds the mistake that is made in a copy."""
    check, file, old, new, complaint = mistake
    copy = tmp_path / "infra"
    shutil.copytree(infra, copy)
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))

    found = CHECKS[check](copy)

    assert any(complaint in one for one in found), found


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
