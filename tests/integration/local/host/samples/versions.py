"""Orchestration versions: an instance keeps the version with which it was started, host.json's if none was given."""

# mypy: disable-error-code="untyped-decorator"
# The durable SDK ships no types.

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def versioned(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    given = yield context.call_sub_orchestrator("own_version", version="0.9")
    default = yield context.call_sub_orchestrator("own_version")
    return [context.version, given, default]


@bp.orchestration_trigger(context_name="context")
def own_version(context: df.DurableOrchestrationContext) -> str:
    return str(context.version)
