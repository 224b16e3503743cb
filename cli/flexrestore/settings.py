"""Where the service is, who you are, and how a command answers: the options of every command."""

import getpass
from dataclasses import dataclass, field, fields, replace
from typing import Annotated
from urllib.parse import urlsplit

import typer

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PANEL = "Service"


@dataclass(frozen=True)
class Settings:
    """The options that may stand before a command and behind it; those behind it count more."""

    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            envvar="FLEXRESTORE_URL",
            help="Where Flex Restore is, with or without /api.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="KEY",
            envvar="FLEXRESTORE_KEY",
            help="A function key. Prefer the variable: others on this machine can read your command line.",
            rich_help_panel=_PANEL,
        ),
    ] = field(default=None, repr=False)
    scope: Annotated[
        str | None,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            envvar="FLEXRESTORE_SCOPE",
            help="Sign in with Entra for this scope: api://CLIENT-ID/.default",
            rich_help_panel=_PANEL,
        ),
    ] = None
    user: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="NAME",
            envvar="FLEXRESTORE_USER",
            help="Who you are, for the report; else whom you sign in as, or your name on this machine.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    as_json: Annotated[
        bool,
        typer.Option("--json", help="One JSON document on standard output and nothing else.", rich_help_panel=_PANEL),
    ] = False

    def below(self, nearer: "Settings") -> "Settings":
        """These, with what the nearer ones say above them."""
        return replace(self, **{one.name: value for one in fields(self) if (value := getattr(nearer, one.name))})

    @property
    def base_url(self) -> str:
        """The address of the API, without a slash at its end.

        Raises:
            typer.BadParameter: none was given, or it is none.
        """
        if not self.url:
            raise typer.BadParameter("say where Flex Restore is: --url, or the variable FLEXRESTORE_URL.")
        url = self.url.strip().rstrip("/")
        try:
            parts = urlsplit(url)
            usable = parts.scheme in {"http", "https"} and parts.hostname and not parts.query and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise typer.BadParameter(
                f"{self.url!r} is no address of a service; write it like https://NAME.azurewebsites.net."
            )
        return url if url.endswith("/api") else f"{url}/api"

    @property
    def is_readable(self) -> bool:
        """Whether others on the way can read the key or the token."""
        parts = urlsplit(self.base_url)
        return bool(self.key or self.scope) and parts.scheme == "http" and parts.hostname not in LOOPBACK

    @property
    def header_key(self) -> str:
        """The function key as a header can carry it.

        Raises:
            typer.BadParameter: it cannot; the key is not shown.
        """
        key = (self.key or "").strip()
        if not (key.isascii() and key.isprintable()):
            raise typer.BadParameter("the function key holds characters that no key has.")
        return key

    @property
    def name(self) -> str:
        """Who asks; empty with a sign-in and nothing else said, for the service knows then.

        Raises:
            typer.BadParameter: nobody can tell.
        """
        if self.user or self.scope:
            return self.user or ""
        try:
            return getpass.getuser()
        except OSError:
            raise typer.BadParameter("say who you are: --as, or the variable FLEXRESTORE_USER.") from None
