"""What people say about a restore: approve, reject, cancel; each is recorded with who and why."""

import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from shared.contracts.base import Published
from shared.redaction import hidden


def _of_text(text: str) -> str:
    """A text without control characters, which no reader sees and which take six signs in JSON."""
    if any(unicodedata.category(sign) == "Cc" and sign not in "\n\r\t" for sign in text):
        raise ValueError("holds control characters")
    return text


_Reason = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(_of_text), AfterValidator(hidden)]


class Remark(Published):
    """What a caller says about a restore, and why."""

    by: Annotated[str, Field(max_length=200), AfterValidator(_of_text), AfterValidator(hidden)] = ""
    """A person or a system. Needed with a function key; who is signed in and names another one speaks for them."""
    reason: _Reason


class Statement(Published):
    """Who says something, and why."""

    by: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_of_text)]
    """A person or a system: as the caller gives it, or as Entra knows it, with whom it speaks for."""
    reason: _Reason
    object_id: str = ""
    """Who it was, as Entra proves it; empty where a function key was used."""


class Verdict(StrEnum):
    """What became of a plan that waited for approval."""

    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"  #: nobody decided in time


class Decision(Published):
    """The one decision on a plan: the first stands."""

    verdict: Verdict
    by: str = ""
    reason: str = ""
    object_id: str = ""
    """Who it was, as Entra proves it; empty where a function key was used."""
    at: AwareDatetime


class Approval(Published):
    """A plan that waits, or waited, for somebody to approve it."""

    deadline: AwareDatetime
    decision: Decision | None = None
    """None while it waits."""

    def is_open(self, now: datetime) -> bool:
        """Whether a decision can still be made."""
        return self.decision is None and now < self.deadline


class End(Published):
    """That a restore ends, and how it was brought about: whichever record of this is written first stands."""

    at: AwareDatetime
    cancelled: Statement | None = None
    """Who cancelled it; None when it ended by itself."""
