"""The course of a chore: what is to go is written down first, so that a crash between deed and event hides nothing.

A repeated attempt of the same round finds what the first one wrote down, deletes what is left of it, and answers the
same. Whatever belongs to a restore stays while anything works for that restore, whatever the records say.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from itertools import islice

import azure.durable_functions as df

from shared.contracts.events import HousekeepingData, NotRemovedData, RemovedData
from shared.contracts.housekeeping import Item
from shared.errors import cut
from shared.instances import at_work, call_first
from shared.storage import documents
from shared.storage.accounts import control_container
from shared.storage.ledger import quoted

LIMIT = 100
"""Items of one chore in one round; the others have their turn in the next one."""
FOLDER = "housekeeping/"
ROUNDS_KEPT = timedelta(days=7)

_log = logging.getLogger(__name__)

type Look = Callable[[], Iterable[Item]]
type Remove = Callable[[Item], Awaitable[bool]]
"""Deletes an item, all or what is left of it; False when it is not to go any more."""


async def sweep(
    client: df.DurableOrchestrationClient, began: str, chore: str, look: Look, remove: Remove
) -> HousekeepingData:
    """Delete what is to go, each item by itself: one that cannot be deleted stops no other. Wake who waited for it."""
    removed: list[RemovedData] = []
    failed: list[NotRemovedData] = []
    lines: dict[str, None] = {}
    for item in await asyncio.to_thread(planned, began, chore, look):
        if item.problem:
            failed.append(_failed(item, item.problem))
            continue
        try:
            if any([await at_work(client, one) for one in item.restores]) or not await remove(item):
                _log.info("%s stays: it is in use again", item.name)
                continue
        except Exception as error:  # noqa: BLE001 -- it is told, and no other item waits for it
            _log.warning("%s could not be deleted", item.name, exc_info=True)
            failed.append(_failed(item, f"{type(error).__name__}: {error}"))
        else:
            _log.info("deleted %s: %s", item.name, item.why)
            removed.append(_removed(item))
            lines.update(dict.fromkeys(item.lines))
    await call_first(client, lines)
    return HousekeepingData(removed=tuple(removed), failed=tuple(failed))


def in_thread(remove: Callable[[Item], bool]) -> Remove:
    """The same for those who wait for others meanwhile."""

    async def remove_in_thread(item: Item) -> bool:
        return await asyncio.to_thread(remove, item)

    return remove_in_thread


def planned(began: str, chore: str, look: Look) -> list[Item]:
    """What is to go in this round: what an earlier attempt wrote down, else what there is."""
    container, name = control_container(), f"{FOLDER}{quoted(began)}/{chore}.json"
    document = documents.read(container, name)
    if document is None and (found := [item.to_wire() for item in islice(look(), LIMIT)]):
        document = documents.create_or_read(container, name, found)
    elif document is None:
        document = documents.read(container, name)  # what another attempt has deleted meanwhile, it has written down
    return [Item.from_wire(item) for item in document or ()]


def forget_rounds(before: datetime) -> None:
    """Delete what was written down in rounds before that."""
    container = control_container()
    for blob in list(container.list_blobs(name_starts_with=FOLDER)):
        if blob.last_modified < before:
            documents.delete(container, blob.name)


def _removed(item: Item) -> RemovedData:
    restore = next(iter(item.restores), "")
    return RemovedData(kind=item.kind, name=item.name, restore=restore, why=item.why, count=item.count)


def _failed(item: Item, why: str) -> NotRemovedData:
    return NotRemovedData(kind=item.kind, name=item.name, message=cut(why, 500))
