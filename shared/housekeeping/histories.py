"""Durable histories of instances that have ended, past their retention; never of one that runs.

The engine is asked for spans of time, halved until one answer holds all of it: the Durable SDK reads the first hundred
instances of an answer only. Purging an instance leaves its children (Azure Storage provider), so they go by their
names; those of an import's lanes are the engine's choice, so they go by themselves.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import azure.durable_functions as df
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from shared import histories
from shared.contracts.housekeeping import Item, Kind
from shared.instances import OVER
from shared.settings import settings

_PAGE = 100
_SHORTEST = timedelta(seconds=1)
_BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)
"""Before any instance."""
_LANE = "import_database"


async def look(client: df.DurableOrchestrationClient) -> list[Item]:
    """The histories to purge: of restores, and of what the engine keeps though its restore is gone."""
    days = settings().keep_histories_days
    if not days:
        return []
    until = datetime.now(UTC) - timedelta(days=days)
    old = [one async for one in _ended(client, _BEGINNING, until) if one.last_updated_time < until]
    items = {}
    for status in old:
        root = status.instance_id.partition(":")[0] if status.name != _LANE else status.instance_id
        if root and root not in items and (status.instance_id == root or not await client.get_status(root)):
            items[root] = Item(
                kind=Kind.HISTORY,
                name=f"history of {root}",
                restores=() if status.name == _LANE else (root,),
                why=f"it ended at {status.last_updated_time.isoformat(timespec='seconds')}",
                facts={"instance": root},
            )
    return list(items.values())


async def remove(client: df.DurableOrchestrationClient, item: Item) -> bool:
    """Purge an instance and its children, itself last; of a restore, its status is kept in the ledger."""
    root = item.facts["instance"]
    for child in await client.get_status_by(instance_id_prefix=f"{root}:") if item.restores else ():
        await client.purge_instance_history(child.instance_id)
    status = await client.get_status(root, show_input=True)
    if status and status.name == "restore":
        await asyncio.to_thread(histories.keep, status)
    await client.purge_instance_history(root)
    return True


async def _ended(
    client: df.DurableOrchestrationClient, since: datetime, until: datetime
) -> AsyncIterator[DurableOrchestrationStatus]:
    """The instances that were created in a span of time and have ended."""
    found = await client.get_status_by(created_time_from=since, created_time_to=until, runtime_status=list(OVER))
    if len(found) < _PAGE or until - since < _SHORTEST:
        for status in found:
            yield status
        return
    middle = since + (until - since) / 2
    for span in ((since, middle), (middle, until)):
        async for status in _ended(client, *span):
            yield status
