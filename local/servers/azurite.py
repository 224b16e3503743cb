"""Azurite: the blob, queue and table services of the embedded Azure."""

import http.client
import json
import shutil
from pathlib import Path
from typing import Self

from local.servers.ports import LOOPBACK, free_port
from local.servers.process import Leash, ServerError, ServerProcess, Service

# Azurite's own account, a well-known development credential of its documentation.
ACCOUNT_NAME = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

_START_SECONDS = 60
_ATTEMPTS = 3
_PORTS_FILE = "ports.json"
_SCRIPT = Path(__file__).parents[2] / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"


class Azurite(Service):
    """A running Azurite on a folder: started again there, it serves the same data on the same ports."""

    def __init__(self, directory: Path, ports: tuple[int, int, int], process: ServerProcess) -> None:
        self.directory = directory
        self.account_name = ACCOUNT_NAME
        self.account_key = ACCOUNT_KEY
        self.blob_endpoint, self.queue_endpoint, self.table_endpoint = (
            f"http://{LOOPBACK}:{port}/{ACCOUNT_NAME}" for port in ports
        )
        self._process = process

    @classmethod
    def start(cls, directory: Path) -> Self:
        """Start Azurite on the data of `directory` and wait until it answers.

        Raises:
            ServerError: it did not start; the text holds the end of its log.
        """
        directory.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, _ATTEMPTS + 1):
            ports = _known_ports(directory) or (free_port(), free_port(), free_port())
            try:
                process = _launch(directory, ports)
            except ServerError:
                if attempt == _ATTEMPTS:
                    raise
                # The usual cause is a port taken between its choice and the bind: choose others.
                (directory / _PORTS_FILE).unlink(missing_ok=True)
            else:
                (directory / _PORTS_FILE).write_text(json.dumps(ports))
                return cls(directory, ports, process)
        raise AssertionError("unreachable: the last attempt returns or raises")

    @property
    def connection_string(self) -> str:
        """The connection string for the blob, queue and table SDKs."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account_name};AccountKey={self.account_key};"
            f"BlobEndpoint={self.blob_endpoint};QueueEndpoint={self.queue_endpoint};"
            f"TableEndpoint={self.table_endpoint};"
        )

    def stop(self) -> None:
        """Stop Azurite; its data stays in the folder."""
        self._process.stop()


def _known_ports(directory: Path) -> tuple[int, int, int] | None:
    """The ports of the last start, so that a restart is invisible to clients."""
    file = directory / _PORTS_FILE
    if not file.exists():
        return None
    blob, queue, table = json.loads(file.read_text())
    return blob, queue, table


def _launch(directory: Path, ports: tuple[int, int, int]) -> ServerProcess:
    node = shutil.which("node")
    if node is None or not _SCRIPT.exists():
        raise ServerError("Azurite needs node on the PATH and node_modules: run `make setup`")
    command: list[str | Path] = [node, _SCRIPT, "--location", directory, "--silent"]
    command += ["--skipApiVersionCheck", "--disableTelemetry"]
    for service, port in zip(("blob", "queue", "table"), ports, strict=True):
        command += [f"--{service}Host", LOOPBACK, f"--{service}Port", str(port)]
    process = ServerProcess.start(command, log=directory / "azurite.log", leash=Leash(grace=10))
    process.wait_until(lambda: all(map(_answers, ports)), _START_SECONDS)
    return process


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()
    return True
