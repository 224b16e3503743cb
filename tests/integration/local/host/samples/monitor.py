"""Monitor: looks for a blob again and again, and says how far it is, until the blob is there or the time is over."""

# mypy: disable-error-code="untyped-decorator"
# The durable SDK ships no types.

import os
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
from azure.storage.blob import BlobClient

bp = df.Blueprint()
CONNECTION = os.environ["AzureWebJobsStorage"]  # noqa: SIM112 - the name is Azure's


@bp.orchestration_trigger(context_name="context")
def await_blob(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    request = context.get_input()
    deadline = context.current_utc_datetime + timedelta(seconds=request["seconds"])
    looks = 0
    while context.current_utc_datetime < deadline:
        if (yield context.call_activity("is_there", request["blob"])):
            return "there"
        looks += 1
        context.set_custom_status({"looks": looks})
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=request["pause"]))
    return "given up"


@bp.activity_trigger(input_name="name")
def is_there(name: str) -> bool:
    container, blob = name.split("/", 1)
    client = BlobClient.from_connection_string(CONNECTION, container, blob)
    return client.exists()
