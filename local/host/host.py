"""The host: workers, durable engine, triggers and HTTP server of one app, started and stopped together."""

import asyncio
import fcntl
import logging
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from aiohttp import web

from local.host.config import ConfigError, HostConfig, read_host_config
from local.host.database import Database
from local.host.engine import Engine
from local.host.functions import FunctionCatalog, read_functions
from local.host.invoker import Invoker
from local.host.keys import Keys
from local.host.management import Management, ManagementLinks
from local.host.outputs import Outputs
from local.host.settings import Settings
from local.host.storage import Storage
from local.host.store import Store
from local.host.triggers.blob import BlobListener
from local.host.triggers.http import HttpTrigger
from local.host.triggers.queue import QueueListener
from local.host.triggers.services import TriggerServices
from local.host.triggers.timer import TimerListener
from local.host.workers import WorkerPool

logger = logging.getLogger(__name__)

_LOOPBACK = "127.0.0.1"
_WORKER_COUNT = "FUNCTIONS_WORKER_PROCESS_COUNT"
_MAX_BODY = 100 * 1024 * 1024

Listener = QueueListener | BlobListener | TimerListener
_LISTENERS: dict[str, type[Listener]] = {
    "queueTrigger": QueueListener,
    "blobTrigger": BlobListener,
    "timerTrigger": TimerListener,
}

WORKERS_FILE = "workers.json"
"""A file of the data folder: the process ids of the workers, as a JSON list."""


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What the host is to run, and where: `data` keeps its state, port None is any free one."""

    app: Path
    data: Path
    port: int | None
    environment: Mapping[str, str]


class Host:
    """A running host."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self.url = url
        self._stack = stack

    @classmethod
    async def start(cls, options: HostOptions) -> Self:
        """Start everything; when this returns, functions run.

        Raises:
            ConfigError: the app, its configuration or the machine cannot be used; nothing is left running.
        """
        config = read_host_config(options.app)
        settings = Settings.read(options.app, options.environment)
        async with AsyncExitStack() as stack:
            stack.enter_context(_lock(options.data))
            listener = stack.enter_context(_bind(options.port))
            pool = WorkerPool(
                options.app,
                settings.values,
                size=_worker_count(settings),
                level=config.logging.default_level,
                pids_file=options.data / WORKERS_FILE,
            )
            stack.push_async_callback(pool.stop)
            functions = read_functions(await pool.start(), settings)
            url = await _Assembly(config, functions, stack).start(options, settings, pool, listener)
            return cls(url, stack.pop_all())

    async def stop(self) -> None:
        """Stop taking work, end the workers, close everything."""
        await self._stack.aclose()


class _Assembly:
    """Puts the parts together; each registers its end with the stack, so that they end in the reverse order."""

    def __init__(self, config: HostConfig, functions: FunctionCatalog, stack: AsyncExitStack) -> None:
        self._config = config
        self._functions = functions
        self._stack = stack

    async def start(self, options: HostOptions, settings: Settings, pool: WorkerPool, listener: socket.socket) -> str:
        """Start all parts; the address that they serve."""
        extensions, timeout = self._config.extensions, self._config.function_timeout
        url = f"http://{_LOOPBACK}:{listener.getsockname()[1]}"
        links = ManagementLinks(url, extensions.durable_task.hub_name)
        storage = Storage(settings)
        self._stack.push_async_callback(storage.close)
        database = Database(options.data / "host.db")
        self._stack.callback(database.close)
        invoker = Invoker(
            pool,
            Outputs(storage, extensions.queues.message_encoding),
            durable_client=links.client_binding(),
            timeout=timeout.total_seconds() if timeout else None,
        )
        engine = Engine(Store(database), self._functions, invoker.value, extensions.durable_task)
        self._stack.push_async_callback(engine.stop)
        keys = Keys.read(options.data / "keys.json", options.environment)
        http = HttpTrigger(self._functions.of("httpTrigger"), extensions.http.route_prefix, invoker, keys)
        slots = asyncio.Semaphore(extensions.blobs.max_degree_of_parallelism)
        listeners = self._listeners(TriggerServices(extensions, storage, invoker, database, slots))
        await self._serve(listener, [*Management(engine.instances, links).routes(), http.route()])
        engine.start()
        for line in http.describe():
            logger.info("HTTP %s", line)
        logger.info("Keys of functions that ask for one are in %s", options.data / "keys.json")
        self._stack.push_async_callback(_cancel, [asyncio.create_task(_guard(item)) for item in listeners])
        return url

    def _listeners(self, services: TriggerServices) -> list[Listener]:
        return [
            listener(function, services)
            for trigger, listener in _LISTENERS.items()
            for function in self._functions.of(trigger)
        ]

    async def _serve(self, listener: socket.socket, routes: list[web.RouteDef]) -> None:
        application = web.Application(client_max_size=_MAX_BODY)
        application.add_routes(routes)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener).start()


async def _guard(listener: Listener) -> None:
    try:
        await listener.run()
    except Exception:
        logger.exception("A trigger stopped working")
        raise


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _worker_count(settings: Settings) -> int:
    text = settings.values.get(_WORKER_COUNT, "1")
    if not text.isdecimal() or not 1 <= int(text) <= 10:
        raise ConfigError(f"{_WORKER_COUNT} must be a number from 1 to 10, not {text!r}")
    return int(text)


def _lock(data: Path) -> IO[str]:
    """Make the data folder ours alone: two hosts on one would run everything twice."""
    data.mkdir(parents=True, exist_ok=True)
    lock = (data / "host.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise ConfigError(f"another host runs with the data folder {data}: stop it or give another --data") from None
    return lock


def _bind(port: int | None) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_LOOPBACK, port or 0))
    except OSError as error:
        listener.close()
        raise ConfigError(f"port {port} cannot be used ({error.strerror}): try --port {(port or 0) + 1}") from None
    return listener
