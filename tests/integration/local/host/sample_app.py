"""The function app that the host's tests run: one function of each kind; copied into a folder as function_app.py."""

# mypy: disable-error-code="untyped-decorator,no-any-return"
# ruff: noqa: ARG001
# The durable SDK ships no types; the names of parameters are the names of bindings, used or not.

import json
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from azurefunctions.extensions.bindings import blob

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
NOTES = Path(os.environ["NOTES"])
Orchestration = Generator[Any, Any, Any]
RETRY = df.RetryOptions(first_retry_interval_in_milliseconds=50, max_number_of_attempts=4)


def note(kind: str, text: str) -> None:
    with NOTES.open("a") as file:
        file.write(json.dumps([kind, text]) + "\n")


# HTTP


@app.route("greet/{name}/{times:int?}", methods=["GET", "POST"])
def greet(req: func.HttpRequest) -> func.HttpResponse:
    logging.getLogger("sample").info("greeting %s", req.route_params["name"])
    answer = {"route": dict(req.route_params), "query": dict(req.params), "body": req.get_body().decode("latin-1")}
    headers = {"X-Sample": "yes", "Set-Cookie": "a=b; Path=/; HttpOnly"}
    return func.HttpResponse(json.dumps(answer), status_code=201, mimetype="application/json", headers=headers)


@app.route("locked", auth_level=func.AuthLevel.FUNCTION)
async def locked(req: func.HttpRequest) -> str:
    return "open"


@app.route("for-admins", auth_level=func.AuthLevel.ADMIN)
def for_admins(req: func.HttpRequest) -> str:
    return "open"


@app.route("broken")
def broken(req: func.HttpRequest) -> str:
    raise ValueError("on purpose")


@app.route("slow")
def slow(req: func.HttpRequest) -> str:
    time.sleep(float(req.params["seconds"]))
    return "late"


@app.route("pid")
def pid(req: func.HttpRequest) -> str:
    return str(os.getpid())


@app.route("start/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    body = req.get_body()
    instance_id = await client.start_new(
        req.route_params["name"], req.params.get("id"), json.loads(body) if body else None
    )
    return client.create_check_status_response(req, instance_id)


@app.route("client/{operation}/{id}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def use_client(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    operation = OPERATIONS[req.route_params["operation"]]
    try:
        answer = await operation(client, req.route_params["id"])
    except Exception as error:  # noqa: BLE001 - the SDK's client raises nothing more precise
        return func.HttpResponse(str(error), status_code=400)
    return func.HttpResponse(json.dumps(answer, default=str))


async def _status(client: df.DurableOrchestrationClient, instance_id: str) -> object:
    status = await client.get_status(instance_id, show_history=True, show_history_output=True, show_input=True)
    return status.to_json() if status else None


async def _purge(client: df.DurableOrchestrationClient, instance_id: str) -> object:
    return (await client.purge_instance_history(instance_id)).instances_deleted


async def _all(client: df.DurableOrchestrationClient, _instance_id: str) -> object:
    return [status.instance_id for status in await client.get_status_all()]


async def _completed(client: df.DurableOrchestrationClient, prefix: str) -> object:
    completed = [df.OrchestrationRuntimeStatus.Completed]
    statuses = await client.get_status_by(runtime_status=completed, instance_id_prefix=prefix)
    return [status.instance_id for status in statuses]


OPERATIONS: dict[str, Callable[[df.DurableOrchestrationClient, str], Awaitable[object]]] = {
    "status": _status,
    "raise": lambda client, instance_id: client.raise_event(instance_id, "Approval", {"by": "client"}),
    "terminate": lambda client, instance_id: client.terminate(instance_id, "enough"),
    "suspend": lambda client, instance_id: client.suspend(instance_id, "wait"),
    "resume": lambda client, instance_id: client.resume(instance_id, "go on"),
    "restart": lambda client, instance_id: client.restart(instance_id),
    "rewind": lambda client, instance_id: client.rewind(instance_id, "again"),
    "purge": _purge,
    "all": _all,
    "completed": _completed,
}


# Queue, blob and timer


@app.queue_trigger(arg_name="msg", queue_name="%SAMPLE_QUEUE%", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="answer", queue_name="answers", connection="AzureWebJobsStorage")
@app.blob_output(arg_name="copy", path="copies/{queueTrigger}.txt", connection="AzureWebJobsStorage")
def on_message(msg: func.QueueMessage, answer: func.Out[str], copy: func.Out[str]) -> None:
    text = msg.get_body().decode()
    note("message", f"{text} {msg.dequeue_count}")
    if text == "poison":
        raise ValueError("cannot digest this")
    if text == "die" and msg.dequeue_count == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if text.startswith("sleep"):
        time.sleep(float(text.removeprefix("sleep")))
    answer.set(text.upper())
    copy.set(text)


@app.queue_trigger(arg_name="msg", queue_name="start-queue", connection="AzureWebJobsStorage")
@app.durable_client_input(client_name="client")
async def on_start_message(msg: func.QueueMessage, client: df.DurableOrchestrationClient) -> None:
    request = msg.get_json()
    await client.start_new(request["name"], request["id"], request.get("input"))


@app.queue_trigger(arg_name="msg", queue_name="Fan-Queue", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="$return", queue_name="{to.queue}", connection="AzureWebJobsStorage")
def fan(msg: func.QueueMessage):  # type: ignore[no-untyped-def]
    return msg.get_json()["items"]


@app.queue_trigger(arg_name="msg", queue_name="binary", connection="AzureWebJobsStorage", data_type="binary")
@app.queue_output(arg_name="$return", queue_name="answers", connection="AzureWebJobsStorage")
def on_bytes(msg: func.QueueMessage) -> func.QueueMessage:
    metadata = (msg.id, msg.pop_receipt, msg.insertion_time, msg.expiration_time, msg.time_next_visible)
    return func.QueueMessage(body=f"{msg.get_body()!r} {msg.dequeue_count} {None not in metadata}")


@app.blob_trigger(arg_name="content", path="inbox/{name}", connection="AzureWebJobsStorage")
def on_blob(content: func.InputStream) -> None:
    note("blob", f"{content.name} {content.length} {content.read().decode()}")
    if str(content.name).endswith("poison"):
        raise ValueError("cannot digest this")


@app.blob_trigger(
    arg_name="client",
    path="landing/{name}",
    connection="AzureWebJobsStorage",
    source=func.BlobSource.EVENT_GRID,
)
@app.durable_client_input(client_name="starter")
async def on_landing(client: blob.BlobClient, starter: df.DurableOrchestrationClient) -> None:
    properties = client.get_blob_properties()
    note("landing", f"{client.blob_name} {properties.size}")
    await starter.start_new("chain", f"blob-{client.blob_name.replace('/', '-')}", 1)


@app.blob_trigger(arg_name="content", path="typed/{name}.{{bytes}}", connection="AzureWebJobsStorage")
@app.blob_output(arg_name="$return", path="copies/{name}", connection="AzureWebJobsStorage")
def on_bytes_blob(content: bytes) -> bytes:
    return content


@app.blob_trigger(arg_name="container", path="typed/{name}.container", connection="AzureWebJobsStorage")
def on_container(container: blob.ContainerClient) -> None:
    note("typed", f"{container.container_name} {container.exists()}")


@app.blob_trigger(arg_name="stream", path="typed/{name}.stream", connection="AzureWebJobsStorage")
def on_stream(stream: blob.StorageStreamDownloader) -> None:
    note("typed", stream.readall().decode())


@app.timer_trigger(arg_name="timer", schedule="*/1 * * * * *")
def every_second(timer: func.TimerRequest) -> None:
    note("second", str(timer.past_due))


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
@app.durable_client_input(client_name="client")
async def at_startup(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    note("startup", str(timer.past_due))
    await client.start_new("chain", "from-timer", 1)


@app.timer_trigger(arg_name="timer", schedule="%YEARLY%")
def yearly(timer: func.TimerRequest) -> None:
    status: Any = timer.schedule_status  # type: ignore[attr-defined]  # the SDK's abstract class has none
    note("yearly", f"{timer.past_due} {status['Next']}")


# Orchestrations


@app.orchestration_trigger(context_name="context")
def chain(context: df.DurableOrchestrationContext) -> Orchestration:
    value = context.get_input()
    for _ in range(3):
        value = yield context.call_activity("add_one", value)
    context.set_custom_status({"value": value})
    return value


@app.orchestration_trigger(context_name="context")
def fan_out(context: df.DurableOrchestrationContext) -> Orchestration:
    request = context.get_input()
    tasks = [
        context.call_activity_with_retry("work", RETRY, {**request, "item": item}) for item in range(request["items"])
    ]
    results = yield context.task_all(tasks)
    return sum(results)


@app.orchestration_trigger(context_name="context")
def picked(context: df.DurableOrchestrationContext) -> Orchestration:
    results = []
    for item in context.get_input():
        result = yield context.call_activity_with_retry("work", RETRY, {"item": item})
        results += [result]
    return results


@app.orchestration_trigger(context_name="context")
def approval(context: df.DurableOrchestrationContext) -> Orchestration:
    seconds = (context.get_input() or {}).get("seconds", 3600)
    timer = context.create_timer(context.current_utc_datetime + timedelta(seconds=seconds))
    event = context.wait_for_external_event("Approval")
    winner = yield context.task_any([event, timer])
    if winner == timer:
        return "late"
    timer.cancel()
    return event.result


@app.orchestration_trigger(context_name="context")
def early_event(context: df.DurableOrchestrationContext) -> Orchestration:
    yield context.create_timer(context.current_utc_datetime + timedelta(seconds=1))
    first = yield context.wait_for_external_event("First")
    second = yield context.wait_for_external_event("Second")
    return [first, second]


@app.orchestration_trigger(context_name="context")
def parent(context: df.DurableOrchestrationContext) -> Orchestration:
    tasks = [
        context.call_sub_orchestrator("chain", 10, instance_id=f"{context.instance_id}-child"),
        context.call_sub_orchestrator_with_retry("sometimes", RETRY, f"{context.instance_id}-sometimes"),
        context.call_sub_orchestrator("eternal", {"count": 0, "until": 3}),
    ]
    results = yield context.task_all(tasks)
    try:
        yield context.call_sub_orchestrator("failing", "deep")
    except Exception as error:  # noqa: BLE001 - the SDK raises nothing more precise
        results.append(str(error))
    return results


@app.orchestration_trigger(context_name="context")
def sometimes(context: df.DurableOrchestrationContext) -> Orchestration:
    return (yield context.call_activity("fail_twice", context.get_input()))


@app.orchestration_trigger(context_name="context")
def eternal(context: df.DurableOrchestrationContext) -> Orchestration:
    state = context.get_input()
    yield context.call_activity("add_one", state["count"])
    yield context.create_timer(context.current_utc_datetime + timedelta(milliseconds=20))
    if state["count"] < state["until"]:
        context.continue_as_new({**state, "count": state["count"] + 1})
        return None
    return state["count"]


@app.orchestration_trigger(context_name="context")
def failing(context: df.DurableOrchestrationContext) -> Orchestration:
    yield context.call_activity("fail", context.get_input())


@app.orchestration_trigger(context_name="context")
def talkative(context: df.DurableOrchestrationContext) -> Orchestration:
    context.set_custom_status("x" * 8_192)
    return (yield context.call_activity("add_one", 1))


@app.orchestration_trigger(context_name="context")
def unknown_activity(context: df.DurableOrchestrationContext) -> Orchestration:
    yield context.call_activity("nowhere")


@app.orchestration_trigger(context_name="context")
def large(context: df.DurableOrchestrationContext) -> Orchestration:
    text = yield context.call_activity("repeat", context.get_input())
    return len(text)


@app.orchestration_trigger(context_name="context")
def spawns(context: df.DurableOrchestrationContext) -> Orchestration:
    return (yield context.call_activity("start_another", context.instance_id))


@app.orchestration_trigger(context_name="context")
def napping(context: df.DurableOrchestrationContext) -> Orchestration:
    return (yield context.call_activity("nap", context.get_input()))


@app.activity_trigger(input_name="value")
def add_one(value: int) -> int:
    return value + 1


@app.activity_trigger(input_name="request")
def work(request: dict) -> int:  # type: ignore[type-arg]  # the worker library takes plain types only
    note("work", f"{request['item']} {os.getpid()}")
    time.sleep(request.get("seconds", 0))
    return request["item"]


@app.activity_trigger(input_name="key")
def fail_twice(key: str) -> str:
    note(key, "attempt")
    attempts = NOTES.read_text().count(json.dumps([key, "attempt"]))
    if attempts < 3:
        raise RuntimeError(f"attempt {attempts}")
    return f"attempt {attempts}"


@app.activity_trigger(input_name="text")
def fail(text: str) -> None:
    raise ValueError(f"failed: {text}")


@app.activity_trigger(input_name="count")
async def repeat(count: int) -> str:
    return "ä" * count


@app.activity_trigger(input_name="seconds")
def nap(seconds: float) -> str:
    time.sleep(seconds)
    return "rested"


@app.activity_trigger(input_name="name")
@app.durable_client_input(client_name="client")
async def start_another(name: str, client: df.DurableOrchestrationClient) -> str:
    return await client.start_new("chain", f"{name}-another", 5)
