"""The console's files: what is served, how, and that nothing in them could be made to run."""

import asyncio
import re
from pathlib import Path

import azure.functions as func
import pytest

from triggers.http.console import get_console, get_console_file

FOLDER = Path(__file__).parents[4] / "shared" / "console"
FILES = sorted(path.name for path in FOLDER.iterdir())
SCRIPTS = sorted(FOLDER.glob("*.js"))
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(url: str = "https://app/api/console", **headers: str) -> func.HttpResponse:
    return asyncio.run(get_console(func.HttpRequest("GET", url, headers=headers, body=b"")))


def file(name: str, **headers: str) -> func.HttpResponse:
    request = func.HttpRequest("GET", "https://app/x", headers=headers, route_params={"file": name}, body=b"")
    return asyncio.run(get_console_file(request))


def test_the_page_is_html_with_a_policy_that_lets_nothing_in_from_elsewhere() -> None:
    answer = page()

    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert answer.get_body() == (FOLDER / "index.html").read_bytes()
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_an_address_with_a_slash_leads_to_the_one_that_relative_addresses_fit() -> None:
    answer = page("https://app/some/prefix/api/console/?x=1")

    assert (answer.status_code, answer.headers["Location"]) == (308, "../console")


@pytest.mark.parametrize("name", FILES)
def test_each_file_has_its_type_and_the_same_protection(name: str) -> None:
    answer = file(name)

    assert answer.status_code == 200
    assert answer.mimetype == {"html": "text/html", "css": "text/css", "js": "text/javascript"}[name.rsplit(".", 1)[1]]
    assert answer.get_body() == (FOLDER / name).read_bytes()
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_unchanged_file_is_not_sent_again() -> None:
    etag = file("style.css").headers["ETag"]
    again = file("style.css", **{"if-none-match": etag})

    assert (again.status_code, again.get_body()) == (304, b"")
    assert file("main.js", **{"if-none-match": etag}).status_code == 200


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../settings.py", "..%2fsettings.py", "/etc/passwd", "index.html\0", "no.js"]
)
def test_nothing_else_is_served(name: str) -> None:
    assert file(name).status_code == 404


def test_the_page_names_all_files_relative_to_its_own_address_so_that_they_are_asked_for_at_once() -> None:
    text = (FOLDER / "index.html").read_text("utf-8")
    named = re.findall(r'(?:src|href)="(?!data:|#)([^"]+)"', text)

    assert sorted(named) == [f"console/{name}" for name in FILES if name != "index.html"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\son\w+=", text)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_data_never_becomes_markup_or_code(path: Path) -> None:
    text = path.read_text("utf-8")

    assert not re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function", text
    )
    assert not re.findall(r"srcdoc|createContextualFragment|setHTML|javascript:", text)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_load_each_other_and_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    loaded = re.findall(r'\bfrom "([^"]+)"', text)

    assert all(re.fullmatch(r"\./[a-z]+\.js", name) and (FOLDER / name).is_file() for name in loaded)
    assert set(re.findall(r"https?://[^\s\"]+", text)) <= {"http://www.w3.org/2000/svg"}


def test_the_key_is_kept_in_the_tab_and_nowhere_else() -> None:
    text = (FOLDER / "person.js").read_text("utf-8")
    users = [
        path.name for path in SCRIPTS if re.search(r"localStorage|sessionStorage|\bcookie\b", path.read_text("utf-8"))
    ]

    assert users == ["draft.js", "person.js"]
    assert "localStorage" not in text[text.index("export const key") :]
    assert "localStorage" not in (FOLDER / "draft.js").read_text("utf-8")
