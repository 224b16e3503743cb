"""What can be restored, and whereto: backup instances, recovery points, target servers."""

import asyncio

import azure.durable_functions as df
import azure.functions as func

from shared.contracts.api import InstanceList, PointList, PointQuery, TargetInfo, TargetList
from shared.errors import NotFound, RequestRejected
from shared.settings import settings
from shared.vault import instances, recovery_points
from triggers.http.answers import Answer, query_of


async def get_instances(_req: func.HttpRequest, _client: df.DurableOrchestrationClient) -> Answer:
    """List the flexible servers that the vault protects."""
    return Answer(InstanceList(instances=tuple(await asyncio.to_thread(instances.protected))))


async def get_recovery_points(req: func.HttpRequest, _client: df.DurableOrchestrationClient) -> Answer:
    """List the recovery points of a backup instance, the newest first."""
    query = query_of(req, PointQuery)
    return Answer(await asyncio.to_thread(_points, req.route_params["instance"], query))


def _points(wanted: str, query: PointQuery) -> PointList:
    try:
        instance = instances.resolve(wanted)
    except RequestRejected as error:
        raise NotFound(error.text) from error
    points = recovery_points.between(instance, query.since, query.until)
    return PointList(instance=instance.name, points=tuple(points))


async def get_targets(_req: func.HttpRequest, _client: df.DurableOrchestrationClient) -> Answer:
    """List the target servers that the operator configured."""
    targets = sorted(settings().targets.items())
    known = (TargetInfo(alias=alias, host=target.host, approval=target.approval) for alias, target in targets)
    return Answer(TargetList(targets=tuple(known)))
