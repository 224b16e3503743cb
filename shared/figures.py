"""Figures, times and texts as people read them."""

from collections.abc import Iterable
from datetime import UTC, datetime

_BLANKS = frozenset(
    {0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
)
"""Characters that Unicode counts as printable and that show nothing all the same."""


def number(count: int) -> str:
    """`1,234,567`."""
    return f"{count:,}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """`1 database`, `3 databases`."""
    return f"{number(count)} {noun if count == 1 else plural or f'{noun}s'}"


def listed(names: Iterable[str], limit: int = 5) -> str:
    """`a, b and c`; beyond the limit only how many more."""
    shown = list(names)
    if len(shown) > limit:
        shown = [*shown[: limit - 1], f"{number(len(shown) - limit + 1)} more"]
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def duration(seconds: float) -> str:
    """`2.5 s`, `3 min 05 s`, `1 h 03 min`, `2 d 04 h`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60:02} s"
    minutes = round(seconds / 60)
    if minutes < 1_440:
        return f"{minutes // 60} h {minutes % 60:02} min"
    hours = round(seconds / 3_600)
    return f"{hours // 24} d {hours % 24:02} h"


def size(count: int) -> str:
    """`512 B`, `1.5 KiB`, `3.0 GiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if round(value, 1) < 1_024:
            return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1_024
    return f"{value:,.1f} TiB"


def moment(time: datetime | str) -> str:
    """`2026-04-01 02:30:00 UTC`; a text that tells no time as it is."""
    if isinstance(time, str):
        try:
            return moment(datetime.fromisoformat(time))
        except ValueError:
            return time
    zoned = time if time.tzinfo else time.replace(tzinfo=UTC)
    return f"{zoned.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def visible(text: str) -> str:
    """The text with a mark in the place of every character that shows nothing or turns what follows around.

    Names and messages come from outside: a right-to-left override would show them as something else. Newlines and
    tabs stay.
    """
    if text.isprintable() and not any(ord(sign) in _BLANKS for sign in text):
        return text
    return "".join(sign if _shows(sign) else f"⟨U+{ord(sign):04X}⟩" for sign in text)


def visible_name(name: str) -> str:
    """A name in one line: newlines and tabs are marked as well."""
    return visible(name).replace("\n", "⟨U+000A⟩").replace("\t", "⟨U+0009⟩")


def _shows(sign: str) -> bool:
    return sign in "\n\t" or (sign.isprintable() and ord(sign) not in _BLANKS)
