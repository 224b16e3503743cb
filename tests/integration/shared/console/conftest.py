"""The console in a real browser: in front of an API that answers what a test wants, or the true one."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect

HERE = Path(__file__).parent
USUAL = {
    "timezone_id": "Europe/Berlin",
    "locale": "en-GB",
    "reduced_motion": "reduce",
    "viewport": {"width": 1280, "height": 800},
}
_WATCH = "document.addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective}`))"
expect.set_options(timeout=10_000)


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("console_fake_api", HERE / "fake_api.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    """The module `fake_api`."""
    return sys.modules.get("console_fake_api") or _load()


@pytest.fixture
def api(fake: ModuleType) -> Iterator[Any]:
    """An API that knows of no restore."""
    with fake.serve() as running:
        yield running


@pytest.fixture
def busy_api(api: Any, fake: ModuleType) -> Any:
    """An API with a restore in every phase."""
    fake.furnish(api)
    return api


class Opener(Protocol):
    """Opens the console at an address, in a browser of its own.

    Its clock stands still, or is `live`: then it goes on, and can be put forward. With an empty `who` nobody has said
    a name.
    """

    def __call__(self, base: str, address: str = "", *, who: str = ..., live: bool = ..., **context: Any) -> Page: ...


@pytest.fixture
def console(browser: Browser, fake: ModuleType) -> Iterator[Opener]:
    """Opens pages; when the test is over, none of them may have complained about anything."""
    complaints: list[str] = []
    closing: list[Callable[[], None]] = []

    def said(message: ConsoleMessage) -> None:
        """A message, unless it is the browser's own word on an answer of the API."""
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    def answered(response: Response) -> None:
        if "/api/console" in response.url and response.status not in {200, 304, 308}:
            complaints.append(f"{response.status} {response.url}")

    def open_console(base: str, address: str = "", *, who: str = fake.ANNA, live: bool = False, **context: Any) -> Page:
        opened = browser.new_context(**{**USUAL, **context})
        closing.append(opened.close)
        opened.add_init_script(_WATCH)
        opened.add_init_script(path=HERE / "looks.js")
        if who:
            opened.add_init_script(f"localStorage.setItem('flex-restore.who', '{who}')")
        page = opened.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("response", answered)
        page.on("console", said)
        if live:
            page.clock.install(time=fake.NOW)
        else:
            page.clock.set_fixed_time(fake.NOW)
        page.goto(f"{base}/api/console{address}")
        return page

    yield open_console
    for close in closing:
        close()
    assert complaints == []
