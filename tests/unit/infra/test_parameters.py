"""main.parameters.json against main.bicep, and the questions that `azd up` asks."""

import re
from collections.abc import Callable
from typing import Any

from local.bicep.document import Document, text_of


def test_every_parameter_is_given(bicep: Callable[[str], Document], parameters: dict[str, Any]) -> None:
    """The parameters file names each parameter, so that it is the one place to look, and nothing else."""
    assert set(parameters) == set(bicep("main").named("param"))


def test_three_questions_are_asked(bicep: Callable[[str], Document], parameters: dict[str, Any]) -> None:
    """Beside the environment's name azd asks for what has no default: where, which vault, which server."""
    without = {name for name, declared in bicep("main").named("param").items() if declared.value is None}

    assert without - {"environmentName"} == {"location", "backupVaultId", "targetServerId"}
    assert {parameters[name] for name in without} == {
        "${AZURE_ENV_NAME}",
        "${AZURE_LOCATION}",
        "${FLEX_RESTORE_VAULT_ID}",
        "${FLEX_RESTORE_TARGET_SERVER_ID}",
    }


def test_defaults_are_told_once(bicep: Callable[[str], Document], parameters: dict[str, Any]) -> None:
    """Where the parameters file has a default as well, it is the one of main.bicep."""
    declared = bicep("main").named("param")
    different = []
    for name, value in parameters.items():
        if (default := declared[name].value) is None or name == "settings":
            continue
        told = re.sub(r"\$\{\w+=?(.*)\}", r"\1", value) if isinstance(value, str) else value
        if text_of(default).strip("'") != (str(told).lower() if isinstance(told, bool) else str(told)):
            different.append(name)

    assert different == []


def test_every_parameter_says_what_it_is_for(bicep: Callable[[str], Document]) -> None:
    """azd shows the description where it asks."""
    lines = bicep("main").text.splitlines()
    silent = []
    for number, line in enumerate(lines):
        if found := re.match(r"param (\w+)", line):
            before = lines[:number][::-1]
            above = before[: before.index("")] if "" in before else before
            if not any(one.startswith("@description(") for one in above):
                silent.append(found[1])

    assert silent == []
