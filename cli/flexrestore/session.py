"""One command at work: where it asks, where it answers, and what the surroundings give it."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn, Self

import httpx
from rich.console import Console, RenderableType

from flexrestore.exits import Exit
from flexrestore.service import Repeating, Service, connect
from flexrestore.settings import Settings
from flexrestore.signin import Credential, default_credential
from flexrestore.texts import plain
from flexrestore.trouble import Json, Trouble

_WIDE = 200
"""Columns where the output is no terminal: what is read by programs is not folded early."""


@dataclass(frozen=True)
class Surroundings:
    """What tests put in another's place."""

    transport: httpx.BaseTransport | None = None
    credential: Callable[[], Credential] = default_credential
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    can_ask: Callable[[], bool] = lambda: sys.stdin.isatty() and sys.stderr.isatty()


class _Output(Console):
    def on_broken_pipe(self) -> NoReturn:
        """End quietly, as programs in a pipe do; rich's own code for this says that a restore failed."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(Exit.BROKEN_PIPE)


@dataclass(frozen=True)
class Session:
    """A command's means. Results go to `out`, everything else to `err`."""

    settings: Settings
    surroundings: Surroundings
    service: Service
    out: Console
    err: Console

    @classmethod
    @contextmanager
    def open(cls, settings: Settings, surroundings: Surroundings) -> Iterator[Self]:
        """Be ready for one command.

        Raises:
            typer.BadParameter: the settings name no service.
        """
        out, err = (_output(stderr=stderr) for stderr in (False, True))
        repeating = Repeating(surroundings.sleep, lambda message: _say(err, message, "yellow"))
        service = connect(settings, repeating, transport=surroundings.transport, credential=surroundings.credential)
        try:
            yield cls(settings, surroundings, service, out, err)
        finally:
            service.close()

    def answer(self, document: Json, *shown: RenderableType) -> None:
        """Give the result: as JSON when that is asked for, else for people."""
        if self.settings.as_json:
            # ASCII: whatever the encoding of a pipe, and lone surrogates of a broken name too.
            self.out.out(json.dumps(document, indent=2), highlight=False)
        else:
            for one in shown:
                self.out.print(one)

    def say(self, message: str, style: str = "") -> None:
        """Tell the person something that is no result."""
        _say(self.err, message, style)

    def complain(self, trouble: Trouble) -> None:
        """Show what is in the way, each finding on a line of its own."""
        document = trouble.document
        self.say(document["detail"], "red")
        errors = document.get("errors") or ()
        for error in errors if isinstance(errors, list | tuple) else ():
            self.say(f"  {error}", "red")
        if self.settings.as_json:
            self.answer(document)


def _output(*, stderr: bool) -> Console:
    console = _Output(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDE
    return console


def _say(console: Console, message: str, style: str = "") -> None:
    console.print(plain(message), style=style, soft_wrap=True)
