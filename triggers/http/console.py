"""The console's files: a page, its style and its scripts. They hold nothing of anybody's, so they need no key."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import azure.functions as func

from triggers.http.answers import PROTECTION, etag, is_known

_FOLDER = Path(__file__).parents[2] / "shared" / "console"
_PAGE = "index.html"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_HEADERS = {
    **PROTECTION,
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


@dataclass(frozen=True)
class _File:
    content: bytes
    mimetype: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> "_File":
        content = path.read_bytes()
        return cls(content, _TYPES[path.suffix], etag(content))


@cache
def _files() -> dict[str, _File]:
    """All that is ever served, by name; what a caller asks for never becomes a path."""
    return {path.name: _File.read(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}


async def get_console(req: func.HttpRequest) -> func.HttpResponse:
    """The console's page."""
    if urlsplit(req.url).path.endswith("/"):  # the page names its files relative to an address without the slash
        return func.HttpResponse(status_code=308, headers={"Location": "../console"})
    return _answer(req, _PAGE)


async def get_console_file(req: func.HttpRequest) -> func.HttpResponse:
    """One of the console's other files."""
    return _answer(req, req.route_params["file"])


def _answer(req: func.HttpRequest, name: str) -> func.HttpResponse:
    file = _files().get(name)
    if file is None:
        return func.HttpResponse("The console has no such file.", status_code=404, headers=_HEADERS)
    headers = {**_HEADERS, "ETag": file.etag}
    if is_known(req, file.etag):
        return func.HttpResponse(status_code=304, headers=headers)
    return func.HttpResponse(file.content, headers=headers, mimetype=file.mimetype)
