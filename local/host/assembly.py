"""The parts of a host put together: storage, engine, HTTP server and listeners around the pool of workers."""

import asyncio
import logging
import socket
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web

from local.host.config import ConfigError, HostConfig
from local.host.database import Database
from local.host.engine import Engine
from local.host.faults import FaultInjector
from local.host.functions import Function, FunctionCatalog
from local.host.invoker import Invoker
from local.host.keys import Keys
from local.host.management import Management, ManagementLinks
from local.host.outputs import Outputs
from local.host.pool import WorkerPool
from local.host.settings import Settings
from local.host.storage import Storage
from local.host.store import Store
from local.host.triggers.blob import BlobListener
from local.host.triggers.blob_events import BlobEvents
from local.host.triggers.http import HttpTrigger
from local.host.triggers.queue import QueueListener
from local.host.triggers.services import TriggerServices
from local.host.triggers.timer import TimerListener

logger = logging.getLogger(__name__)

_MAX_BODY = 100 * 1024 * 1024

Listener = QueueListener | BlobListener | TimerListener
_LISTENERS: dict[str, type[Listener]] = {
    "queueTrigger": QueueListener,
    "blobTrigger": BlobListener,
    "timerTrigger": TimerListener,
}


class Assembly:
    """Puts the parts together; each registers its end with the stack, so that they end in the reverse order."""

    def __init__(self, config: HostConfig, functions: FunctionCatalog, stack: AsyncExitStack) -> None:
        self._config = config
        self._functions = functions
        self._stack = stack
        self.notice: list[str] = []
        """What the person who starts the host wants to know: addresses and keys. Not for the log."""

    async def start(self, settings: Settings, pool: WorkerPool, data: Path, listener: socket.socket) -> str:
        """Start all parts; the address that they serve.

        Raises:
            ConfigError: a function's trigger cannot be served as it is configured.
        """
        extensions, timeout = self._config.extensions, self._config.function_timeout
        url = "http://{}:{}".format(*listener.getsockname())
        links = ManagementLinks(url, extensions.durable_task.hub_name)
        storage = Storage(settings)
        self._stack.push_async_callback(storage.close)
        _check(storage, self._functions)
        database = Database(data / "host.db", asyncio.get_running_loop().call_soon)
        self._stack.callback(database.close)
        invoker = Invoker(
            pool,
            Outputs(storage, extensions.queues.message_encoding),
            durable_client=links.client_binding(),
            timeout=timeout.total_seconds() if timeout else None,
        )
        store = Store(database)
        faults = FaultInjector(data, pool, invoker, store)
        engine = Engine(store, self._functions, invoker.value, extensions.durable_task, faults)
        self._stack.push_async_callback(engine.stop)
        keys = Keys.read(data / "keys.json", settings.values)
        http = HttpTrigger(self._functions.of("httpTrigger"), extensions.http.route_prefix, invoker, keys)
        slots = asyncio.Semaphore(extensions.blobs.max_degree_of_parallelism)
        services = TriggerServices(extensions, storage, invoker, database, slots, BlobEvents.file(data))
        listeners = self._listeners(services)
        await asyncio.gather(*(item.prepare() for item in listeners if isinstance(item, BlobListener)))
        await self._serve(listener, [*Management(engine.instances, links).routes(), http.route()], database)
        engine.start()
        others = [
            f"{function.trigger.type} -> {function.name}" for function in self._functions.all if not _is_http(function)
        ]
        self.notice = [*http.describe(url), *sorted(others), *(keys.describe() if http.asks_for_keys else ())]
        self._stack.push_async_callback(_cancel, [asyncio.create_task(_guard(item)) for item in listeners])
        return url

    def _listeners(self, services: TriggerServices) -> list[Listener]:
        return [
            listener(function, services)
            for trigger, listener in _LISTENERS.items()
            for function in self._functions.of(trigger)
        ]

    async def _serve(self, listener: socket.socket, routes: list[web.RouteDef], database: Database) -> None:
        """Serve HTTP; nobody is answered before what the answer speaks of is on disk."""
        application = web.Application(client_max_size=_MAX_BODY)
        application.add_routes(routes)

        async def write_first(_request: web.Request, _response: web.StreamResponse) -> None:
            await database.committed()

        application.on_response_prepare.append(write_first)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener).start()


def _is_http(function: Function) -> bool:
    return function.trigger.type == "httpTrigger"


def _check(storage: Storage, functions: FunctionCatalog) -> None:
    for function in functions.all:
        try:
            for binding in (function.trigger, *function.outputs):
                storage.check(binding)
        except ConfigError as error:
            raise ConfigError(f"function {function.name}: {error}") from None


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
