"""Watch something until it ends: an operation or a backup job of the vault, a reservation, an import."""

from datetime import timedelta

import azure.durable_functions as df

from orchestrators.steps import EXHAUSTED, Steps, look
from shared.contracts.base import Json
from shared.contracts.outcome import Failure, failure, success
from shared.contracts.watch import Sighting, Watch
from shared.errors import DeadlinePassed, cut

LOOKS = 20
"""Looks of one generation: a history stays short however long the watch lasts."""


def watch_job(context: df.DurableOrchestrationContext) -> Steps[Json | None]:
    """Look, sleep, look again, less and less often, until the end or the deadline.

    The service's Retry-After is honoured. A look that cannot be taken does not end the watch: only the deadline does.
    """
    watch = Watch.from_wire(context.get_input())
    for _ in range(LOOKS):
        outcome = yield from look(context, watch.check, watch.subject)
        if outcome.error is not None and outcome.error.code != EXHAUSTED:
            context.set_custom_status({"what": watch.what, "status": outcome.error.code})
            return outcome.to_wire()
        sighting = _failed_look(outcome.error) if outcome.error else Sighting.from_wire(outcome.value)
        context.set_custom_status({"what": watch.what, "status": sighting.status[:500]})
        if sighting.ended:
            return success(sighting.value)
        if context.current_utc_datetime >= watch.deadline:
            return failure(DeadlinePassed(_too_late(watch, sighting)))
        pause = max(watch.interval, sighting.retry_after)
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=pause))
        watch = watch.slower()
    context.continue_as_new(watch.to_wire())
    return None


def _failed_look(error: Failure) -> Sighting:
    """A look that could not be taken: the next one may be."""
    return Sighting(ended=False, status=f"unknown: {cut(error.message, 300)}")


def _too_late(watch: Watch, sighting: Sighting) -> str:
    return f"Waited for {watch.what} until {watch.deadline}; its last status was {sighting.status or 'unknown'}."
