"""The report as a page: one file without scripts, which shows what came from a backup as text and nothing else."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from shared import figures
from shared.contracts.decisions import Verdict
from shared.contracts.files import FileKind
from shared.contracts.imports import LoadMethod, Note, NoteKind, ScriptRun
from shared.contracts.progress import FileState, Phase
from shared.contracts.report import FileReport, Report
from shared.next_steps.facts import databases, final_name

if TYPE_CHECKING:
    from jinja2 import Template

LONG = 8
"""Entries of a list that are shown at once; a longer list is folded, and open on paper."""
NOTES_SHOWN = 3_000
"""Notes that the page shows of those that matter, and of the others; report.json holds them all."""

_TONES = {
    Phase.COMPLETED: "good",
    Phase.COMPLETED_WITH_WARNINGS: "warn",
    Phase.PARTIALLY_FAILED: "bad",
    Phase.FAILED: "bad",
    Phase.REJECTED: "bad",
    FileState.IMPORTED: "good",
    FileState.WARNED: "warn",
    FileState.FAILED: "bad",
    Verdict.APPROVED: "good",
    Verdict.REJECTED: "bad",
    Verdict.EXPIRED: "bad",
}
"""How phases, states and verdicts are coloured; their words say the same."""

_WORDS = {
    Phase.COMPLETED_WITH_WARNINGS: "Completed with warnings",
    Phase.PARTIALLY_FAILED: "Partially failed",
    Phase.AWAITING_APPROVAL: "Awaiting approval",
    Phase.AWAITING_LANDING: "Awaiting landing",
    FileState.LANDED: "not imported",
    FileState.IMPORTING: "not finished",
    FileState.LOADED: "not finished",
    FileState.VERIFIED: "not finished",
    FileState.WARNED: "imported, with differences",
    FileState.SKIPPED: "not imported, on purpose",
    Verdict.EXPIRED: "Nobody decided in time",
    Verdict.APPROVED: "Approved",
    Verdict.REJECTED: "Rejected",
}

_NOTES = {NoteKind.SKIPPED: "left out", NoteKind.TOLERATED: "not possible"}
"""What became of a statement."""

_LISTS = {
    "created": "Created",
    "updated": "Existed, and were given what the backup says",
    "kept": "Existed, and were left as they are",
    "without_password": "Log in, and need a new password",
}
"""What the lists of names are called that the run of a script has."""

_KINDS = {
    "BLOB": "large object",
    "DEFAULT": "default value",
    "FK CONSTRAINT": "foreign key",
    "INDEX ATTACH": "attached index",
    "MATERIALIZED VIEW DATA": "filled materialized view",
    "ROW SECURITY": "row security setting",
    "STATISTICS": "extended statistic",
    "TABLE ATTACH": "attached partition",
}
"""Kinds of entries whose names in a table of contents do not tell what they are."""


def page(report: Report) -> str:
    """The report as a page."""
    return _template().render(
        report=report,
        style=Markup(_resource("report.css")),  # noqa: S704 -- our own file
        databases=_asked_for(report),
        scripts=_scripts(report),
        matters=_noted(report, matters=True),
        expected=_noted(report, matters=False),
        sections=_sections(report),
        raw_request=json.dumps(report.request, indent=2, ensure_ascii=False),
        longest=max((one.seconds for one in report.times), default=0) or 1,
        long=LONG,
    )


def _sections(report: Report) -> dict[str, str]:
    """The page's sections that have something to say, by their anchors, in order."""
    sections = {
        "errors": ("What went wrong", report.errors),
        "next": ("What to do next", True),
        "request": ("What was asked for", True),
        "decisions": ("Who decided", True),
        "plan": ("The plan", report.plan),
        "databases": ("Databases", _asked_for(report)),
        "scripts": ("Roles and other scripts", _scripts(report)),
        "differences": ("What differs from the source", report.files),
        "warnings": ("What the backup job warned of", report.warnings),
        "files": ("Every file", report.files or report.unknown),
        "times": ("Times", report.phases),
    }
    return {name: title for name, (title, content) in sections.items() if content}


def _scripts(report: Report) -> list[FileReport]:
    """The plain scripts that were run."""
    return [one for one in report.files if one.file.kind is not FileKind.DATABASE and (one.script or one.failure)]


def _asked_for(report: Report) -> list[FileReport]:
    """The databases that the request asked for, also where one was in the way."""
    return [one for one in databases(report) if one.file.state is not FileState.SKIPPED or one.file.final_name]


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 -- heavy: only the end of a restore needs it

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    environment.filters |= {
        "counted": figures.counted,
        "duration": figures.duration,
        "moment": figures.moment,
        "name": figures.visible_name,
        "number": figures.number,
        "sentence": lambda text: text[:1].upper() + text[1:],
        "says_more": lambda step: not all(subject in step.what for subject in step.subjects),
        "size": figures.size,
        "fate": lambda kind: _NOTES.get(kind, str(kind)),
        "tone": lambda word: _TONES.get(word, "calm"),
        "words": lambda word: _WORDS.get(word, str(word)),
    }
    environment.globals |= {
        "final_name": final_name,
        "how_loaded": how_loaded,
        "lists_of": lists_of,
        "objects_of": objects_of,
    }
    return environment.from_string(_resource("report.html.j2"))


def _resource(name: str) -> str:
    return resources.files(__package__ or "shared").joinpath(name).read_text("utf-8")


def _shown(value: Any) -> Any:
    """What an expression of the template shows: characters that do not show themselves are marked."""
    return figures.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@dataclass(frozen=True)
class _Noted:
    """The notes of one file that the page shows."""

    one: FileReport
    notes: Sequence[Note]
    more: int
    """How many more report.json holds."""


def _noted(report: Report, *, matters: bool) -> list[_Noted]:
    """The files with notes that matter, or with others; as much of them as a page bears, fairly shared."""
    found = [(one, [note for note in one.notes if note.matters is matters]) for one in report.files]
    found = [(one, notes) for one, notes in found if notes or (matters and one.notes_left_out)]
    share = max(LONG, NOTES_SHOWN // max(1, len(found)))
    return [_Noted(one, notes[:share], len(notes[share:])) for one, notes in found]


def how_loaded(one: FileReport) -> str:
    """How a database was loaded, in words, and why that way."""
    load = one.load
    if load is None:
        return ""
    way = {
        LoadMethod.STAGED_PARALLEL: f"Downloaded, then loaded with {figures.counted(load.jobs, 'job')} side by side",
        LoadMethod.SLICED: f"Loaded in slices, {load.jobs} at a time, without a copy on disk",
        LoadMethod.STREAMED: "Streamed from the container, without a copy on disk",
        LoadMethod.DEFINITIONS: "Definitions without rows",
        LoadMethod.SCRIPT: "Plain SQL, run by psql",
    }[load.method]
    return f"{way}: {load.method_reason}."


def lists_of(script: ScriptRun) -> list[tuple[str, tuple[str, ...]]]:
    """The lists of names that the run of a script has, each with what it is called; empty ones are left out."""
    fields = [name for name, field in ScriptRun.model_fields.items() if field.annotation == tuple[str, ...]]
    found = [(_LISTS.get(name, name.replace("_", " ").capitalize()), getattr(script, name)) for name in fields]
    return [(label, names) for label, names in found if names]


def objects_of(objects: dict[str, int]) -> list[str]:
    """`12 tables`, `9 indexes`, the most frequent first."""
    return [
        figures.counted(count, noun, _plural(noun))
        for kind, count in sorted(objects.items(), key=lambda one: (-one[1], one[0]))
        if (noun := _KINDS.get(kind, kind.lower()))
    ]


def _plural(noun: str) -> str:
    if noun.endswith(("cy", "ty", "ry")):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("x", "s")) else f"{noun}s"
