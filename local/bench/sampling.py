"""What is looked at while a burst runs: temporary databases on the target, and the memory of the app's processes."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import psutil

from local.environment import Environment

_PAUSE = 0.05
_TEMPORARY = (
    "SELECT count(DISTINCT substring(datname FROM 'flexrestore_[0-9a-f]+')) FROM pg_database WHERE datname ~ %s"
)


class Sampling:
    """A thread that looks again and again until the `with` block is left, which fails where a look did."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._over = threading.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sampling")
        self.imports_at_once = 0
        """Databases that were being imported at the same moment, at most; a restore of the burst has one."""
        self.memory: list[float] = []
        """MB of the largest process of the app, look by look."""

    def __enter__(self) -> Self:
        self._looking = self._thread.submit(self._look)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.shutdown()
        if error is None:
            self._looking.result()

    def _look(self) -> None:
        with self._environment.target.connect(as_superuser=True, autocommit=True) as connection:
            while not self._over.wait(_PAUSE):
                row = connection.execute(_TEMPORARY, ["^flexrestore_"]).fetchone()
                self.imports_at_once = max(self.imports_at_once, row[0] if row else 0)
                self.memory.append(max(map(_memory, self._processes()), default=0.0))

    def _processes(self) -> list[psutil.Process]:
        host = psutil.Process(self._environment.host_pid)
        return [host, *host.children(recursive=True)]


def _memory(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 1e6
    except psutil.NoSuchProcess:  # it has ended since it was listed
        return 0.0
