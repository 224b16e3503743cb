"""One restore in full, and many in a list."""

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flexrestore.phases import has_ended, style_of
from flexrestore.texts import plain, text
from flexrestore.times import clock, shown
from flexrestore.trouble import Json
from flexrestore.views.facts import facts_table
from flexrestore.views.files import files_table
from flexrestore.views.loads import loads_view
from flexrestore.views.plan import plan_view

_ASKS_WHY = {"approve", "reject", "cancel"}


def status_view(status: Json) -> Group:
    """Everything about one restore, what can be done about it at the end."""
    return Group(*_parts(status))


def _parts(status: Json) -> Iterator[RenderableType]:
    phase, request_id = status.get("phase", ""), plain(status.get("requestId"))
    yield Text.assemble((request_id, "bold"), "  ", (plain(phase), style_of(phase)))
    if status.get("message"):
        yield text(status["message"])
    yield facts_table(_facts(status))
    if status.get("files"):
        yield files_table(status["files"])
        yield from loads_view(status["files"])
    for error in status.get("errors") or ():
        yield text(f"{error.get('code')}: {error.get('message')}", "red")
        yield from (text(f"  {detail}", "red") for detail in error.get("details") or ())
    if status.get("plan"):
        yield plan_view(status["plan"])
    commands = [_command(action, request_id) for action in status.get("actions") or ()]
    if (status.get("report") or {}).get("json"):
        commands.insert(0, f"flexrestore report {request_id}")
    if commands:
        yield text("\n".join(["Next:", *(f"  {one}" for one in commands)]), "dim")


def _command(action: str, request_id: str) -> str:
    return f"flexrestore {action} {request_id}" + (" --reason WHY" if action in _ASKS_WHY else "")


def _facts(status: Json) -> Iterator[tuple[str, str]]:
    yield "source", f"{status.get('source') or ''}" + (f" ({status['mode']})" if status.get("mode") else "")
    yield "target", status.get("target") or ""
    yield "dry run", "yes" if status.get("dryRun") else ""
    yield "asked by", status.get("requestedBy") or ""
    yield "ticket", status.get("ticket") or ""
    yield "reason", status.get("reason") or ""
    yield "started", shown(status.get("startedAt"))
    yield "updated", shown(status.get("updatedAt"))
    yield "phases", ", ".join(f"{one['phase']} {clock(one['at'])}" for one in status.get("phases") or ())
    if job := status.get("job"):
        yield "backup job", f"{job['id']} {job['status']}"
    yield "container", status.get("container") or ""
    if not has_ended(status.get("phase", "")):
        yield "progress", f"{float(status.get('progress') or 0):.0%}"
    yield "approval", _approval(status.get("approval"))
    if cancellation := status.get("cancellation"):
        yield "cancelled by", f"{cancellation['by']}: {cancellation['reason']}"


def _approval(approval: Json | None) -> str:
    if not approval:
        return ""
    decision = approval.get("decision")
    return decision_text(decision) if decision else f"waited for until {shown(approval.get('deadline'))}"


def decision_text(decision: Json) -> str:
    """`approved by anna, 2026-11-25 01:05:30Z: looks right`."""
    by = f" by {decision['by']}" if decision.get("by") else ""
    reason = f": {decision['reason']}" if decision.get("reason") else ""
    return f"{decision.get('verdict')}{by}, {shown(decision.get('at'))}{reason}"


def list_table(restores: Iterable[Json]) -> Table:
    """Restores, one a line."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("restore", "phase", "started", "updated", "source", "target", "asked by", "ticket"):
        table.add_column(heading, overflow="fold")
    for one in restores:
        phase = one.get("phase", "")
        table.add_row(
            text(one.get("requestId")),
            text(phase + (" (dry run)" if one.get("dryRun") else ""), style_of(phase)),
            shown(one.get("startedAt")),
            shown(one.get("updatedAt")),
            *(text(one.get(name)) for name in ("source", "target", "requestedBy", "ticket")),
        )
    return table
