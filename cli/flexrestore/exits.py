"""Exit codes: what a script learns without reading anything."""

from enum import IntEnum
from typing import Self


class Exit(IntEnum):
    """How a command ended; `meaning` is what help and documentation say."""

    meaning: str

    OK = 0, "done; of a restore: Completed, or CompletedWithWarnings without --strict"
    FAILED = 1, "the restore ended as Failed"
    USAGE = 2, "the command line is wrong"
    PARTIAL = 3, "the restore ended as PartiallyFailed, or with --strict as CompletedWithWarnings"
    REJECTED = 4, "the restore ended as Rejected, or the service refused the request (400, 422)"
    CANCELLED = 5, "the restore ended as Cancelled, or you answered no"
    NOT_FOUND = 6, "there is no such restore, instance or report (404)"
    CONFLICT = 7, "it does not fit where the restore stands, or the id is taken (409)"
    NOT_ALLOWED = 8, "not signed in, or not allowed (401, 403)"
    UNAVAILABLE = 9, "the service cannot be reached, does not work, or is not healthy"
    TIMED_OUT = 10, "--timeout is over and the restore goes on"
    BUG = 70, "a fault of this program"
    INTERRUPTED = 130, "Ctrl-C; a restore goes on"
    BROKEN_PIPE = 141, "whoever read the output has gone; a restore goes on"

    def __new__(cls, code: int, meaning: str) -> Self:
        """A number that knows what it means."""
        self = int.__new__(cls, code)
        self._value_ = code
        self.meaning = meaning
        return self
