"""Decisions: approve or reject a plan, cancel a restore. The first one stands; each repeat has one answer."""

import asyncio
from datetime import UTC, datetime

import azure.durable_functions as df
import azure.functions as func
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from shared import decisions
from shared.contracts.api import Cancelling, Decided
from shared.contracts.decisions import Decision, Remark, Statement, Verdict
from shared.contracts.progress import Phase, RestoreProgress
from shared.errors import Conflict, NotAllowed, RequestRejected
from shared.instances import progress_of, request_of, requester_of, status_of, wake
from shared.requesters import asked_for
from shared.settings import access
from shared.storage.ledger import Ledger
from triggers.http.access import caller_of
from triggers.http.answers import Answer, body_of
from triggers.http.restores import no_restore, request_id_of, retry_after


async def post_approve(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> Answer:
    """Approve the plan that waits for it."""
    return await _decide(req, client, Verdict.APPROVED)


async def post_reject(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> Answer:
    """Reject the plan that waits for approval."""
    return await _decide(req, client, Verdict.REJECTED)


async def post_cancel(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> Answer:
    """Cancel a restore: what can be stopped is stopped, what cannot is said."""
    request_id, statement = request_id_of(req), _statement(req)
    progress = progress_of(await _status(client, request_id))
    ledger = Ledger(request_id)
    if progress.phase.is_terminal:
        raise _over(request_id, progress.phase)
    end = await asyncio.to_thread(decisions.cancel, ledger, statement)
    if end.cancelled is None:
        raise Conflict(f"Restore {request_id} is ending by itself at this moment; nothing was cancelled.")
    await wake(client, request_id)
    content = Cancelling(
        request_id=request_id,
        by=end.cancelled.by,
        reason=end.cancelled.reason,
        message=_what_stops(progress),
    )
    return Answer(content, 202, retry_after())


async def _decide(req: func.HttpRequest, client: df.DurableOrchestrationClient, verdict: Verdict) -> Answer:
    request_id, statement = request_id_of(req), _statement(req)
    status = await _status(client, request_id)
    if verdict is Verdict.APPROVED:
        _require_another(req, request_id, status)
    progress, ledger = progress_of(status), Ledger(request_id)
    standing = await asyncio.to_thread(decisions.decision, ledger)
    if standing is None:
        await asyncio.to_thread(_require_waiting, ledger, progress)
        standing = await asyncio.to_thread(decisions.decide, ledger, verdict, statement)
    if standing.verdict is not verdict:
        raise Conflict(_decided_otherwise(request_id, standing))
    await wake(client, request_id)
    return Answer(Decided(request_id=request_id, decision=standing))


def _require_waiting(ledger: Ledger, progress: RestoreProgress) -> None:
    """See to it that the plan can still be decided on.

    Raises:
        Conflict: it cannot.
    """
    name = f"Restore {ledger.request_id}"
    if progress.phase.is_terminal:
        raise _over(ledger.request_id, progress.phase)
    if progress.phase is not Phase.AWAITING_APPROVAL or progress.approval is None:
        raise Conflict(f"{name} does not wait for approval: it is {progress.phase}.")
    if (end := decisions.end(ledger)) is not None:
        by = f"{end.cancelled.by} has cancelled it" if end.cancelled else "it is ending"
        raise Conflict(f"{name} can no longer be decided on: {by}.")
    if not progress.approval.is_open(datetime.now(UTC)):
        raise Conflict(f"{name} waited for approval until {progress.approval.deadline.isoformat()}: that is over.")


def _decided_otherwise(request_id: str, standing: Decision) -> str:
    if standing.verdict is Verdict.EXPIRED:
        return f"Nobody decided on restore {request_id} in time: it was rejected at {standing.at.isoformat()}."
    return (
        f"{standing.by} has {standing.verdict} restore {request_id} at {standing.at.isoformat()}: that decision stands."
    )


def _over(request_id: str, phase: Phase) -> Conflict:
    return Conflict(f"Restore {request_id} has ended as {phase}; nothing of it can be decided or cancelled any more.")


async def _status(client: df.DurableOrchestrationClient, request_id: str) -> DurableOrchestrationStatus:
    status = await status_of(client, request_id)
    if not status:
        raise no_restore(request_id)
    return status


def _statement(req: func.HttpRequest) -> Statement:
    """What the caller says, under the name that Entra proves, or the one that the caller gives.

    Raises:
        RequestRejected: the caller says nothing, or nobody knows who says it.
    """
    remark, identity = body_of(req, Remark, "The statement"), caller_of(req).identity
    if identity is not None:
        return Statement(by=identity.speaking(remark.by), reason=remark.reason, object_id=identity.object_id)
    if not remark.by:
        text = "The statement has 1 error(s); correct them and send it again."
        raise RequestRejected(text, details=["by: is missing"])
    return Statement(by=remark.by, reason=remark.reason)


def _require_another(req: func.HttpRequest, request_id: str, status: DurableOrchestrationStatus) -> None:
    """See to it that nobody approves a request of their own.

    Raises:
        NotAllowed: they do.
    """
    identity = caller_of(req).identity
    if identity is None or not access().needs_other_approver:
        return
    if asked_for(identity, requester_of(status), request_of(status)):
        raise NotAllowed(f"You asked for restore {request_id} yourself: somebody else has to approve it.")


def _what_stops(progress: RestoreProgress) -> str:
    """What a cancel does to a restore as it stands."""
    match progress.phase:
        case Phase.RESTORING:
            job = f"backup job {progress.job}" if progress.job else "a backup job that was just asked for"
            return (
                f"The import is stopped and its temporary databases are dropped; databases that stand already stay. "
                f"The vault offers no cancel: {job} runs to its end, then its files are deleted."
            )
        case Phase.IMPORTING | Phase.VERIFYING:
            return (
                "The import is stopped and its temporary databases are dropped; "
                "databases that stand already stay, and so do roles."
            )
        case _:
            return "Nothing was touched yet: the restore just ends."
