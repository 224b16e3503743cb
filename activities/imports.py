"""Start the import of a file set, and look at it. These activities hold the durable client."""

from typing import Any

import azure.durable_functions as df

from activities.answers import answering, plain
from shared.contracts.importing import LandingRef
from shared.contracts.outcome import Outcome, failure, success
from shared.contracts.watch import Sighting
from shared.errors import ImportFailed, cut
from shared.instances import is_over, start_import_once
from shared.storage.ledger import Ledger


@plain
async def open_import(subject: dict[str, Any], client: df.DurableOrchestrationClient) -> dict[str, Any]:
    """Start the import, unless a file that landed has started it."""
    started = await start_import_once(client, LandingRef.from_wire(subject))
    return success({"started": started})


@answering
def end_import(subject: dict[str, Any]) -> None:
    """The restore has ended: an import that still runs stops at its next step."""
    Ledger(subject["requestId"]).write("ended", {})


@plain
async def check_import(subject: dict[str, Any], client: df.DurableOrchestrationClient) -> dict[str, Any]:
    """Look at an import; it ends with a `SetResult`."""
    status = await client.get_status(subject["instanceId"])
    if not is_over(status):
        return success(Sighting(ended=False, status=str(status.runtime_status)).to_wire())
    if status.runtime_status is not df.OrchestrationRuntimeStatus.Completed:
        text = f"The import {subject['instanceId']} ended as {status.runtime_status}: {cut(str(status.output), 1_000)}"
        return failure(ImportFailed(text))
    outcome = Outcome.from_wire(status.output)
    if not outcome.ok:
        return outcome.to_wire()
    return success(Sighting(ended=True, status="Completed", value=outcome.value).to_wire())
