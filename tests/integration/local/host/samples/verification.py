"""Human interaction: a code is sent by SMS, and the person has three tries and some time to send it back."""

# mypy: disable-error-code="untyped-decorator"
# The durable SDK ships no types.

import json
import secrets
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func

bp = df.Blueprint()
TRIES = 3


@bp.orchestration_trigger(context_name="context")
def verify_phone(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    request = context.get_input()
    code = yield context.call_activity("send_code", request["phone"])
    expiry = context.create_timer(context.current_utc_datetime + timedelta(seconds=request["seconds"]))
    for tried in range(TRIES):
        context.set_custom_status({"triesLeft": TRIES - tried})
        answer = context.wait_for_external_event("Code")
        winner = yield context.task_any([answer, expiry])
        if winner == expiry:
            return "too late"
        if answer.result == code:
            expiry.cancel()
            return "verified"
    expiry.cancel()
    return "too many tries"


@bp.activity_trigger(input_name="phone")
@bp.queue_output(arg_name="message", queue_name="sms", connection="AzureWebJobsStorage")
def send_code(phone: str, message: func.Out[str]) -> str:
    code = f"{secrets.randbelow(10_000):04}"
    message.set(json.dumps({"to": phone, "code": code}))
    return code
