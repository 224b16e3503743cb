"""Times and durations as people write and read them. What has no zone is UTC, and so is all that is shown."""

import re
from datetime import UTC, datetime, timedelta

import typer

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}


def instant(text: str) -> str:
    """The ISO form, in UTC, of a time that somebody typed: `2026-11-25T01:05Z`, `2026-11-25 01:05`, `2026-11-25`.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        time = datetime.fromisoformat(text.strip())
        time = (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no time; write it like 2026-11-25T01:05Z.") from None
    return time.isoformat().replace("+00:00", "Z")


def duration(text: str) -> float:
    """The seconds of a duration that somebody typed: `90`, `90s`, `15m`, `2h`, `1h30m`.

    Raises:
        typer.BadParameter: it is none.
    """
    parts = re.findall(r"(\d+)([smh])", text)
    if text.isdecimal():
        return float(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise typer.BadParameter(f"{text!r} is no duration; write it like 90s, 15m, 2h or 1h30m.")
    try:
        return sum(timedelta(**{_UNITS[unit]: int(number)}).total_seconds() for number, unit in parts)
    except OverflowError:
        raise typer.BadParameter(f"{text!r} is too long.") from None


def shown(text: str | None) -> str:
    """A time of the service for people, in UTC and to the second; what is no time stays as it is."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return text or ""
    return f"{(time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def clock(text: str) -> str:
    """The time of day of a time of the service."""
    return shown(text)[11:]


def lasting(seconds: float) -> str:
    """A duration for people: `42 s`, `12 min 05 s`, `3 h 07 min`."""
    minutes, rest = divmod(int(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
