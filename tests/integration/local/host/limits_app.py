"""A function app that tells how many of its functions ran at once; copied into a folder as function_app.py."""

# mypy: disable-error-code="untyped-decorator,no-any-return"
# ruff: noqa: ARG001
# The durable SDK ships no types; the names of parameters are the names of bindings, used or not.

import json
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Generator
from typing import Any

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
LIMITS: dict[str, int] = json.loads(os.environ["LIMITS"])
logger = logging.getLogger("sample")
logger.info("imported")


class Gauge:
    """How many calls of a kind run, how many did at once at most, and how many have ended."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    def hold(self, kind: str, *, until_limit: bool = True) -> None:
        """Be one of those that run, until as many do as may; then a moment longer, for one too many to come."""
        with self._changed:
            self._running[kind] += 1
            self.most[kind] = max(self.most[kind], self._running[kind])
            self._changed.notify_all()
            if until_limit:
                self._changed.wait_for(lambda: self.most[kind] >= LIMITS[kind], timeout=10)
        time.sleep(0.1)
        with self._changed:
            self._running[kind] -= 1
            self.ended[kind] += 1


gauge = Gauge()


@app.route("gauge")
def read_gauge(req: func.HttpRequest) -> str:
    return json.dumps({"most": gauge.most, "ended": gauge.ended})


@app.route("environment")
def environment(req: func.HttpRequest) -> str:
    return json.dumps(dict(os.environ))


@app.queue_trigger("msg", "%QUEUE%", "AzureWebJobsStorage")
def message(msg: func.QueueMessage) -> None:
    text = msg.get_body().decode()
    if text == "bad":
        gauge.ended["bad"] += 1
        raise ValueError("on purpose")
    gauge.hold("message", until_limit=text == "long")


@app.blob_trigger("data", "limits/{name}", "AzureWebJobsStorage")
def file(data: func.InputStream) -> None:
    gauge.hold("blob")


@app.activity_trigger("number")
def work(number: int) -> None:
    gauge.hold("activity")


@app.orchestration_trigger("context")
def fan_out(context: df.DurableOrchestrationContext) -> Generator[Any, Any]:
    yield context.task_all([context.call_activity("work", number) for number in range(12)])


@app.orchestration_trigger("context")
def turn(context: df.DurableOrchestrationContext) -> None:
    gauge.hold("turn")


@app.orchestration_trigger("context")
def waiting(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    yield context.wait_for_external_event("Never")


@app.route("loud")
def loud(req: func.HttpRequest) -> str:
    logger.debug("debug of a loud function")
    return "said"


@app.route("quiet")
async def quiet(req: func.HttpRequest) -> str:
    logger.info("info of a quiet function")
    logger.warning("warning of a quiet function")
    return "said"
