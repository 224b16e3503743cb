"""The API as this program calls it: what may be repeated is repeated, and what is refused is Trouble."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from flexrestore import __version__
from flexrestore.settings import LOOPBACK, Settings
from flexrestore.signin import KEY_HEADER, Credential, EntraSignIn
from flexrestore.trouble import Json, Trouble

TRIES = 4
"""How often a call that may be repeated is made."""
_PASSING = {429, 502, 503, 504}
"""What a service answers that may answer otherwise in a moment."""
_LONGEST_PAUSE = 30.0
_TIMEOUT = httpx.Timeout(30, connect=10)
_PLAN_TIMEOUT = httpx.Timeout(230, connect=10)
"""A plan asks the vault and every server; Azure's front ends give an answer 230 seconds."""

type Say = Callable[[str], None]


@dataclass(frozen=True)
class Answer:
    """What the service said; `body` is empty for 304."""

    status: int
    headers: Mapping[str, str]
    body: Json

    @property
    def retry_after(self) -> float | None:
        """Seconds until it is worth to ask again, where the service says so."""
        return _seconds(self.headers)


@dataclass(frozen=True)
class Repeating:
    """How calls are repeated."""

    sleep: Callable[[float], None]
    say: Say
    """Tells the person that waits."""


class Service:
    """The API of one function app."""

    def __init__(self, http: httpx.Client, repeating: Repeating) -> None:
        self._http = http
        self._repeating = repeating

    def close(self) -> None:
        """Leave it."""
        self._http.close()

    def get(
        self,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        etag: str = "",
        tries: int = TRIES,
        timeout: httpx.Timeout = _TIMEOUT,
    ) -> Answer:
        """Ask for a document; with an `etag` the answer may be 304.

        Raises:
            Trouble: the service refuses, or does not answer after so many tries.
        """
        asked = {name: value for name, value in (query or {}).items() if value not in (None, "", [])}
        headers = {"If-None-Match": etag} if etag else {}
        request = self._http.build_request("GET", path, params=asked, headers=headers, timeout=timeout)
        return _document(self._send(request, tries))

    def page(self, path: str) -> bytes:
        """Ask for a file.

        Raises:
            Trouble: as for `get`.
        """
        return self._send(self._http.build_request("GET", path, timeout=_TIMEOUT), TRIES).content

    def post(self, path: str, body: Json, *, repeatable: bool = False) -> Answer:
        """Ask for something to be done; only what is done once however often it is asked for is repeated.

        Raises:
            Trouble: as for `get`.
        """
        request = self._http.build_request("POST", path, json=body, timeout=_PLAN_TIMEOUT)
        return _document(self._send(request, TRIES if repeatable else 1))

    def _send(self, request: httpx.Request, tries: int) -> httpx.Response:
        for attempt in range(1, tries + 1):
            pause = float(2 ** (attempt - 1))
            try:
                response = self._http.send(request)
            except httpx.TransportError as error:
                trouble = Trouble.unreachable(self._http.base_url, error)
            except httpx.DecodingError as error:
                raise Trouble.unreachable(self._http.base_url, error) from error
            else:
                if response.is_success or response.status_code == httpx.codes.NOT_MODIFIED:
                    return response
                trouble = Trouble.answered(response)
                pause = _seconds(response.headers) or pause
                if response.status_code not in _PASSING or pause > _LONGEST_PAUSE:
                    raise trouble
            if attempt < tries:
                self._repeating.say(f"{trouble} Trying again in {pause:.0f} s ({attempt + 1} of {tries}).")
                self._repeating.sleep(pause)
        raise trouble


def connect(
    settings: Settings,
    repeating: Repeating,
    *,
    transport: httpx.BaseTransport | None,
    credential: Callable[[], Credential],
) -> Service:
    """The service that the settings name; it is not called yet.

    Raises:
        typer.BadParameter: they name none.
    """
    headers = {"User-Agent": f"flexrestore/{__version__}"}
    if settings.header_key:
        headers[KEY_HEADER] = settings.header_key
    http = httpx.Client(
        base_url=settings.base_url,
        headers=headers,
        auth=EntraSignIn(settings.scope, credential) if settings.scope else None,
        transport=transport,
        mounts={f"all://{f'[{host}]' if ':' in host else host}": None for host in LOOPBACK},  # no proxy to ourselves
    )
    return Service(http, repeating)


def _document(response: httpx.Response) -> Answer:
    body: Any = {}
    if response.status_code != httpx.codes.NOT_MODIFIED:
        try:
            body = response.json()
        except ValueError:
            raise Trouble.stranger(response) from None
    if not isinstance(body, dict):
        raise Trouble.stranger(response)
    return Answer(response.status_code, response.headers, body)


def _seconds(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds; its other form, a date, is not used by the service."""
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdecimal() else None
