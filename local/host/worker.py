"""A worker process: Microsoft's Python worker library behind the host's socket.

The library keeps its state in modules, so one process runs one app. The end of the socket is the end of the process:
when the host dies, however it dies, no worker outlives it.
"""

import argparse
import asyncio
import logging
import os
import select
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as runtime

from local.host import protos, timestamps
from local.host.logs import WORKER, LogLevels, user_category
from local.host.protocol import FrameReader, Value, encode

_ROOT = str(Path(__file__).parents[2])
_READ_SIZE = 1 << 18
_LIBRARY = ("azure.functions", "azure_functions_runtime")

_names: dict[str, str] = {}  # the functions' names by their ids
_running: dict[str, str] = {}  # the ids of the functions that run, by invocation


class Channel:
    """The socket to the host: messages in by the event loop, messages out from any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._frames = FrameReader()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message at once: a process that dies next has said it. Without a host, this process ends."""
        frame = encode(message)
        try:
            with self._sending:
                self._connection.sendall(frame)
        except OSError:
            os._exit(1)

    def listen(self, receive: Callable[[dict[str, Any]], None]) -> None:
        """Hand over each message that comes from now on, in the running event loop."""
        asyncio.get_running_loop().add_reader(self._connection, self._read, receive)
        threading.Thread(target=self._await_end, daemon=True, name="host-watch").start()

    def _read(self, receive: Callable[[dict[str, Any]], None]) -> None:
        try:
            data = self._connection.recv(_READ_SIZE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            os._exit(0)
        for message in self._frames.feed(data):
            receive(message)

    def _await_end(self) -> None:
        """End with the host, even while code of the app blocks the event loop."""
        hangup = select.poll()
        hangup.register(self._connection, getattr(select, "POLLRDHUP", 0))
        hangup.poll()
        os._exit(0)


class ForwardingHandler(logging.Handler):
    """Sends log records of the app to the host, when they are to be shown."""

    def __init__(self, channel: Channel, levels: LogLevels) -> None:
        super().__init__()
        self._channel = channel
        self._levels = levels

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        category = category_of(record)
        if record.levelno >= self._levels.of(category):
            text = f"[{record.name}] {self.format(record)}"
            self._channel.send({"type": "log", "level": record.levelno, "category": category, "text": text})


def category_of(record: logging.LogRecord) -> str:
    """The category of a record that is made now: the function's that runs in this task or thread, or the worker's."""
    function = _running.get(runtime.invocation_id_cv.get() or "")
    if function is None or record.name.startswith(_LIBRARY):
        return WORKER
    return user_category(_names[function])


def to_typed_data(value: Value) -> protos.TypedData:
    """A value in the library's form."""
    if value.kind == "http":
        request = {**value.data, "body": protos.TypedData(bytes=value.data["body"])}
        return protos.TypedData(http=protos.RpcHttp(**request))
    if value.kind == "model_binding_data":
        return protos.TypedData(model_binding_data=protos.ModelBindingData(**value.data))
    return protos.TypedData(**{value.kind: value.data})


def from_typed_data(data: protos.TypedData | None) -> list[Any] | None:
    """The wire form of what the library returned."""
    if data is None or data.kind is None:
        return None
    content = getattr(data, data.kind)
    if data.kind == "http":
        body = from_typed_data(content.body)
        content = {
            "status_code": content.status_code,
            "headers": content.headers,
            "cookies": [_cookie(cookie) for cookie in content.cookies or ()],
            "body": body[1] if body else b"",
        }
    return Value(data.kind, content).to_wire()


def _cookie(cookie: protos.RpcHttpCookie) -> dict[str, Any]:
    plain = {}
    for field in cookie.fields:
        value = getattr(cookie, field)
        while isinstance(value, protos.Message):
            value = getattr(value, value.fields[0])
        plain[field] = value
    return plain


def _function(metadata: protos.RpcFunctionMetadata) -> dict[str, Any]:
    fields: Any = metadata
    return {
        "id": fields.function_id,
        "name": fields.name,
        "raw_bindings": list(fields.raw_bindings),
        "has_retry_policy": fields.retry_options is not None,
    }


async def start(app: Path) -> dict[str, Any]:
    """Import the app; the message that tells the host what was found, or why it failed."""
    runtime.start_threadpool_executor()
    init = SimpleNamespace(capabilities={}, function_app_directory=str(app))
    request = SimpleNamespace(
        request=SimpleNamespace(worker_init_request=init), properties={"host": "127.0.0.1", "protos": protos}
    )
    response = await runtime.worker_init_request(request)
    if response.result.status != protos.StatusResult.Success:
        error = response.result.exception
        return {"type": "unusable", "message": error.message, "stack": error.stack_trace}
    if "HttpUri" in response.capabilities:
        return _failure("the app uses HTTP streaming (azurefunctions-extensions-http-fastapi), which is not supported")
    found = await runtime.functions_metadata_request(request)
    if not found.function_metadata_results:
        return _failure(f"{app} has no function_app.py with functions (the Python v2 programming model)")
    timestamps.hasten()
    functions = [_function(item) for item in found.function_metadata_results]
    _names.update((function["id"], function["name"]) for function in functions)
    return {"type": "ready", "functions": functions}


def _failure(message: str) -> dict[str, Any]:
    return {"type": "unusable", "message": message, "stack": ""}


async def invoke(message: dict[str, Any]) -> dict[str, Any]:
    """Run one function; the message that tells the host what came of it."""
    metadata = {name: to_typed_data(Value(*wire)) for name, wire in message["metadata"].items()}
    invocation = SimpleNamespace(
        invocation_id=message["id"],
        function_id=message["function"],
        input_data=[
            protos.ParameterBinding(name=name, data=to_typed_data(Value(*wire)))
            for name, wire in message["inputs"].items()
        ],
        trigger_metadata=metadata,
        trace_context=SimpleNamespace(trace_parent="", trace_state="", attributes={}),
        retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
    )
    request = SimpleNamespace(request=SimpleNamespace(invocation_request=invocation), properties={})
    # Not invocation_request_native: that one reports repr(error), which breaks a failing orchestrator's message.
    response = await runtime.invocation_request(request)
    if response.result.status != protos.StatusResult.Success:
        error = response.result.exception
        return {"type": "failed", "id": message["id"], "message": error.message, "stack": error.stack_trace}
    outputs = {item.name: from_typed_data(item.data) for item in response.output_data}
    return {"type": "done", "id": message["id"], "return": from_typed_data(response.return_value), "outputs": outputs}


async def answer(channel: Channel, message: dict[str, Any]) -> None:
    """Run one function and tell the host."""
    _running[message["id"]] = message["function"]
    runtime.invocation_id_cv.set(message["id"])
    try:
        channel.send(await invoke(message))
    except (Exception, asyncio.CancelledError) as error:  # whatever it is, the host waits for an answer
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise  # this process ends, and its end is the answer
        text = f"{type(error).__name__}: {error}"
        channel.send({"type": "failed", "id": message["id"], "message": text, "stack": traceback.format_exc()})
    finally:
        del _running[message["id"]]


async def serve(channel: Channel, app: Path) -> None:
    """Answer the host until it goes away."""
    loop = asyncio.get_running_loop()
    running: set[asyncio.Task[None]] = set()

    def receive(message: dict[str, Any]) -> None:
        if message["type"] == "ping":
            channel.send({"type": "pong"})
            return
        task = asyncio.Task(answer(channel, message), loop=loop, eager_start=True)
        if not task.done():
            running.add(task)
            task.add_done_callback(running.discard)

    channel.listen(receive)
    channel.send(await start(app))
    await asyncio.Event().wait()


def _restore_python_path() -> None:
    """Undo for the app's own child processes what the host did to find this module."""
    _, *original = os.environ.pop("PYTHONPATH", "").split(os.pathsep)
    if original:
        os.environ["PYTHONPATH"] = os.pathsep.join(original)


def main() -> None:
    """Entry point: `--fd` is the host's socket, inherited; the working directory is the app's folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--levels", type=LogLevels.decode, required=True)
    arguments = parser.parse_args()
    # A program that the app starts must not keep the socket open, or the host would not notice our end.
    os.set_inheritable(arguments.fd, False)
    _restore_python_path()
    app = Path.cwd()
    # The app's modules and none of the host's folder: what an app does not have shall be missing here too.
    sys.path[:] = [str(app), *(entry for entry in sys.path if entry not in {str(app), _ROOT})]
    # Processes that multiprocessing spawns for the app would import this module again, and not find it.
    sys.modules["__main__"].__spec__ = sys.modules["__main__"].__file__ = None
    channel = Channel(socket.socket(fileno=arguments.fd))
    handler = ForwardingHandler(channel, arguments.levels)
    logging.basicConfig(level=arguments.levels.lowest, handlers=[handler], format="%(message)s", force=True)
    # The INFO lines of the library cost as much as a call; those of the Azure SDKs repeat every request's headers.
    logging.getLogger("azure").setLevel(logging.WARNING)
    asyncio.run(serve(channel, app))


if __name__ == "__main__":
    main()
