"""Housekeeping: one chore each. What one deletes, or cannot delete, is its answer; the next one tells it."""

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from functools import partial
from types import ModuleType
from typing import Any

import azure.durable_functions as df

from activities.answers import answering, answering_with_client
from shared.contracts.events import HousekeepingData, NotRemovedData
from shared.contracts.housekeeping import Abandoned, Item, Told
from shared.contracts.outcome import failure, success
from shared.errors import PermanentError, cut
from shared.housekeeping import databases, files, histories, landings, places, records, reports, stuck, told
from shared.housekeeping.census import Census
from shared.housekeeping.sweep import ROUNDS_KEPT, forget_rounds, in_thread, sweep
from shared.instances import at_work

type Client = df.DurableOrchestrationClient


async def _sweep(subject: dict[str, Any], client: Client, chore: ModuleType) -> dict[str, Any]:
    """Carry out a chore whose module looks for items and removes them."""
    name = chore.__name__.rpartition(".")[2]
    return await _answer(sweep(client, subject["began"], name, chore.look, in_thread(chore.remove)))


async def _answer(work: Awaitable[HousekeepingData]) -> dict[str, Any]:
    try:
        return success((await work).to_wire())
    except PermanentError as error:
        return failure(error)


@answering_with_client
async def report_stuck(subject: dict[str, Any], client: Client) -> dict[str, Any]:  # noqa: ARG001 -- nothing differs
    """Report the restores that do not go on, and write the end of those that nothing works for."""
    failed: list[NotRemovedData] = []
    running = (await asyncio.to_thread(Census.take)).running
    for restore in running:
        try:
            status = await client.get_status(restore.request_id)
            await asyncio.to_thread(stuck.examine, restore, status)
        except Exception as error:  # noqa: BLE001 -- it is told, and no other restore waits for it
            message = cut(f"{type(error).__name__}: {error}", 500)
            failed.append(NotRemovedData(kind="restore", name=restore.request_id, message=message))
    return success(HousekeepingData(failed=tuple(failed)).to_wire())


@answering_with_client
async def find_abandoned(subject: dict[str, Any], client: Client) -> dict[str, Any]:
    """A landing container's reservation that nothing works for any more; None where there is none."""
    abandoned = await asyncio.to_thread(landings.held, subject["container"])
    if abandoned is None or await at_work(client, abandoned.request_id):
        return success(None)
    return success(abandoned.to_wire())


@answering_with_client
async def give_back_landing(subject: dict[str, Any], client: Client) -> dict[str, Any]:
    """Release an abandoned landing container in which the vault does not write; what its job brought is ours."""
    abandoned = Abandoned.from_wire(subject["abandoned"])
    look = partial(landings.look, abandoned, brought=subject["brought"])
    chore = f"landings {abandoned.container}"
    return await _answer(sweep(client, subject["began"], chore, look, in_thread(landings.remove)))


@answering_with_client
async def remove_places(subject: dict[str, Any], client: Client) -> dict[str, Any]:
    """Give up places in lines and at target servers that nobody works for any more."""
    return await _sweep(subject, client, places)


@answering_with_client
async def drop_databases(subject: dict[str, Any], client: Client) -> dict[str, Any]:
    """Drop temporary and replaced databases that restores have left."""
    return await _sweep(subject, client, databases)


@answering_with_client
async def delete_files(subject: dict[str, Any], client: Client) -> dict[str, Any]:
    """Delete restored files past their retention."""
    return await _sweep(subject, client, files)


@answering_with_client
async def delete_reports(subject: dict[str, Any], client: Client) -> dict[str, Any]:
    """Delete reports and logs past their retention."""
    return await _sweep(subject, client, reports)


@answering_with_client
async def purge_histories(subject: dict[str, Any], client: Client) -> dict[str, Any]:
    """Purge histories past their retention."""
    old = await histories.look(client)
    remove = partial(histories.remove, client)
    return await _answer(sweep(client, subject["began"], "histories", lambda: old, remove))


@answering_with_client
async def delete_records(subject: dict[str, Any], client: Client) -> dict[str, Any]:
    """Delete the records of restores past their retention, once the engine knows nothing of them any more."""

    async def remove(item: Item) -> bool:
        if await client.get_status(item.restores[0]):
            return False
        return await asyncio.to_thread(records.remove, item)

    await asyncio.to_thread(forget_rounds, datetime.fromisoformat(subject["began"]) - ROUNDS_KEPT)
    return await _answer(sweep(client, subject["began"], "records", records.look, remove))


@answering
def tell_housekeeping(subject: dict[str, Any]) -> None:
    """Publish what a chore has done."""
    told.tell(Told.from_wire(subject))
