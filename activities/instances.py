"""Other instances that work for a restore: its import, and what clears up after it. These hold the durable client."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df

from activities.answers import answering_with_client
from shared.contracts.clearing import Clearing
from shared.contracts.importing import LandingRef
from shared.contracts.outcome import Outcome, failure, success
from shared.contracts.vaultjobs import RestoreOrder
from shared.contracts.watch import Sighting
from shared.errors import ImportFailed, LandingFailed, cut
from shared.instances import call_first, is_clearing_known, is_over, start_clearing, start_import_once
from shared.settings import settings
from shared.storage import reservations
from shared.storage.ledger import Ledger


@answering_with_client
async def open_import(subject: dict[str, Any], client: df.DurableOrchestrationClient) -> dict[str, Any]:
    """Start the import, unless a file that landed has started it."""
    started = await start_import_once(client, LandingRef.from_wire(subject))
    return success({"started": started})


@answering_with_client
async def check_import(subject: dict[str, Any], client: df.DurableOrchestrationClient) -> dict[str, Any]:
    """Look at an import; it ends with a `SetResult`, or with None where none was ever started."""
    status = await client.get_status(subject["instanceId"])
    if not status:
        return success(Sighting(ended=True, status="none").to_wire())
    if not is_over(status):
        shown = status.custom_status if isinstance(status.custom_status, dict) else {}
        doing = shown.get("waiting") or status.runtime_status.value
        return success(Sighting(ended=False, status=doing).to_wire())
    if status.runtime_status is not df.OrchestrationRuntimeStatus.Completed:
        how = status.runtime_status.value
        text = f"The import {subject['instanceId']} ended as {how}: {cut(str(status.output), 1_000)}"
        return failure(ImportFailed(text))
    outcome = Outcome.from_wire(status.output)
    if not outcome.ok:
        return outcome.to_wire()
    return success(Sighting(ended=True, status="Completed", value=outcome.value).to_wire())


@answering_with_client
async def call_next(subject: dict[str, Any], client: df.DurableOrchestrationClient) -> dict[str, Any]:
    """Have the first of each line look at once whether it is their turn; the others are not far behind."""
    await call_first(client, subject["lines"])
    return success(None)


@answering_with_client
async def open_clearing(subject: dict[str, Any], client: df.DurableOrchestrationClient) -> dict[str, Any]:
    """Have the landing container of a cancelled restore cleared when the vault has stopped writing into it."""
    if await is_clearing_known(client, subject["requestId"]):  # it may have given the container back by now
        return success({"started": False})
    try:
        clearing = await asyncio.to_thread(_clearing, subject["requestId"], subject["container"])
    except LandingFailed as error:
        return failure(error)
    return success({"started": await start_clearing(client, clearing)})


def _clearing(request_id: str, container: str) -> Clearing:
    plan = Ledger(request_id).plan()
    if plan.instance is None or plan.recovery_point is None or container not in reservations.owned_by(request_id):
        raise LandingFailed(f"Restore {request_id} owns no landing container that the vault writes into.")
    return Clearing(
        order=RestoreOrder(
            request_id=request_id, instance=plan.instance, recovery_point=plan.recovery_point.id, container=container
        ),
        interval=settings().poll_seconds,
        longest_interval=settings().poll_limit_seconds,
        deadline=datetime.now(UTC) + timedelta(hours=settings().job_deadline_hours),
    )
