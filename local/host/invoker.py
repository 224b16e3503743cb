"""A call of a function from trigger to outputs: input bindings, the worker, output bindings, the line in the log."""

import logging
import time
import uuid
from collections.abc import Mapping

from local.host.functions import Function
from local.host.logs import function_category
from local.host.outputs import OutputError, Outputs
from local.host.pool import WorkerPool
from local.host.protocol import Value
from local.host.workers import (
    FunctionFailedError,
    FunctionTimeoutError,
    Invocation,
    InvocationResult,
    Worker,
    WorkerLostError,
)

FAILURE_MARK = "\n\n$OutOfProcData$:"
"""What stands in a failing orchestrator's message between its error and its state."""

INVOCATION_ERRORS = (FunctionFailedError, FunctionTimeoutError, WorkerLostError, OutputError)
"""What `Invoker.call` raises."""


class Invoker:
    """Calls functions in the pool. `durable_client` is the value of every durableClient binding."""

    def __init__(self, pool: WorkerPool, outputs: Outputs, *, durable_client: str, timeout: float | None) -> None:
        self._pool = pool
        self._outputs = outputs
        self._durable_client = Value("string", durable_client)
        self._timeout = timeout

    async def call(
        self,
        function: Function,
        trigger: Value,
        metadata: Mapping[str, Value] | None = None,
        parameters: Mapping[str, str] | None = None,
        worker: Worker | None = None,
    ) -> InvocationResult:
        """Run a function and write its outputs.

        Args:
            function: which.
            trigger: the value of its trigger.
            metadata: the trigger's metadata, by the names of the protocol.
            parameters: values for placeholders in output paths.
            worker: in which one; None for the least busy.

        Raises:
            FunctionFailedError: it raised.
            FunctionTimeoutError: it ran too long, its worker was killed.
            WorkerLostError: its worker ended.
            OutputError: an output could not be written.
        """
        inputs = {function.trigger.name: trigger, **{item.name: self._durable_client for item in function.inputs}}
        started = time.perf_counter()
        identifier = uuid.uuid4()
        logger = logging.getLogger(function_category(function.name))
        try:
            result = await self._pool.invoke(Invocation(function.id, inputs, metadata or {}), self._timeout, worker)
            await self._outputs.write(function, result, parameters or {})
        except INVOCATION_ERRORS as error:
            duration = (time.perf_counter() - started) * 1000
            text = _explained(function, error)
            logger.error("Executed '%s' (Failed, Id=%s, Duration=%dms): %s", function.name, identifier, duration, text)  # noqa: TRY400 - the traceback that matters is the function's
            raise
        duration = (time.perf_counter() - started) * 1000
        logger.info("Executed '%s' (Succeeded, Id=%s, Duration=%dms)", function.name, identifier, duration)
        return result

    async def value(self, function: Function, trigger: Value, worker: Worker | None = None) -> Value | None:
        """Run a durable function: what it returned. Errors as with `call`."""
        return (await self.call(function, trigger, worker=worker)).returned


def _explained(function: Function, error: Exception) -> str:
    """The text for the log: with the function's traceback, but of an orchestrator only what it raised."""
    if not isinstance(error, FunctionFailedError):
        return str(error)
    if function.trigger.type == "orchestrationTrigger":
        return error.message.partition(FAILURE_MARK)[0]
    return f"{error.message}\n{error.stack}"
