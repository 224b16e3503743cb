"""What tests of every kind use."""

import re
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def documented_ticketing() -> ModuleType:
    """The ticketing system of docs/events.md, as it is printed there."""
    page = (Path(__file__).parents[1] / "docs" / "events.md").read_text()
    [code] = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    module = ModuleType("ticketing")
    exec(code, module.__dict__)  # noqa: S102 -- the page is ours, and its code is what is tested
    return module
