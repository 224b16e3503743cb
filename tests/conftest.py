"""What tests of every kind use."""

import json
import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import ModuleType

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from playwright.sync_api import Browser, sync_playwright

DOCS = Path(__file__).parents[1] / "docs"
_FORMATS = FormatChecker()


@_FORMATS.checks("date-time", raises=ValueError)
def _is_rfc_3339(value: object) -> bool:
    """The one format that jsonschema checks only with the help of another package."""
    form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
    return not isinstance(value, str) or bool(re.fullmatch(form, value) and datetime.fromisoformat(value))


def _published(name: str) -> Draft202012Validator:
    schema = json.loads((DOCS / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=_FORMATS)


@pytest.fixture(scope="session")
def event_schema() -> Draft202012Validator:
    """The published schema of events, for a reader whose validator is not ours."""
    return _published("restore-event")


@pytest.fixture(scope="session")
def request_schema() -> Draft202012Validator:
    """The published schema of requests, likewise."""
    return _published("restore-request")


@pytest.fixture(scope="session")
def documented_ticketing() -> ModuleType:
    """The ticketing system of docs/events.md, as it is printed there."""
    page = (DOCS / "events.md").read_text()
    [code] = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    module = ModuleType("ticketing")
    exec(code, module.__dict__)  # noqa: S102 -- the page is ours, and its code is what is tested
    return module


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; one for each file of tests, for the event loop that drives it is in the way of others."""
    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as driver:
        yield (running := driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"]))
        running.close()
