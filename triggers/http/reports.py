"""The report of a restore that has ended, as it is kept."""

import asyncio

import azure.durable_functions as df
import azure.functions as func

from shared import reporting
from shared.errors import NotFound
from shared.instances import progress_of
from triggers.http.answers import Answer
from triggers.http.restores import request_id_of

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; sandbox; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""A report shows what came from a backup: no part of it may run or load anything."""


async def get_report(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> Answer:
    """The report as JSON."""
    return Answer(await _read(req, client, "json"))


async def get_report_page(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> Answer:
    """The report as a page."""
    headers = {"Content-Security-Policy": _POLICY}
    return Answer(await _read(req, client, "page"), headers=headers, mimetype="text/html")


async def _read(req: func.HttpRequest, client: df.DurableOrchestrationClient, form: reporting.Form) -> str:
    request_id = request_id_of(req)
    status = await client.get_status(request_id)  # a history may be purged before its report
    runs = bool(status) and not progress_of(status).phase.is_terminal
    text = None if runs else await asyncio.to_thread(reporting.read, request_id, form)
    if text is None:
        raise NotFound(f"There is no report of restore {request_id}: it is written when the restore ends.")
    return text
