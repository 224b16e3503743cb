"""The engine goes on with what its store holds."""

import asyncio
import json
import warnings
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.durable_functions as df
import pytest

from local.host.config import Durable
from local.host.database import Database
from local.host.engine import Engine
from local.host.functions import Binding, Function, FunctionCatalog
from local.host.outputs import OutputError
from local.host.protocol import Value
from local.host.store import Status, Store


def _sleeper(context: df.DurableOrchestrationContext) -> Any:
    yield context.create_timer(context.current_utc_datetime + timedelta(seconds=0.2))
    return "woken"


def _turn(orchestrator: Callable[[df.DurableOrchestrationContext], Any], trigger: Value) -> Value:
    with warnings.catch_warnings(action="ignore"):  # in a worker process they are no errors either
        return Value("json", df.Orchestrator.create(orchestrator)(SimpleNamespace(body=trigger.data)))


async def _invoke(_function: Function, trigger: Value) -> Value:
    return _turn(_sleeper, trigger)


def _catalog(*, orchestrators: Sequence[str], activities: Sequence[str] = ()) -> FunctionCatalog:
    triggers = {**dict.fromkeys(orchestrators, "orchestrationTrigger"), **dict.fromkeys(activities, "activityTrigger")}
    return FunctionCatalog([Function(name, name, Binding("x", kind, {}), (), ()) for name, kind in triggers.items()])


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the engine tells nobody outside
            await asyncio.sleep(0.005)


def test_a_timer_of_before_the_start_fires_though_nothing_else_happens(store: Store) -> None:
    catalog = _catalog(orchestrators=["sleeper"])

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
        return _turn(caller, trigger)

    catalog = _catalog(orchestrators=["caller"], activities=["writer"])

    async def run() -> str | None:
        engine = Engine(store, catalog, invoke, Durable())
        engine.start()
        engine.instances.start("caller", "main", None)
        await _until(lambda: engine.instances.get("main").status.is_terminal)
        await engine.stop()
        return engine.instances.get("main").output

    assert "output q could not be written: no space" in (asyncio.run(run()) or "")


def test_what_a_full_disk_refuses_is_written_when_there_is_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def caller(context: df.DurableOrchestrationContext) -> Any:
        yield context.call_activity("writer", None)
        return "x" * 100_000

    async def run() -> Status:
        database = Database(tmp_path / "host.db", asyncio.get_running_loop().call_soon)
        calls: list[str] = []

        async def invoke(function: Function, trigger: Value) -> Value:
            calls.append(function.name)
            if calls[-1] == "writer" or calls.count("caller") == 2:
                database.execute("PRAGMA max_page_count = 1")  # that is: what it has now
            if function.name == "writer":
                return Value("json", json.dumps("x" * 100_000))
            return _turn(caller, trigger)

        engine = Engine(Store(database), _catalog(orchestrators=["caller"], activities=["writer"]), invoke, Durable())
        engine.start()
        engine.instances.start("caller", "main", None)
        for what in ("The result of activity writer", "The turn of instance main"):
            await _until(lambda: f"{what} could not be written" in caplog.text)  # noqa: B023 - awaited at once
            database.execute("PRAGMA max_page_count = 1000000")
        await _until(lambda: engine.instances.get("main").status.is_terminal)
        assert calls.count("writer") == 1
        status = engine.instances.get("main").status
        await engine.stop()
        database.close()
        return status

    monkeypatch.setattr("local.host.engine._WRITE_AGAIN_SECONDS", 0.01)
    assert asyncio.run(run()) is Status.COMPLETED
