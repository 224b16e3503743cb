"""Waiting for the end of a restore, which may take all night: the service may be gone for a while meanwhile."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

import httpx
import typer

from flexrestore.exits import Exit
from flexrestore.phases import exit_of, has_ended
from flexrestore.progress import showing
from flexrestore.service import TRIES
from flexrestore.session import Session
from flexrestore.times import duration, lasting
from flexrestore.trouble import Json, Trouble
from flexrestore.views.status import status_view

_PANEL = "Waiting"
_INTERVAL = 5.0
"""Seconds between two looks where the service does not say."""
_SHORTEST, _LONGEST = 1.0, 60.0
_PATIENCE = 600.0
"""Seconds that a service that has answered may be away before waiting for it ends."""


@dataclass(frozen=True)
class Waiting:
    """How long to wait, and for what."""

    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="DURATION",
            parser=duration,
            help="Wait so long at most: 90s, 15m, 2h; then exit with 10.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit with 3 for CompletedWithWarnings too.", rich_help_panel=_PANEL),
    ] = False


@dataclass(frozen=True)
class MayWait(Waiting):
    """Whether to wait at all."""

    wait: Annotated[
        bool,
        typer.Option("--wait", help="Stay and show how it goes until it has ended.", rich_help_panel=_PANEL),
    ] = False


class TimedOut(Exception):
    """The time to wait is over."""


def address(request_id: str) -> str:
    """The path of a restore."""
    return f"restores/{quote(request_id, safe='')}"


def wait_for(session: Session, request_id: str, waiting: Waiting) -> Exit:
    """Show a restore until it has ended, then answer its status.

    Raises:
        Trouble: there is no such restore, or the service stayed away.
    """
    status: Json = {}
    try:
        with showing(session.err, session.surroundings.monotonic) as show:
            for status in _statuses(session, request_id, waiting.timeout):
                show(status)
    except KeyboardInterrupt:
        session.say(f"You no longer wait; the restore goes on. {_next_steps(request_id)}", "yellow")
        return Exit.INTERRUPTED
    except TimedOut:
        limit = lasting(waiting.timeout or 0)
        session.say(f"It has not ended within {limit}; the restore goes on. {_next_steps(request_id)}", "yellow")
        session.answer(status, status_view(status))
        return Exit.TIMED_OUT
    session.answer(status, status_view(status))
    return exit_of(status["phase"], strict=waiting.strict)


def _next_steps(request_id: str) -> str:
    return (
        f"Look again with: flexrestore wait {request_id}   Cancel it with: flexrestore cancel {request_id} --reason WHY"
    )


def _statuses(session: Session, request_id: str, timeout: float | None) -> Iterator[Json]:
    """The restore's status each time it is another, up to and with its end."""
    clock, sleep = session.surroundings.monotonic, session.surroundings.sleep
    deadline = clock() + timeout if timeout is not None else None
    etag, interval = "", _INTERVAL
    seen: float | None = None
    while True:
        try:
            answer = session.service.get(address(request_id), etag=etag, tries=TRIES if seen is None else 1)
        except Trouble as trouble:
            if trouble.exit is not Exit.UNAVAILABLE or seen is None or clock() - seen > _PATIENCE:
                raise
            session.say(f"{trouble} Looking again in {interval:.0f} s.", "yellow")
        else:
            seen = clock()
            asked = interval if answer.retry_after is None else answer.retry_after
            interval = min(max(asked, _SHORTEST), _LONGEST)
            if answer.status != httpx.codes.NOT_MODIFIED:
                etag = answer.headers.get("etag", "")
                yield answer.body
                if has_ended(answer.body.get("phase", "")):
                    return
        left = deadline - clock() if deadline is not None else interval
        if left <= 0:
            raise TimedOut
        sleep(min(interval, left))
