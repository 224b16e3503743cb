"""Each promise of docs/reliability.md names the tests that hold it."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def promises() -> list[tuple[str, str]]:
    """What is promised, and the cell that says what holds it."""
    text = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    return [(promise, tests) for promise, tests in rows if promise not in {"promise", "---"}]


def test_every_promise_is_held_by_tests_that_exist() -> None:
    """A promise without a test is an advertisement."""
    broken = [promise for promise, tests in promises() if not _TEST.findall(tests)]
    named = {place for _, tests in promises() for place in _TEST.findall(tests)}
    missing = [f"{file}::{test}" for file, test in sorted(named) if test not in _tests_of(ROOT / file)]

    assert broken == []
    assert missing == []


def _tests_of(file: Path) -> set[str]:
    if not file.is_file():
        return set()
    return {node.name for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}
