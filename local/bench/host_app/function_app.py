"""The function app that the host's benchmark runs: the smallest function of each kind."""

# mypy: disable-error-code="untyped-decorator,no-any-return"
# ruff: noqa: ARG001, INP001
# The durable SDK ships no types; the names of parameters are the names of bindings, used or not; an app is no package.

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
Orchestration = Generator[Any, Any, Any]


@app.route("nothing")
def nothing(req: func.HttpRequest) -> func.HttpResponse:
    """Answer."""
    return func.HttpResponse()


@app.orchestration_trigger(context_name="context")
def one_activity(context: df.DurableOrchestrationContext) -> Orchestration:
    """Call one activity."""
    return (yield context.call_activity("double", context.get_input()))


@app.orchestration_trigger(context_name="context")
def waiting(context: df.DurableOrchestrationContext) -> Orchestration:
    """Wait for an event that does not come."""
    return (yield context.wait_for_external_event("Go"))


@app.activity_trigger(input_name="value")
def double(value: int) -> int:
    """Do next to nothing."""
    return 2 * value
