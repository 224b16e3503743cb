"""Worker processes that freeze, end, or cannot come back."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from local.host.logs import LogLevels
from local.host.pool import WorkerPool
from local.host.protocol import Value
from local.host.workers import Invocation, InvocationResult, WorkerLostError, WorkerOptions

APP = """
import os, pathlib, signal
import azure.functions as func

app = func.FunctionApp()
imports = pathlib.Path("imports")
imports.touch()
if imports.stat().st_size == 1:
    imports.write_text("22")
    raise ImportError("the second import fails")
imports.write_text(imports.read_text() + "1")

@app.queue_trigger("msg", "q", "c")
@app.queue_output("$return", "q", "c")
def act(msg: func.QueueMessage) -> str:
    what = msg.get_body().decode()
    if what == "freeze":
        os.kill(os.getpid(), signal.SIGSTOP)
    if what == "end":
        child = os.fork()  # its copy of the socket stays open
        if child == 0:
            signal.pause()
        pathlib.Path("child").write_text(str(child))
        os._exit(3)
    return str(os.getpid())
"""

Act = Callable[[str], Awaitable[str]]


def run(app: Path, use: Callable[[Act], Awaitable[None]]) -> None:
    """Use a pool of one worker that may freeze for a second."""
    (app / "function_app.py").write_text(APP)

    async def main() -> None:
        options = WorkerOptions(app, os.environ.copy(), LogLevels({}), hang_seconds=1)
        pool = WorkerPool(options, size=1, pids_file=app / "workers.json")
        try:
            await pool.spawn()
            (function,) = await pool.import_app()

            async def act(what: str) -> str:
                invocation = Invocation(function["id"], {"msg": Value("string", what)}, {})
                result: InvocationResult = await asyncio.wait_for(pool.invoke(invocation, None), 30)
                assert result.returned is not None
                return str(result.returned.data)

            await use(act)
        finally:
            await pool.stop()

    asyncio.run(main())


def test_a_worker_that_ends_or_gives_no_sign_of_life_is_replaced(tmp_path: Path) -> None:
    async def use(act: Act) -> None:
        first = await act("pid")
        with pytest.raises(WorkerLostError, match=f"worker process {first} was ended, because it gave no sign of life"):
            await act("freeze")
        second = await act("pid")  # waits for the third import, for the second fails
        assert second != first
        with pytest.raises(WorkerLostError, match=f"worker process {second} ended"):
            await act("end")
        assert await act("pid") not in {first, second}

    try:
        run(tmp_path, use)
    finally:
        os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)
