"""Do pieces of a database's load beside others who do, in shifts of some minutes, until none is left."""

import azure.durable_functions as df

from orchestrators.steps import LOAD_AGAIN, Steps, attempt
from shared.contracts.base import Json
from shared.contracts.importing import DatabaseImport


def share_load(context: df.DurableOrchestrationContext) -> Steps[Json | None]:
    """One shift, then another generation while pieces are left; its outcome."""
    job = DatabaseImport.from_wire(context.get_input())
    outcome = yield from attempt(context, "load_pieces", job, LOAD_AGAIN)
    if outcome.error is None and outcome.value["left"]:
        context.continue_as_new(job.to_wire())
        return None
    return outcome.to_wire()
