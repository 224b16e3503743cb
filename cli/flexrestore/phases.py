"""Phases of a restore, and the exit code of each end. A phase that is not known here is one that goes on."""

from flexrestore.exits import Exit

WAITS_FOR_APPROVAL = "AwaitingApproval"

_ENDS = {
    "Completed": Exit.OK,
    "CompletedWithWarnings": Exit.OK,
    "PartiallyFailed": Exit.PARTIAL,
    "Failed": Exit.FAILED,
    "Rejected": Exit.REJECTED,
    "Cancelled": Exit.CANCELLED,
}
_STYLES = {Exit.OK: "green", Exit.PARTIAL: "yellow", Exit.CANCELLED: "yellow"}


def has_ended(phase: str) -> bool:
    """Whether nothing more happens."""
    return phase in _ENDS


def exit_of(phase: str, *, strict: bool) -> Exit:
    """The exit code of a restore that stands there; one that goes on is no failure."""
    if strict and phase == "CompletedWithWarnings":
        return Exit.PARTIAL
    return _ENDS.get(phase, Exit.OK)


def style_of(phase: str) -> str:
    """The colour of a phase on a terminal."""
    if not has_ended(phase):
        return "cyan"
    return _STYLES.get(exit_of(phase, strict=True), "red")
