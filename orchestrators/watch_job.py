"""Watch something until it ends: an operation or a backup job of the vault, an approval, a reservation, an import."""

import azure.durable_functions as df

from orchestrators.steps import Steps, is_verdict, look, pause
from shared.contracts.base import Json
from shared.contracts.outcome import Outcome, failure, success
from shared.contracts.watch import Sighting, Watch
from shared.errors import DeadlinePassed, cut


def watch_job(context: df.DurableOrchestrationContext) -> Steps[Json | None]:
    """Look, sleep, look again, less and less often, until the end or the deadline; one generation is one look.

    The service's Retry-After is honoured as far as the deadline. A look that cannot be taken does not end the watch:
    only the deadline does.
    """
    watch = Watch.from_wire(context.get_input())
    outcome = yield from _look(context, watch)
    if outcome.error is not None and is_verdict(outcome):
        context.set_custom_status({"what": watch.what, "status": outcome.error.code})
        return outcome.to_wire()
    sighting = _failed_look(outcome) if outcome.error else Sighting.from_wire(outcome.value)
    context.set_custom_status({"what": watch.what, "status": sighting.status[:500]})
    if sighting.ended:
        return success(sighting.value)
    left = (watch.deadline - context.current_utc_datetime).total_seconds()
    if left <= 0:
        return failure(DeadlinePassed(_too_late(watch, sighting)))
    yield from pause(context, min(max(watch.interval, sighting.retry_after), left))
    context.continue_as_new(watch.slower().to_wire())
    return None


def _look(context: df.DurableOrchestrationContext, watch: Watch) -> Steps[Outcome]:
    """Look, unless the restore that this is done for has ended or was cancelled."""
    if watch.restore:
        running = yield from look(context, "check_running", {"requestId": watch.restore})
        if not running.ok:
            return running
    return (yield from look(context, watch.check, watch.subject))


def _failed_look(outcome: Outcome) -> Sighting:
    """A look that could not be taken: the next one may be."""
    why = outcome.error.message if outcome.error else ""
    return Sighting(ended=False, status=f"unknown: {cut(why, 300)}", retry_after=outcome.retry_after)


def _too_late(watch: Watch, sighting: Sighting) -> str:
    return f"Waited for {watch.what} until {watch.deadline}; its last status was {sighting.status or 'unknown'}."
