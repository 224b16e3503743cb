"""The embedded Azure as one thing: two flexible servers, a storage account, a backup vault, a functions host."""

import json
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local.servers.azurite import Azurite
from local.servers.ports import LOOPBACK, free_port
from local.servers.postgres import FlexibleServer
from local.servers.process import Leash, ServerProcess
from local.vault.arm import account_id, instance_id, vault_id
from local.vault.config import BackupInstance, Pacing, SourceServer, StorageAccount, VaultConfig
from local.vault.process import VaultProcess
from shared.topology import (
    APP_STORAGE,
    CONTROL_CONTAINER,
    EVENT_QUEUE,
    LANDING_CONTAINERS,
    LANDING_STORAGE,
    REPORT_CONTAINER,
    REQUEST_QUEUE,
)

ROOT = Path(__file__).parents[1]
"""The folder of the function app."""

INSTANCE = "orders"
"""Alias of the source's backup instance."""
TARGET = "drill"
"""Alias of the target server."""

_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
_GROUP = "orders-rg"
_PASSWORD_SETTING = "DRILL_PASSWORD"
_START_SECONDS = 60
_READY = b"host ready "
_PACING = Pacing()


def alias(number: int) -> str:
    """The alias of the numbered backup instance, counted from 1."""
    return INSTANCE if number == 1 else f"{INSTANCE}-{number}"


class Environment:
    """The services that the app finds in Azure, and the app in its host, on free ports of this machine.

    Everything ends with the `with` block, and with the death of this process, by whatever signal.
    """

    def __init__(self, services: "Services", host: "LeashedHost", stack: ExitStack) -> None:
        self.azurite = services.azurite
        self.source = services.source
        self.target = services.target
        self.vault = services.vault
        self._host = host
        self._stack = stack

    @classmethod
    def start(  # noqa: PLR0913 -- what its users want to have otherwise
        cls,
        directory: Path,
        *,
        app: Path = ROOT,
        settings: Mapping[str, str] = MappingProxyType({}),
        pacing: Pacing = _PACING,
        instances: int = 1,
        target: Mapping[str, object] = MappingProxyType({}),
    ) -> Self:
        """Start everything.

        Args:
            directory: where data and logs go.
            app: the function app's folder.
            settings: app settings above those that the services call for.
            pacing: how slow the backup vault is.
            instances: how many backup instances protect the source, aliases `orders`, `orders-2`, …
            target: what the operator says of the target server besides where it is.

        Raises:
            ServerError: a part did not start; the text holds the end of its log.
        """
        directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            services = _start_services(directory, stack, pacing, instances)
            host = LeashedHost(app, directory, {**services.app_settings(directory, target), **settings})
            stack.callback(host.stop)
            host.start()
            return cls(services, host, stack.pop_all())

    @property
    def url(self) -> str:
        """The function app's address."""
        return self._host.url

    @property
    def function_key(self) -> str:
        """What HTTP functions ask for, in the header `x-functions-key`."""
        return self._host.function_key

    @property
    def instance(self) -> BackupInstance:
        """The source's backup instance."""
        return self.vault.config.instances[0]

    @property
    def host_pid(self) -> int:
        """The process of the functions host; its workers are its children."""
        return self._host.pid

    def restart_host(self) -> None:
        """Start the host again at the same address; it is stopped first when it runs."""
        self._host.stop()
        self._host.start()

    def kill_host(self) -> None:
        """`kill -9` the host, and with it the app's workers."""
        self._host.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()


@dataclass(frozen=True)
class Services:
    """What the app finds in Azure."""

    azurite: Azurite
    source: FlexibleServer
    target: FlexibleServer
    vault: VaultProcess

    def app_settings(self, directory: Path, more: Mapping[str, object] = MappingProxyType({})) -> dict[str, str]:
        """The function app's settings; intervals are short, for nothing here takes hours."""
        config = self.vault.config
        target = {
            "host": self.target.host,
            "port": self.target.port,
            "user": self.target.admin,
            "passwordSetting": _PASSWORD_SETTING,
            "sslmode": "disable",
            **more,
        }
        staging = directory / "staging"
        staging.mkdir(exist_ok=True)
        return {
            APP_STORAGE: self.azurite.connection_string,
            LANDING_STORAGE: self.azurite.connection_string,
            "FLEX_RESTORE_VAULT": vault_id(config),
            "FLEX_RESTORE_LANDING_ACCOUNT": account_id(config, config.accounts[0]),
            "FLEX_RESTORE_INSTANCES": json.dumps(
                {alias(number): instance_id(config, one) for number, one in enumerate(config.instances, 1)}
            ),
            "FLEX_RESTORE_TARGETS": json.dumps({TARGET: target}),
            "FLEX_RESTORE_ARM_ENDPOINT": self.vault.url,
            "FLEX_RESTORE_STAGING_DIRECTORY": str(staging),
            "TMPDIR": str(staging),  # what a killed worker leaves behind goes with the next run's clean-up
            "FLEX_RESTORE_POLL_SECONDS": "1",
            "FLEX_RESTORE_POLL_LIMIT_SECONDS": "2",
            "FLEX_RESTORE_SETTLE_SECONDS": "5",
            "PYTHON_THREADPOOL_THREAD_COUNT": "16",
            _PASSWORD_SETTING: self.target.password,
            **self.vault.environment,
        }


class LeashedHost:
    """The functions host as a process that cannot outlive this one; always at the same address.

    `local.host.process` starts one without a leash, for tests that want to see what outlives what.
    """

    def __init__(self, app: Path, directory: Path, settings: Mapping[str, str]) -> None:
        self._port = free_port()
        self._data = directory / "host"
        self._log = directory / "host.log"
        self._command = [sys.executable, "-m", "local.host", "--app", str(app), "--data", str(self._data)]
        self._settings = settings
        self._process: ServerProcess | None = None
        self.url = f"http://{LOOPBACK}:{self._port}"

    @property
    def function_key(self) -> str:
        """The key that the host made at its first start."""
        return str(json.loads((self._data / "keys.json").read_text())["default"])

    @property
    def pid(self) -> int:
        """The host's process.

        Raises:
            LookupError: it was never started.
        """
        if self._process is None:
            raise LookupError("the host was never started")
        return self._process.pid

    def start(self) -> None:
        """Start the host and wait until its functions run.

        Raises:
            ServerError: it did not start; the text holds the end of its log.
        """
        before = self._log.stat().st_size if self._log.exists() else 0
        self._process = ServerProcess.start(
            [*self._command, "--port", str(self._port)],
            log=self._log,
            leash=Leash(grace=15),
            cwd=ROOT,
            env={**os.environ, **self._settings},
        )
        self._process.wait_until(lambda: _READY in self._log.read_bytes()[before:], _START_SECONDS)

    def stop(self) -> None:
        """Stop the host; nothing when it does not run."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """`kill -9` the host."""
        if self._process is not None:
            self._process.kill()


def _start_services(directory: Path, stack: ExitStack, pacing: Pacing, instances: int) -> Services:
    """Start the services side by side; what has started stops with the stack, also when another one has not."""
    with ThreadPoolExecutor() as threads:
        starting = threads.submit(lambda: stack.enter_context(Azurite.start(directory / "azurite")))
        creating = [
            threads.submit(_create_server, directory, stack, name, admin)
            for name, admin in (("orders-prod", "prodadmin"), ("orders-drill", "drilladmin"))
        ]
    azurite, (source, target) = starting.result(), (server.result() for server in creating)
    _make_containers(azurite)
    config = _vault_config(directory, azurite, source, pacing, instances)
    return Services(azurite, source, target, stack.enter_context(VaultProcess.start(config, directory / "vault.log")))


def _create_server(directory: Path, stack: ExitStack, name: str, admin: str) -> FlexibleServer:
    return stack.enter_context(FlexibleServer.create(directory, name=name, admin=admin))


def _make_containers(azurite: Azurite) -> None:
    """What Bicep makes in Azure: containers and queues."""
    with BlobServiceClient.from_connection_string(azurite.connection_string) as blobs:
        for name in (*LANDING_CONTAINERS, CONTROL_CONTAINER, REPORT_CONTAINER):
            blobs.create_container(name)
    with QueueServiceClient.from_connection_string(azurite.connection_string) as queues:
        for name in (REQUEST_QUEUE, EVENT_QUEUE):
            queues.create_queue(name)


def _vault_config(
    directory: Path, azurite: Azurite, source: FlexibleServer, pacing: Pacing, instances: int
) -> VaultConfig:
    """One vault that protects the source and may restore into the storage account."""
    servers = [source.name, *(f"{source.name}-{number}" for number in range(2, instances + 1))]
    access = SourceServer(host=source.host, port=source.port, user=source.superuser, password=source.superuser_password)
    return VaultConfig(
        subscription=_SUBSCRIPTION,
        resource_group=_GROUP,
        vault="orders-vault",
        instances=tuple(BackupInstance(name=f"{name}-pgflex", server_name=name, server=access) for name in servers),
        accounts=(
            StorageAccount(
                name=azurite.account_name, resource_group=_GROUP, connection_string=azurite.connection_string
            ),
        ),
        state=directory / "vault",
        pacing=pacing,
    )
