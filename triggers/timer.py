"""The timer: starts housekeeping, which is one orchestration that is never at work twice."""

import logging
import os

import azure.durable_functions as df
import azure.functions as func

from shared.instances import start_housekeeping_once

_log = logging.getLogger(__name__)
_HOURLY = "0 17 * * * *"


def schedule() -> str:
    """When housekeeping is due, NCRONTAB: a `%SETTING%` in its place would have to be set everywhere."""
    return os.environ.get("FLEX_RESTORE_HOUSEKEEPING_SCHEDULE") or _HOURLY


async def housekeeping_due(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Start housekeeping, unless it is still at work."""
    if not await start_housekeeping_once(client):
        _log.info("housekeeping is still at work%s", "; it was due before" if timer.past_due else "")
