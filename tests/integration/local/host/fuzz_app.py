"""The function app of the crash fuzz: an orchestrator that carries out the program in its input.

A program is a list of statements, which are JSON: `{"kind": ..., "key": ..., ...}`. Keys are unique, and the value of
an activity or an event is its key. Copied into a folder as function_app.py.
"""

# mypy: disable-error-code="untyped-decorator,no-any-return"
# The durable SDK ships no types.

import os
import time
from collections.abc import Callable, Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.durable_functions as df
from azure.durable_functions import DurableOrchestrationContext as Context

app = df.DFApp()
NOTES = Path(os.environ["NOTES"])
# A worker that is killed costs an attempt: more of them than a fuzz kills workers.
RETRY = df.RetryOptions(first_retry_interval_in_milliseconds=20, max_number_of_attempts=100)
HOUR = timedelta(hours=1)
Describe = Callable[[Any], Any]


@app.orchestration_trigger(context_name="context")
def program(context: Context) -> Generator[Any, Any, Any]:
    request = context.get_input()
    statements, values = request["statements"], request["values"]
    context.set_custom_status({"events": events(statements)})
    for i, statement in enumerate(statements):
        if statement["kind"] == "again":
            context.continue_as_new({"statements": statements[i + 1 :], "values": values})
            return None
        task, describe = build(context, statement)
        try:
            values.append(describe((yield task)))
        except Exception:  # the SDK raises nothing more precise
            if statement["kind"] != "hopeless":
                raise
            values.append("failed")
    return values


def events(statements: list[Any]) -> list[str]:
    """The events that this execution waits for: those of the next one would be dropped by its continue_as_new."""
    names: list[str] = []
    for statement in statements:
        if statement["kind"] == "again":
            break
        names += [statement["key"]] if statement["kind"] == "event" else events(statement.get("children", []))
    return names


def build(context: Context, expression: dict[str, Any]) -> tuple[Any, Describe]:
    """The SDK's task of an expression, and what makes a plain value of its result."""
    if "children" in expression:
        tasks, describe = zip(*(build(context, child) for child in expression["children"]), strict=True)
        return COMPOUNDS[expression["kind"]](context, list(tasks), describe)
    key = expression["key"]
    makers: dict[str, Callable[[], Any]] = {
        "act": lambda: context.call_activity_with_retry("work", RETRY, expression),
        "hopeless": lambda: context.call_activity("work", expression),
        "timer": lambda: context.create_timer(later(context, timedelta(seconds=expression["seconds"]))),
        "event": lambda: context.wait_for_external_event(key),
        "child": lambda: context.call_sub_orchestrator(
            "program",
            {"statements": expression["statements"], "values": [key]},
            key if expression["named"] else None,
        ),
    }
    return makers[expression["kind"]](), lambda result: result


def every(context: Context, tasks: list[Any], describe: tuple[Describe, ...]) -> tuple[Any, Describe]:
    return context.task_all(tasks), lambda results: [one(result) for one, result in zip(describe, results, strict=True)]


def first(context: Context, tasks: list[Any], describe: tuple[Describe, ...]) -> tuple[Any, Describe]:
    def winner(task: Any) -> Any:
        index = next(i for i, candidate in enumerate(tasks) if candidate is task)
        return [index, describe[index](task.result)]

    return context.task_any(tasks), winner


def guarded(context: Context, tasks: list[Any], describe: tuple[Describe, ...]) -> tuple[Any, Describe]:
    timer = context.create_timer(later(context, HOUR))

    def in_time(task: Any) -> Any:
        timer.cancel()
        return describe[0](task.result)

    return context.task_any([*tasks, timer]), in_time


def later(context: Context, delay: timedelta) -> Any:
    return context.current_utc_datetime + delay


COMPOUNDS = {"all": every, "any": first, "guarded": guarded}


@app.activity_trigger(input_name="request")
def work(request: dict) -> str:  # type: ignore[type-arg]  # the worker library takes plain types only
    key = request["key"]
    with NOTES.open("a") as file:
        file.write(key + "\n")
    time.sleep(request["seconds"])
    if request["failures"] and NOTES.read_text().split().count(key) <= request["failures"]:
        raise RuntimeError("on purpose")
    return key
