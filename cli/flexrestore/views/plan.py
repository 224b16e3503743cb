"""A plan: what would be restored, from when, and into what."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from flexrestore.texts import plain, size, text
from flexrestore.times import shown
from flexrestore.trouble import Json
from flexrestore.views.facts import facts_table

_SAID = ("onConflict", "roles", "owners", "grants", "mode", "priority")


def plan_view(plan: Json) -> Group:
    """Everything that an approver must know."""
    return Group(*_parts(plan))


def _parts(plan: Json) -> Iterator[RenderableType]:
    yield Text.assemble("Plan of ", (plain((plan.get("request") or {}).get("requestId")), "bold"))
    yield facts_table(_facts(plan))
    for one in plan.get("findings") or ():
        remedy = f" Mend it with: {one['remedy']}" if one.get("remedy") else ""
        yield text(f"{one.get('severity')}: {one.get('message')}{remedy}", "yellow")


def _facts(plan: Json) -> Iterator[tuple[str, str]]:
    request, target = plan.get("request") or {}, plan.get("target") or {}
    source = request.get("source") or {}
    if instance := plan.get("instance"):
        yield "from", f"{instance.get('server')} (backup instance {instance.get('name')})"
    elif source.get("container"):
        yield "from", f"files of {source.get('backupName')} in {source['container']}"
    if point := plan.get("recoveryPoint"):
        yield "point", f"{shown(point.get('time'))} ({point.get('id')})"
    yield "into", f"{target.get('alias')}: {target.get('host')}, PostgreSQL {target.get('version')}"
    yield "approval", "needed before anything is touched" if plan.get("needsApproval") else ""
    yield "databases", ", ".join(_choice(one) for one in request.get("databases") or ())
    yield "left out", ", ".join(request.get("exclude") or ())
    yield "options", ", ".join(f"{name} {request[name]}" for name in _SAID if request.get(name))
    yield "rows", "none: definitions only" if request.get("schemaOnly") else ""
    loading = plan.get("loading") or {}
    yield "loading", loading.get("rule") or ""
    for one in loading.get("databases") or ():
        yield "", f"{one.get('database')}, {size(one.get('size') or 0)}: {one.get('how')}"
    yield "", f"and {loading['leftOut']} more" if loading.get("leftOut") else ""
    for name, tool in sorted((plan.get("tools") or {}).items()):
        yield name, str(tool)


def _choice(choice: Json | str) -> str:
    if isinstance(choice, str):
        return choice
    return f"{choice.get('name')}" + (f" as {choice['as']}" if choice.get("as") else "")
