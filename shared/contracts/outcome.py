"""Outcomes: what an activity or a child orchestration answers instead of raising."""

from typing import Any

from shared.contracts.base import Contract, Json, Published
from shared.errors import PermanentError, ServiceBusy


class Failure(Published):
    """A permanent failure as a value."""

    code: str
    """A word for programs, the error class's name unless the service gave one: `ToolTooOld`."""
    message: str
    """What happened, to what, and what to do; cut to a few KB."""
    details: tuple[str, ...] = ()
    """Single findings, one line each: a field with its path, a statement that failed."""

    @classmethod
    def of(cls, error: PermanentError) -> "Failure":
        """The value of a permanent error."""
        return cls(code=error.code, message=error.text, details=tuple(error.details))


class Outcome(Contract):
    """`ok` with a value, or not `ok` with an error; the only shape that activities and children answer."""

    ok: bool
    value: Any = None
    error: Failure | None = None
    retry_after: float = 0
    """Seconds after which a busy service wants to be asked again: then the error is no verdict."""


def success(value: Json | list[Any] | str | None = None) -> Json:
    """The wire form of an outcome that carries `value`."""
    return {"ok": True, "value": value}


def failure(error: PermanentError) -> Json:
    """The wire form of a permanent failure."""
    return {"ok": False, "error": Failure.of(error).to_wire()}


def busy(error: ServiceBusy) -> Json:
    """The wire form of a service that says when it wants to be asked again."""
    told = Failure(code=type(error).__name__, message=error.text)
    return {"ok": False, "error": told.to_wire(), "retryAfter": error.retry_after}
