"""How an activity answers: what it returns is a success, a permanent error is a failure, the rest means try again."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from shared.contracts.base import Contract, Json, wire
from shared.contracts.outcome import failure, success
from shared.errors import PermanentError

_log = logging.getLogger(__name__)

type Work = Callable[[dict[str, Any]], Contract | Json | None]


def plain[F: Callable[..., Any]](activity: F) -> F:
    """The activity with annotations that the Python worker takes: it refuses parametrized ones."""
    activity.__annotations__ = {**activity.__annotations__, "subject": dict, "return": dict}
    return activity


def answering(work: Work) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """An activity that answers an outcome."""

    @plain
    @wraps(work)
    def activity(subject: dict[str, Any]) -> dict[str, Any]:
        try:
            value = work(subject)
        except PermanentError as error:
            _log.warning("%s: %s: %s", work.__name__, error.code, error.text)
            return failure(error)
        return success(wire(value))

    return activity
