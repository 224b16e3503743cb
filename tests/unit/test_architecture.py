"""Rules of the house that a reader should not have to check by hand."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = {
    "shared": {"shared"},
    "activities": {"activities", "shared"},
    "orchestrators": {"orchestrators", "shared"},
    "triggers": {"triggers", "shared"},
    "local": {"local", "shared", "orchestrators"},
    "cli": {"flexrestore"},
}
OURS = {*LAYERS, "flexrestore", "function_app", "tests"}
NOT_IN_ORCHESTRATORS = {
    "asyncio", "azure.storage", "datetime.now", "os", "pathlib", "psycopg", "random", "requests", "secrets", "socket",
    "subprocess", "tempfile", "threading", "time", "uuid",
}  # fmt: skip


def modules(layer: str) -> list[Path]:
    return sorted((ROOT / layer).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_one_way(layer: str) -> None:
    """Triggers, orchestrators and activities import shared; nothing of the app imports local; cli stands alone."""
    strangers = [
        (str(path.relative_to(ROOT)), name)
        for path in modules(layer)
        for name in imported(path)
        if (top := name.split(".")[0]) in OURS and top not in LAYERS[layer]
    ]

    assert strangers == []


def test_orchestrators_do_no_io_and_ask_no_clock() -> None:
    """A replay must find the same world: no I/O, no clock, no random, no environment, no sets to iterate."""
    guilty = []
    for path in modules("orchestrators"):
        tree = ast.parse(path.read_text("utf-8"))
        guilty += [(path.name, name) for name in imported(path) if name.split(".")[0] in NOT_IN_ORCHESTRATORS]
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today", "environ", "new_uuid"}:
                guilty.append((path.name, node.attr))
            if isinstance(node, ast.For | ast.comprehension) and isinstance(node.iter, ast.Set | ast.SetComp):
                guilty.append((path.name, "iterates a set"))

    assert guilty == []


def test_orchestrators_use_of_shared_is_plain_data() -> None:
    """What orchestrators import from shared does no I/O either: contracts, names and errors."""
    used = {name for path in modules("orchestrators") for name in imported(path) if name.startswith("shared")}

    assert {name for name in used if not name.startswith("shared.contracts")} <= {"shared.topology", "shared.errors"}
