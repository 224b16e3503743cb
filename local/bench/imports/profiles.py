"""The profiles of the bench: this machine as it is, and more cores with a slower disk and a slower network."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

import psutil

from local.bench.imports.emulation import Emulation, calibrate, why_not
from local.bench.imports.machine import Calibrated, Machine, disk_mb
from local.bench.imports.measure import Track
from local.bench.imports.throttle import SlowProxy
from local.bench.imports.ways import DOCUMENTED, FLOOR, FLOOR_OF_CORES, LOADERS, ROUTES, STAGED, WORKERS, Way
from local.servers.azurite import Azurite
from local.servers.postgres import FlexibleServer
from shared.postgres.split import Strength


@dataclass(frozen=True)
class Course:
    """A profile with its servers, ready for runs."""

    track: Track
    connection: str
    """Of the storage account, as clients see it."""
    strength: Strength
    """Of the server, which the app is told as operators tell it."""
    calibrated: tuple[Calibrated, ...] = ()


@dataclass(frozen=True)
class Profile:
    """What is compared, and on which machine."""

    name: str
    ways: tuple[Way, ...]
    ours: Way
    """The way that ratios are of."""
    floor: Way
    opened: Callable[[FlexibleServer, Azurite], AbstractContextManager[Course]]
    why_not: Callable[[], str] = lambda: ""
    """Why it cannot be run here; empty when it can."""
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Of the server, above those that both have."""

    @property
    def staged(self) -> tuple[Way, ...]:
        """The downloads with one pg_restore."""
        return tuple(way for way in self.ways if way.does == "staged")


@contextmanager
def _as_it_is(target: FlexibleServer, azurite: Azurite) -> Iterator[Course]:
    yield Course(Track(), azurite.connection_string, Strength(os.cpu_count() or 1, disk_mb(target.data_folder)))


@contextmanager
def _emulated(target: FlexibleServer, azurite: Azurite) -> Iterator[Course]:
    """The server's processes and each client's have cores of their own; storage is behind a slow network."""
    blobs = azurite.blob_endpoint
    port = int(blobs.split(":")[2].split("/")[0])
    rates = {"connection": MACHINE.connection_mb, "total": MACHINE.network_mb}
    with (
        Emulation(MACHINE, clients=max(way.workers for way in WORKERS)) as emulation,
        SlowProxy(
            port,
            **{name: MACHINE.bytes_per_second(rate) for name, rate in rates.items()},
            latency=MACHINE.latency * MACHINE.dilation,
        ) as network,
    ):
        calibrated = tuple(calibrate(emulation))
        emulation.server.take(_processes(target))

        @contextmanager
        def racing() -> Iterator[None]:
            emulation.slow(True, target.data_folder)
            try:
                yield
            finally:
                emulation.slow(False, target.data_folder)

        track = Track([client.command for client in emulation.clients], MACHINE.dilation, racing)
        connection = azurite.connection_string.replace(blobs, blobs.replace(f":{port}", f":{network.port}"))
        yield Course(track, connection, Strength(MACHINE.server_cores, round(MACHINE.disk_mb)), calibrated)


def _processes(server: FlexibleServer) -> list[int]:
    """The postmaster and what it has started."""
    with server.connect() as connection:
        postmaster = psutil.Process(psutil.Process(connection.info.backend_pid).ppid())
        return [postmaster.pid, *(child.pid for child in postmaster.children())]


MACHINE = Machine()
TWO = Profile("two", (DOCUMENTED, *STAGED[:2], *ROUTES, FLOOR), ROUTES[0], FLOOR, _as_it_is)
CORES = Profile(
    "cores",
    (DOCUMENTED, *STAGED, *LOADERS, *WORKERS, FLOOR_OF_CORES),
    LOADERS[2],
    FLOOR_OF_CORES,
    _emulated,
    why_not,
    {**MACHINE.server_settings, "max_worker_processes": "24", "max_parallel_workers": str(MACHINE.server_cores)},
)
PROFILES = {profile.name: profile for profile in (TWO, CORES)}
