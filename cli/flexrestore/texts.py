"""Texts of the service for a terminal: names of databases and messages of servers may hold anything."""

from typing import Any

from rich.text import Text


def plain(value: Any) -> str:
    """The text without what a terminal would obey: control characters and lone surrogates become their escapes."""
    text = "" if value is None else str(value)
    return "".join(sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in text)


def text(value: Any, style: str = "") -> Text:
    """The text as rich shows it, without markup."""
    return Text(plain(value), style=style)


def size(count: int) -> str:
    """Bytes for people: `1.2 MB`."""
    amount, units = float(count), ("bytes", "kB", "MB", "GB", "TB")
    for unit in units:
        if amount < 1000 or unit == units[-1]:
            break
        amount /= 1000
    return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
