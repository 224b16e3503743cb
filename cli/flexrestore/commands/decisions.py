"""What people say about a restore: approve, reject, cancel, retry."""

from typing import Annotated

import typer

from flexrestore.commands.restores import Id, follow_up
from flexrestore.exits import Exit
from flexrestore.request import usable_id
from flexrestore.session import Session
from flexrestore.texts import text
from flexrestore.trouble import Json
from flexrestore.views.status import decision_text
from flexrestore.waiting import MayWait, address

Reason = Annotated[str, typer.Option("--reason", help="Why, for everybody who asks later.")]


def approve(session: Session, request_id: Id, reason: Reason) -> None:
    """Let a plan that waits for approval be carried out."""
    _decide(session, request_id, "approve", reason)


def reject(session: Session, request_id: Id, reason: Reason) -> None:
    """Refuse a plan that waits for approval."""
    _decide(session, request_id, "reject", reason)


def cancel(session: Session, request_id: Id, reason: Reason) -> None:
    """End a restore: what can be stopped is stopped, and what cannot is said."""
    cancelling = session.service.post(f"{address(request_id)}/cancel", _statement(session, reason)).body
    who = f"{request_id}  cancelled by {cancelling.get('by')}: {cancelling.get('reason')}"
    session.answer(cancelling, text(who), text(cancelling.get("message")))


def retry(
    session: Session,
    request_id: Id,
    waiting: MayWait,
    new_id: Annotated[
        str | None,
        typer.Option("--request-id", metavar="ID", parser=usable_id, help="Names the new restore; else ID-retry."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> Exit:
    """Import again what a restore did not bring, from the files that it left."""
    said = {"requestId": new_id, "requestedBy": session.settings.name, "reason": reason}
    body = {name: value for name, value in said.items() if value}
    started = session.service.post(f"{address(request_id)}/retry", body, repeatable=new_id is not None)
    return follow_up(session, started.body, waiting)


def _decide(session: Session, request_id: str, verdict: str, reason: str) -> None:
    decided = session.service.post(f"{address(request_id)}/{verdict}", _statement(session, reason)).body
    session.answer(decided, text(f"{request_id}  {decision_text(decided.get('decision') or {})}"))


def _statement(session: Session, reason: str) -> Json:
    return {"by": session.settings.name, "reason": reason}
