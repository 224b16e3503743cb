"""The engine goes on with what its store holds."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import azure.durable_functions as df

from local.host.config import Durable
from local.host.engine import Engine
from local.host.functions import Binding, Function, FunctionCatalog
from local.host.outputs import OutputError
from local.host.protocol import Value
from local.host.store import Status, Store


def _sleeper(context: df.DurableOrchestrationContext) -> Any:
    yield context.create_timer(context.current_utc_datetime + timedelta(seconds=0.2))
    return "woken"


async def _invoke(_function: Function, trigger: Value) -> Value:
    return Value("json", df.Orchestrator.create(_sleeper)(SimpleNamespace(body=trigger.data)))


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the engine tells nobody outside
            await asyncio.sleep(0.005)


def test_a_timer_of_before_the_start_fires_though_nothing_else_happens(store: Store) -> None:
    catalog = FunctionCatalog([Function("sleeper", "sleeper", Binding("context", "orchestrationTrigger", {}), (), ())])

    async def run(until: Status, *, start: bool) -> None:
        engine = Engine(store, catalog, _invoke, Durable())
        engine.start()
        if start:
            engine.instances.start("sleeper", "main", None)
        await _until(lambda: engine.instances.get("main").status is until)
        await engine.stop()

    asyncio.run(run(Status.RUNNING, start=True))
    asyncio.run(run(Status.COMPLETED, start=False))


def test_an_activity_whose_output_cannot_be_written_has_failed(store: Store) -> None:
    def caller(context: df.DurableOrchestrationContext) -> Any:
        try:
            yield context.call_activity("writer", None)
        except Exception as error:  # noqa: BLE001 - the SDK's type for it is the base one
            return str(error)

    async def invoke(function: Function, trigger: Value) -> Value:
        if function.name == "writer":
            raise OutputError("output q could not be written: no space")
        return Value("json", df.Orchestrator.create(caller)(SimpleNamespace(body=trigger.data)))

    catalog = FunctionCatalog(
        [
            Function("caller", "caller", Binding("context", "orchestrationTrigger", {}), (), ()),
            Function("writer", "writer", Binding("x", "activityTrigger", {}), (), ()),
        ]
    )

    async def run() -> str | None:
        engine = Engine(store, catalog, invoke, Durable())
        engine.start()
        engine.instances.start("caller", "main", None)
        await _until(lambda: engine.instances.get("main").status.is_terminal)
        await engine.stop()
        return engine.instances.get("main").output

    assert "output q could not be written: no space" in (asyncio.run(run()) or "")
