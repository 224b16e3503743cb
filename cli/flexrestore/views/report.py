"""A report in short; the page and the JSON have it all."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flexrestore.phases import style_of
from flexrestore.texts import plain, text
from flexrestore.times import lasting, shown
from flexrestore.trouble import Json
from flexrestore.views.facts import facts_table
from flexrestore.views.files import label, state_style

_STEPS = ("load", "verification", "promotion", "script")


def report_view(report: Json) -> Group:
    """What was restored, from when, into what, and what is different."""
    return Group(*_parts(report))


def _parts(report: Json) -> Iterator[RenderableType]:
    phase = report.get("phase", "")
    yield Text.assemble((plain(report.get("requestId")), "bold"), "  ", (plain(phase), style_of(phase)))
    if report.get("message"):
        yield text(report["message"])
    yield facts_table(_facts(report))
    yield _files(report)
    for one in report.get("files") or ():
        for note in _notes(one):
            found = f"{note.get('kind')} {note.get('subject')}: {note.get('reason')}"
            yield text(f"{label(one.get('file') or {})}: {found}", "yellow")
    yield from (text(f"warning of the backup job: {warning}", "yellow") for warning in report.get("warnings") or ())
    yield from (text(f"left alone: {name}", "yellow") for name in report.get("unknown") or ())
    for error in report.get("errors") or ():
        yield text(f"{error.get('code')}: {error.get('message')}", "red")
        yield from (text(f"  {detail}", "red") for detail in error.get("details") or ())


def _facts(report: Json) -> Iterator[tuple[str, str]]:
    plan = report.get("plan") or {}
    target = plan.get("target") or {}
    yield "backup taken", shown((report.get("backupTaken") or {}).get("takenAt"))
    if point := plan.get("recoveryPoint"):
        yield "point", f"{shown(point.get('time'))} ({point.get('id')})"
    yield "into", " ".join(str(target[name]) for name in ("alias", "host", "version") if target.get(name))
    yield "backup job", report.get("job") or ""
    yield "times", ", ".join(f"{one['phase']} {lasting(one['seconds'])}" for one in report.get("times") or ())


def _files(report: Json) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for one in report.get("files") or ():
        file, failure = one.get("file") or {}, one.get("failure") or {}
        state = file.get("state", "")
        done = "; ".join(filter(None, (_verified(one.get("verification")), _loaded(one.get("load")))))
        reason = file.get("reason") or failure.get("message") or done
        table.add_row(text(label(file)), text(state, state_style(state)), text(reason))
    return table


def _verified(verification: Json | None) -> str:
    if not verification:
        return ""
    about = "" if verification.get("exact") else "about "
    return f"{verification.get('tables')} tables, {about}{verification.get('rows')} rows"


def _loaded(load: Json | None) -> str:
    if not load:
        return ""
    jobs = load.get("jobs", 1)
    over = f" over {jobs} connections" if jobs > 1 else ""
    return f"loaded {load.get('method')}{over} in {lasting(load.get('seconds', 0))}"


def _notes(file: Json) -> Iterator[Json]:
    """The notes of a file that matter: something is missing or different because of them."""
    for step in _STEPS:
        notes = (file.get(step) or {}).get("notes") or {}
        yield from (note for note in notes.get("items") or () if note.get("matters"))
