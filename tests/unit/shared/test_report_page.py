"""The report's page: what came from a backup is text there, and whatever has to be said has its place."""

import html.parser
import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from local.samples import database_load
from shared import report_page
from shared.contracts.decisions import Approval, Decision, Statement, Verdict
from shared.contracts.files import FileKind
from shared.contracts.imports import (
    CheckResult,
    LoadMethod,
    Note,
    NoteKind,
    Notes,
    Promotion,
    ScriptRun,
    Verification,
)
from shared.contracts.outcome import Failure
from shared.contracts.progress import FileProgress, FileState, Phase, PhaseEntry
from shared.contracts.report import Command, FileReport, PhaseTime, Report, Step, StepKind, Who
from shared.report_page import LONG, lists_of, objects_of, page

NOW = datetime(2026, 4, 1, 2, 30, tzinfo=UTC)
HOSTILE = "</code></pre></title></style><script>alert('x')</script><img src=x onerror=\"alert(1)\">&amp;"


def report(*files: FileReport, **more: Any) -> Report:
    known: dict[str, Any] = {
        "phase": Phase.COMPLETED,
        "message": "",
        "request": {},
        "plan": None,
        "container": "",
        "phases": (),
        "times": (),
        **more,
    }
    return Report(request_id="INC-1", backup_taken=None, job="", files=files, written_at=NOW.isoformat(), **known)


def database(name: str = "orders", *notes: Note, **more: Any) -> FileReport:
    load = database_load(
        method=more.pop("method", LoadMethod.STAGED_PARALLEL),
        seconds=3_780,
        notes=Notes(items=notes, left_out=more.pop("left_out", 0)),
    )
    progress = FileProgress(
        name=f"b_database_{name}.sql",
        kind=FileKind.DATABASE,
        database=name,
        final_name=name,
        size=2_048,
        state=FileState.WARNED,
    )
    return FileReport(
        file=progress,
        load=load,
        verification=Verification(
            tables=12,
            rows=1_234_567,
            exact=False,
            objects={"TABLE": 12, "FK CONSTRAINT": 1},
            checks=(CheckResult(name=f"{name} is recent", ok=True, answer=f"True {name}"),),
        ),
        promotion=Promotion(name=name, oid=7, replaced=True),
        **more,
    )


def roles(**lists: tuple[str, ...]) -> FileReport:
    progress = FileProgress(name="b_roles.sql", kind=FileKind.ROLES, state=FileState.IMPORTED)
    return FileReport(file=progress, script=ScriptRun(statements=3, seconds=0.2, **lists))


class Page(html.parser.HTMLParser):
    """A page as a browser sees it: its elements in order, their attributes, and its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(source)
        self.close()

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.texts.append(" ")
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def shown(found: Report) -> Page:
    return Page(page(found))


def note(subject: str = "EXTENSION x", *, matters: bool = True, statement: str = "") -> Note:
    return Note(kind=NoteKind.SKIPPED, subject=subject, reason="no such thing", statement=statement, matters=matters)


EVERYWHERE = report(
    database(
        HOSTILE,
        note(HOSTILE, statement=HOSTILE),
        failure=Failure(code=HOSTILE, message=HOSTILE, details=(HOSTILE,)),
        log=HOSTILE,
        verdict=HOSTILE,
    ),
    roles(created=(HOSTILE,)),
    message=HOSTILE,
    request={"requestedBy": HOSTILE, "ticket": HOSTILE},
    approval=Approval(deadline=NOW, decision=Decision(verdict=Verdict.APPROVED, by=HOSTILE, reason=HOSTILE, at=NOW)),
    cancellation=Statement(by=HOSTILE[:200], reason=HOSTILE),
    unknown=(HOSTILE,),
    warnings=(HOSTILE,),
    errors=(Failure(code="ImportFailed", message=HOSTILE, details=(HOSTILE,)),),
    next_steps=(
        Step(
            kind=StepKind.GRANT,
            who=Who.DATABASE_ADMIN,
            what=HOSTILE,
            why=HOSTILE,
            how=HOSTILE,
            subjects=(HOSTILE, "b"),
            commands=(Command(text=HOSTILE, language="sql", database=HOSTILE),),
        ),
    ),
)
"""A report whose every text means harm."""


def test_a_hostile_text_is_shown_as_it_is_wherever_it_stands() -> None:
    found = shown(EVERYWHERE)

    assert not {"script", "img"} & {*found.tags}
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert "".join(found.texts).count(HOSTILE) >= 26


def test_a_saved_page_is_as_safe_as_a_served_one() -> None:
    found = shown(EVERYWHERE)

    [policy] = [value for name, value in found.attributes if name == "content" and "default-src" in value]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert found.tags[:4] == ["html", "head", "meta", "meta"]
    assert all(value.startswith("#") for name, value in found.attributes if name in {"href", "src"})
    assert "url(" not in page(EVERYWHERE)
    assert "@import" not in page(EVERYWHERE)


def test_what_does_not_show_itself_is_marked_on_the_page() -> None:
    found = shown(report(database("evil\u202egnp\n.exe"), message="it said\0nothing"))

    assert "evil⟨U+202E⟩gnp⟨U+000A⟩.exe" in found.text
    assert "It said⟨U+0000⟩nothing" in found.text
    assert "\u202e" not in found.text


def test_a_page_can_be_written_whatever_its_texts_hold() -> None:
    found = page(report(database("lone\udce9"), request={"reason": "\ud800"}))

    assert "lone⟨U+DCE9⟩" in found
    found.encode()


def test_a_database_is_told_with_its_figures_in_words() -> None:
    text = shown(report(database())).text

    for words in (
        "about 1,234,567 in 12 tables ",
        "12 tables, 1 foreign key",
        "2.0 KiB",
        "1 h 03 min",
        "Downloaded, then loaded with 4 jobs side by side: there is room.",
        "in the place of a database that is gone now",
        "orders is recent: True orders",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (LoadMethod.SLICED, "Loaded in slices, 4 at a time"),
        (LoadMethod.STREAMED, "Streamed from the container"),
        (LoadMethod.DEFINITIONS, "Definitions without rows"),
        (LoadMethod.SCRIPT, "Plain SQL, run by psql"),
    ],
)
def test_how_a_database_was_loaded_is_told(method: LoadMethod, words: str) -> None:
    assert f"{words}" in shown(report(database(method=method))).text


def test_differences_that_matter_are_told_apart_from_what_was_expected() -> None:
    found = shown(report(database("d", note("lost"), note("usual", matters=False), left_out=3))).text

    lost, usual = found.index(" lost:"), found.index(" usual:")
    assert found.index("Lost or different") < lost < found.index("As expected") < usual
    assert "3 more are in the log only" in found


def test_a_page_shows_as_many_differences_as_it_bears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_page, "NOTES_SHOWN", 40)
    many = [database(name, *(note(f"{name}-{number}") for number in range(30))) for name in ("a", "b")]
    found = shown(report(*many)).text

    assert (" b-19:" in found, " b-20:" in found) == (True, False)
    assert found.count("10 more are in report.json") == 2


def test_where_nothing_differs_that_is_said() -> None:
    assert "Lost or different Nothing." in shown(report(database())).text


def test_a_long_list_is_folded_and_a_short_one_is_not() -> None:
    def folded(count: int) -> int:
        return shown(report(roles(kept=tuple(f"r{n}" for n in range(count))))).tags.count("details")

    assert folded(LONG + 1) == folded(LONG) + 1


def test_every_list_of_names_of_a_script_is_shown() -> None:
    run = ScriptRun(statements=1, seconds=1, created=("a",), kept=("b",), without_password=("c",))

    names = [name for name, field in ScriptRun.model_fields.items() if field.annotation == tuple[str, ...]]
    assert {one for _, listed in lists_of(run) for one in listed} == {"a", "b", "c"}
    assert len(lists_of(run)) == len([name for name in names if getattr(run, name)])


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        ({"TABLE": 2, "INDEX": 3}, ["3 indexes", "2 tables"]),
        ({"POLICY": 2, "FK CONSTRAINT": 2, "TEXT SEARCH DICTIONARY": 2}, ["2 foreign keys", "2 policies", "2 text"]),
        ({"BLOB": 1, "STATISTICS": 2}, ["2 extended statistics", "1 large object"]),
    ],
)
def test_objects_are_counted_by_kind_the_most_frequent_first(objects: dict[str, int], words: list[str]) -> None:
    assert all(found.startswith(word) for found, word in zip(objects_of(objects), words, strict=True))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "Nobody had to approve the plan. Cancellation Nobody cancelled the restore."),
        ({"approval": Approval(deadline=NOW)}, "Nobody had decided when the restore ended."),
        (
            {"approval": Approval(deadline=NOW, decision=Decision(verdict=Verdict.EXPIRED, at=NOW))},
            "Nobody decided in time at 2026-04-01 02:30:00 UTC",
        ),
        (
            {
                "approval": Approval(
                    deadline=NOW, decision=Decision(verdict=Verdict.REJECTED, by="grace", reason="not today", at=NOW)
                )
            },
            "Rejected by grace at 2026-04-01 02:30:00 UTC: not today",
        ),
        (
            {"cancellation": Statement(by="ada", reason="wrong server"), "cancelled_at": NOW},
            "Cancelled by ada at 2026-04-01 02:30:00 UTC: wrong server",
        ),
    ],
)
def test_who_decided_is_told_with_when_and_why(more: dict[str, Any], words: str) -> None:
    assert words in shown(report(**more)).text


def test_a_step_is_told_with_who_why_and_how() -> None:
    step = Step(
        kind=StepKind.SET_PASSWORDS,
        who=Who.DATABASE_ADMIN,
        what="Set a password.",
        why="There is none.",
        how="With psql.",
        commands=(Command(text='ALTER ROLE "a" PASSWORD <new password>;', language="sql"),),
    )
    text = shown(report(next_steps=(step, step.model_copy(update={"required": False, "what": "Know it."})))).text

    assert "Has to be done Set a password. Who database administrator Why There is none. How With psql." in text
    assert 'SQL ALTER ROLE "a" PASSWORD <new password>;' in text
    assert text.index("Good to know") < text.index("Know it.")


def test_headings_step_down_by_one_and_tables_have_headers_with_a_scope() -> None:
    phases = (PhaseEntry(phase=Phase.ACCEPTED, at=NOW.isoformat()),)
    found = shown(
        EVERYWHERE.model_copy(update={"phases": phases, "times": (PhaseTime(phase=Phase.ACCEPTED, seconds=1),)})
    )

    levels = [int(tag[1]) for tag in found.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert found.tags.count("th") == [name for name, _ in found.attributes].count("scope")
    assert ("lang", "en") in found.attributes


def test_each_entry_of_the_contents_leads_somewhere() -> None:
    found = shown(EVERYWHERE)

    anchors = [value for name, value in found.attributes if name == "id"]
    links = [value.removeprefix("#") for name, value in found.attributes if name == "href"]
    assert len(links) >= 8
    assert set(links) <= set(anchors)
    assert len(anchors) == len(set(anchors))


def test_a_short_report_has_no_contents() -> None:
    assert "nav" not in shown(report(phase=Phase.REJECTED)).tags
