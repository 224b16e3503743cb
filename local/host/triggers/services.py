"""What the listeners of triggers share."""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from azure.core.exceptions import AzureError

from local.host.config import Extensions
from local.host.database import Database
from local.host.invoker import Invoker
from local.host.storage import Storage


@dataclass(frozen=True, slots=True)
class TriggerServices:
    """Configuration and collaborators.

    `blob_slots` bounds the calls of all blob triggers together; `blob_events` is the file of `BlobEvents`.
    """

    config: Extensions
    storage: Storage
    invoker: Invoker
    database: Database
    blob_slots: asyncio.Semaphore
    blob_events: Path | None = None


class Outage:
    """Why something in storage cannot be read: logged when it begins, changes and ends, not at each try."""

    def __init__(self, logger: logging.Logger, what: str) -> None:
        self._logger = logger
        self._what = what
        self._kind: type[AzureError] | None = None

    def note(self, error: AzureError) -> None:
        """A try has failed. The text of an error may name the request, so only its type tells causes apart."""
        if type(error) is not self._kind:
            self._kind = type(error)
            self._logger.warning("%s cannot be read, and will be tried until it can: %s", self._what, error)

    def end(self) -> None:
        """A try has succeeded."""
        if self._kind is not None:
            self._kind = None
            self._logger.info("%s can be read again", self._what)
