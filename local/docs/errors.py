"""The table of error codes in docs/errors.md: from the tree of exceptions, and from what reports tell people to do."""

from collections.abc import Iterator

from local.docs.pages import filled
from shared.errors import PermanentError
from shared.next_steps.failures import MEND

_MARK = "made from shared/errors.py and shared/next_steps by `make docs`"
_OTHERS = {
    "RetriesExhausted": "Something did not answer, however often it was tried.",
    "InternalError": "A defect of the app.",
}
"""Codes that are no exception's name."""


def written(page: str) -> str:
    """The page with its table as the code is now."""
    meanings = {kind.__name__: (kind.__doc__ or "").partition("\n")[0] for kind in _kinds(PermanentError)} | _OTHERS
    rows = [f"| `{code}` | {meaning} | {MEND[code][0]} | {MEND[code][1]} |" for code, meaning in meanings.items()]
    head = ["| code | means | who mends it | how |", "| --- | --- | --- | --- |"]
    return filled(page, _MARK, [*head, *(row.replace("\n", " ") for row in rows)])


def _kinds(kind: type[PermanentError]) -> Iterator[type[PermanentError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _kinds(below)
