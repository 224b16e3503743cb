"""The backup vault service as a child process."""

import http.client
import json
import os
import sys
from pathlib import Path
from typing import Self

from local.servers.ports import LOOPBACK, free_port
from local.servers.process import Leash, ServerError, ServerProcess, Service
from local.vault.config import VaultConfig
from local.vault.faults import FaultRequest, JobFault, OperationFault, RequestFault

_REPOSITORY = Path(__file__).parents[2]
_START_SECONDS = 30


class VaultProcess(Service):
    """A running service: it ends with `stop`, with `kill`, or with the death of this process."""

    def __init__(self, config: VaultConfig, log: Path, port: int) -> None:
        self.config = config
        self.port = port
        self._log = log
        self._process = self._launch()

    @classmethod
    def start(cls, config: VaultConfig, log: Path) -> Self:
        """Start the service on a free port and wait until it answers.

        Raises:
            ServerError: it did not start; the text holds the end of its log.
        """
        return cls(config, log, free_port())

    @property
    def url(self) -> str:
        """The address to use instead of https://management.azure.com."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which an app finds its managed identity here, as on App Service."""
        return {"IDENTITY_ENDPOINT": f"{self.url}/msi/token", "IDENTITY_HEADER": self.config.identity_header}

    def inject(self, *faults: RequestFault | OperationFault | JobFault) -> None:
        """Switch faults on."""
        self._add(
            FaultRequest(
                requests=tuple(fault for fault in faults if isinstance(fault, RequestFault)),
                operations=tuple(fault for fault in faults if isinstance(fault, OperationFault)),
                jobs=tuple(fault for fault in faults if isinstance(fault, JobFault)),
            )
        )

    def expire(self, *points: str) -> None:
        """Have recovery points expire, until the faults are switched off."""
        self._add(FaultRequest(expired_points=points))

    def _add(self, faults: FaultRequest) -> None:
        self._send("POST", "/faults", faults.model_dump_json())

    def clear_faults(self) -> None:
        """Switch all faults off, and let hanging jobs go on."""
        self._send("DELETE", "/faults")

    def restart(self) -> None:
        """Start again at the same address, after `stop` or `kill`."""
        self._process = self._launch()

    def stop(self) -> None:
        """Stop the service; running jobs go on after its next start."""
        self._process.stop()

    def kill(self) -> None:
        """`kill -9` the service."""
        self._process.kill()

    def _launch(self) -> ServerProcess:
        self.config.state.mkdir(parents=True, exist_ok=True)
        file = self.config.state / "config.json"
        file.touch(mode=0o600)
        file.write_text(self.config.model_dump_json())
        process = ServerProcess.start(
            [sys.executable, "-m", "local.vault", "--config", file, "--port", str(self.port)],
            log=self._log,
            leash=Leash(grace=5),
            cwd=_REPOSITORY,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        process.wait_until(self._answers, _START_SECONDS)
        return process

    def _answers(self) -> bool:
        try:
            return self._send("GET", "/health") == 200
        except OSError:
            return False

    def _send(self, method: str, path: str, body: str | None = None) -> int:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=10)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status >= 400:
            raise ServerError(f"{method} {path}: {response.status} {json.loads(text)}")
        return response.status
