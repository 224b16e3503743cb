"""Plans, restores, and looks at them."""

from dataclasses import dataclass
from typing import Annotated

import typer

from flexrestore import completion
from flexrestore.commands.catalog import From, To
from flexrestore.exits import Exit
from flexrestore.phases import exit_of, has_ended
from flexrestore.request import Asked, request_of, usable_id
from flexrestore.session import Session
from flexrestore.trouble import Json
from flexrestore.views.plan import plan_view
from flexrestore.views.status import list_table, status_view
from flexrestore.waiting import MayWait, Waiting, address, wait_for

Id = Annotated[str, typer.Argument(metavar="ID", parser=usable_id, help="The restore's request id.")]


def plan(session: Session, asked: Asked) -> None:
    """What a restore would do, checked now; nothing is started."""
    found = session.service.post("plans", _request(session, asked), repeatable=True).body
    session.answer(found, plan_view(found))


def restore(
    session: Session,
    asked: Asked,
    waiting: MayWait,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start without showing the plan and asking.")] = False,
) -> Exit:
    """Start a restore: show the plan, ask, and start it."""
    request = _request(session, asked)
    if not yes and not _is_wanted(session, asked, request):
        session.say("Nothing was started.", "yellow")
        return Exit.CANCELLED
    session.say(f"Starting {request['requestId']}")
    started = session.service.post("restores", request, repeatable=True).body
    return follow_up(session, started, waiting)


def _request(session: Session, asked: Asked) -> Json:
    return request_of(asked, lambda: session.settings.name, session.surroundings.now())


def _is_wanted(session: Session, asked: Asked, request: Json) -> bool:
    """Ask the person who sees the plan."""
    if asked.file == "-" or not session.surroundings.can_ask():
        raise typer.BadParameter("there is nobody to ask whether the restore shall start: say --yes.")
    session.err.print(plan_view(session.service.post("plans", request, repeatable=True).body))
    try:
        return typer.confirm("Start this restore?", err=True)
    except typer.Abort:
        return False


def follow_up(session: Session, started: Json, waiting: MayWait) -> Exit:
    """What comes after a start: wait for the end, or say where to look."""
    request_id, phase = started["requestId"], started["phase"]
    if started.get("duplicate"):
        session.say(f"The same request had started {request_id} before.", "yellow")
    if waiting.wait:
        return wait_for(session, request_id, waiting)
    session.answer(started, f"{request_id}  {phase}")
    if not has_ended(phase):
        session.say(f"Look at it with: flexrestore wait {request_id}", "dim")
    return exit_of(phase, strict=waiting.strict)


def wait(session: Session, request_id: Id, waiting: Waiting) -> Exit:
    """Show how a restore goes until it has ended."""
    return wait_for(session, request_id, waiting)


def show(session: Session, request_id: Id) -> None:
    """Everything about one restore: phases, job, files, what can be done."""
    status = session.service.get(address(request_id)).body
    session.answer(status, status_view(status))


@dataclass(frozen=True)
class Filters:
    """Which restores are listed."""

    phase: Annotated[list[str] | None, typer.Option(metavar="PHASE", help="In this phase; repeatable.")] = None
    target: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Into this server.", autocompletion=completion.targets)
    ] = None
    requested_by: Annotated[str | None, typer.Option(metavar="NAME", help="Asked for by.")] = None
    since: From = None
    until: To = None
    size: Annotated[int | None, typer.Option(min=1, max=200, help="So many at once; else 50.")] = None
    after: Annotated[str | None, typer.Option(metavar="NEXT", help="The page after: what the last one gave.")] = None

    @property
    def query(self) -> dict[str, str | int | None]:
        """As the service calls them."""
        return {
            "phase": ",".join(self.phase or ()),
            "target": self.target,
            "requestedBy": self.requested_by,
            "from": self.since,
            "to": self.until,
            "size": self.size,
            "after": self.after,
        }


def list_restores(
    session: Session,
    filters: Filters,
    every: Annotated[bool, typer.Option("--all", help="All pages.")] = False,
) -> None:
    """Restores, the newest first."""
    page = session.service.get("restores", query=filters.query).body
    restores = list(page.get("restores") or ())
    while every and page.get("next"):
        page = session.service.get("restores", query={**filters.query, "after": page["next"]}).body
        restores += page.get("restores") or ()
    following = page.get("next")
    session.answer({"restores": restores, "next": following}, list_table(restores))
    if following:
        session.say(f"There are more: --after {following}, or --all", "dim")
