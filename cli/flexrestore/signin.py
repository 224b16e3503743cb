"""Who calls: a function key, a sign-in with Entra, or both."""

import time
from collections.abc import Callable, Generator
from typing import Protocol

import httpx

from flexrestore.exits import Exit
from flexrestore.trouble import Trouble

KEY_HEADER = "x-functions-key"
_EARLY = 300
"""Seconds before its end at which a token is exchanged."""


class AccessToken(Protocol):
    """What a credential gives."""

    @property
    def token(self) -> str:
        """What is sent."""

    @property
    def expires_on(self) -> int:
        """When it ends, in seconds of Unix time."""


class Credential(Protocol):
    """What azure-identity calls a credential."""

    def get_token(self, *scopes: str) -> AccessToken:
        """A token for these scopes."""


def default_credential() -> Credential:
    """Whatever signs in on this machine: the environment, a managed identity, `az login`, ..."""
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 -- takes a second, and a key needs none of it

    return DefaultAzureCredential()


class EntraSignIn(httpx.Auth):
    """Puts a token into each call; a restore may take longer than a token lives."""

    def __init__(self, scope: str, credential: Callable[[], Credential]) -> None:
        self._scope = scope
        self._make = credential
        self._credential: Credential | None = None
        self._token: AccessToken | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Sign one request."""
        request.headers["Authorization"] = f"Bearer {self._current()}"
        yield request

    def _current(self) -> str:
        if self._token is None or self._token.expires_on - time.time() < _EARLY:
            self._token = self._fetch()
        return self._token.token

    def _fetch(self) -> AccessToken:
        from azure.core.exceptions import AzureError, ServiceRequestError  # noqa: PLC0415 -- as above

        self._credential = self._credential or self._make()
        try:
            return self._credential.get_token(self._scope)
        except (AzureError, ValueError) as error:
            passing = isinstance(error, ServiceRequestError)
            exit_code = Exit.UNAVAILABLE if passing else Exit.NOT_ALLOWED
            detail = f"No token for {self._scope}: {error}"
            raise Trouble.of(exit_code, "NotSignedIn", "Signing in with Entra failed", detail) from error
