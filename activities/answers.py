"""How an activity answers: what it returns is a success, a permanent error is a failure, the rest means try again.

A service that says how long to wait is an answer too, so that the orchestration sleeps and no thread does.
"""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from shared.contracts.base import Contract, Json, wire
from shared.contracts.outcome import busy, failure, success
from shared.errors import PermanentError, ServiceBusy

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
        except ServiceBusy as error:
            if not error.retry_after:
                raise
            _log.info("%s: again in %s s: %s", work.__name__, error.retry_after, error.text)
            return busy(error)
        return success(wire(value))

    return activity
