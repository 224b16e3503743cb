"""What the listeners of triggers share."""

import asyncio
from dataclasses import dataclass

from local.host.config import Extensions
from local.host.database import Database
from local.host.invoker import Invoker
from local.host.storage import Storage


@dataclass(frozen=True, slots=True)
class TriggerServices:
    """Configuration and collaborators; `blob_slots` bounds the calls of all blob triggers together."""

    config: Extensions
    storage: Storage
    invoker: Invoker
    database: Database
    blob_slots: asyncio.Semaphore
