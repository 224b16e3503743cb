"""Pages with parts that are made from the code: what stands between the marks is written by `make docs`."""

from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs"
_END = "<!-- end -->"


def filled(page: str, mark: str, lines: Sequence[str]) -> str:
    """The page with these lines behind the mark, and up to the end mark that follows it.

    Raises:
        ValueError: the page has no such place.
    """
    begin = f"<!-- {mark} -->"
    before, found, rest = page.partition(begin)
    _, end, after = rest.partition(_END)
    if not (found and end):
        raise ValueError(f"the page has no place marked {begin}")
    return "\n".join((before + begin, "", *lines, "", _END + after))
