"""What the documentation shows is what there is: requests, command lines, make targets, error texts."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from flexrestore.app import app

from shared.contracts.request import read_request

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_TARGET = re.compile(r"(?:`|^)make ([a-z][a-z-]+)", re.MULTILINE)
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
SOURCES = "\n".join(
    path.read_text("utf-8")
    for folder in ("shared", "activities", "orchestrators", "triggers")
    for path in sorted((ROOT / folder).rglob("*.py"))
)


def blocks(language: str) -> list[Any]:
    """The code blocks of a language, each named after its page; lists indent them."""
    return [
        pytest.param(text, id=f"{page.relative_to(ROOT)}-{number}")
        for page in PAGES
        for number, (kind, text) in enumerate(_BLOCK.findall(page.read_text("utf-8")))
        if kind == language
    ]


@pytest.mark.parametrize("text", blocks("json"))
def test_json_is_json_and_a_request_is_one_that_is_taken(text: str) -> None:
    document = json.loads(text if text.lstrip().startswith(("{", "[")) else f"{{{text}}}")

    if {"requestId", "source", "target"} <= document.keys():
        assert read_request(document).request_id == document["requestId"]


def command_lines() -> list[str]:
    """Every line of a block that calls the command line."""
    lines = (line.split("  #")[0].strip() for block in blocks("") for line in str(block.values[0]).splitlines())
    return sorted(
        {
            line.removeprefix(".venv/bin/")
            for line in lines
            if line.removeprefix(".venv/bin/").startswith("flexrestore ")
        }
    )


@pytest.mark.parametrize("line", command_lines())
def test_a_command_line_is_one_that_is_understood(line: str) -> None:
    """Parsed by the program itself, and not run."""
    _, name, *arguments = shlex.split(line)

    assert COMMANDS[name].make_context(name, arguments)


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = {target for page in PAGES for target in _TARGET.findall(page.read_text("utf-8"))}

    assert {target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()


def headings() -> list[str]:
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    return re.findall(r"^### `(.+)`$", page.partition("## What PostgreSQL and Azure say")[0], re.MULTILINE)


@pytest.mark.parametrize("text", headings())
def test_a_text_that_troubleshooting_is_keyed_by_is_said_by_the_app(text: str) -> None:
    assert text in SOURCES
