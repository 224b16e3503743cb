"""docs/cli.md names what there is, and nothing else."""

import re
from pathlib import Path

import pytest
import typer
from flexrestore.app import app
from flexrestore.exits import Exit

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text("utf-8")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
OPTIONS = {
    name: {word for option in command.params for word in option.opts if word.startswith("--")}
    for name, command in COMMANDS.items()
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_table_of_commands(command: str) -> None:
    assert re.search(rf"^\|.*`{command}\b", PAGE, re.MULTILINE)


def test_every_exit_code_is_documented_as_help_says_it() -> None:
    documented = {
        int(code): text.replace("`", "") for code, text in re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.MULTILINE)
    }

    assert documented == {code.value: code.meaning for code in Exit}


def test_every_option_that_is_documented_is_there() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE))

    assert named - set.union(*OPTIONS.values()) - {"--help", "--install-completion"} == set()


@pytest.mark.parametrize("command", ["plan", "restore"])
def test_every_option_of_a_request_is_documented(command: str) -> None:
    unsaid = {"--json", "--help", "--strict"}

    assert {option for option in OPTIONS[command] if option not in PAGE} - unsaid == set()
