"""The host: workers, durable engine, triggers and HTTP server of one app, started and stopped together."""

import fcntl
import logging
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from local.host.config import ConfigError, read_host_config
from local.host.functions import read_functions
from local.host.logs import configure
from local.host.pool import WorkerPool
from local.host.settings import Settings
from local.host.workers import WorkerOptions

logger = logging.getLogger(__name__)

_LOOPBACK = "127.0.0.1"
_DEFAULT_PORT = 7071
_WORKER_COUNT = "FUNCTIONS_WORKER_PROCESS_COUNT"
_HANG_SECONDS = "LOCAL_HOST_HANG_SECONDS"

WORKERS_FILE = "workers.json"
"""A file of the data folder: the process ids of the workers, as a JSON list."""


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What the host is to run, and where.

    Attributes:
        app: the folder of the function app.
        data: the folder of the host's state.
        port: 0 is any free one, None the one of local.settings.json, or 7071 as with Core Tools.
        environment: the settings that win over local.settings.json.
    """

    app: Path
    data: Path
    port: int | None
    environment: Mapping[str, str]


class Host:
    """A running host. `notice` is for the person who started it, and not for the log: it holds the keys."""

    def __init__(self, url: str, notice: list[str], stack: AsyncExitStack) -> None:
        self.url = url
        self.notice = notice
        self._stack = stack

    @classmethod
    async def start(cls, options: HostOptions) -> Self:
        """Start everything; when this returns, functions run.

        Raises:
            ConfigError: the app, its configuration or the machine cannot be used; nothing is left running.
        """
        settings = Settings.read(options.app, options.environment)
        config, unused = read_host_config(options.app, settings)
        configure(config.logging.levels)
        if unused:
            logger.warning("host.json: not honoured here: %s", ", ".join(unused))
        async with AsyncExitStack() as stack:
            stack.enter_context(_lock(options.data))
            listener = stack.enter_context(_bind(_port(options, settings)))
            environment = _told_by_core_tools(options.app, listener) | settings.values
            worker = WorkerOptions(options.app, environment, config.logging.levels, _hang_seconds(settings))
            pool = WorkerPool(worker, size=_worker_count(settings), pids_file=options.data / WORKERS_FILE)
            stack.push_async_callback(pool.stop)
            await pool.spawn()
            # The clients and servers take as long to import as the app: both at once.
            from local.host.assembly import Assembly  # noqa: PLC0415

            functions = read_functions(await pool.import_app(), settings)
            assembly = Assembly(config, functions, stack)
            url = await assembly.start(settings, pool, options.data, listener)
            return cls(url, assembly.notice, stack.pop_all())

    async def stop(self) -> None:
        """Stop taking work, end the workers, close everything."""
        await self._stack.aclose()


def _told_by_core_tools(app: Path, listener: socket.socket) -> dict[str, str]:
    """What an app finds in its environment when Core Tools run it."""
    return {
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        "AzureWebJobsScriptRoot": str(app),
        "WEBSITE_HOSTNAME": f"localhost:{listener.getsockname()[1]}",
    }


def _worker_count(settings: Settings) -> int:
    text = settings.values.get(_WORKER_COUNT, "1")
    if not text.isdecimal() or not 1 <= int(text) <= 10:
        raise ConfigError(f"{_WORKER_COUNT} must be a number from 1 to 10, not {text!r}")
    return int(text)


def _hang_seconds(settings: Settings) -> float:
    """How long a worker with running functions may give no sign of life before it is ended."""
    text = settings.values.get(_HANG_SECONDS, "60")
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"{_HANG_SECONDS} must be a number of seconds from 1 on, not {text!r}")
    return float(text)


def _lock(data: Path) -> IO[str]:
    """Make the data folder ours alone: two hosts on one would run everything twice."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "host.lock").open("w")
    except OSError as error:
        raise ConfigError(f"the data folder {data} cannot be used ({error.strerror}): give another --data") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise ConfigError(f"another host runs with the data folder {data}: stop it or give another --data") from None
    return lock


def _port(options: HostOptions, settings: Settings) -> int:
    if options.port is not None:
        return options.port
    return settings.local_port or _DEFAULT_PORT


def _bind(port: int) -> socket.socket:
    try:
        return _listen(port)
    except OSError as error:
        raise ConfigError(f"port {port} cannot be used ({error.strerror}): try --port {_next_free(port)}") from None


def _next_free(port: int) -> int:
    """The next port that really can be used; 0, a port that the system chooses, when there is none."""
    for candidate in range(port + 1, 65536):
        try:
            _listen(candidate).close()
        except OSError:
            continue
        return candidate
    return 0


def _listen(port: int) -> socket.socket:
    """Listen at once: of two that have only bound a port, neither would know of the other."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_LOOPBACK, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener
