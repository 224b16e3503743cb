"""The report's page in a browser: nothing is loaded, nothing runs, and it fits a phone, a screen, and paper."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from shared.contracts.decisions import Approval, Decision, Verdict
from shared.contracts.files import Marker
from shared.contracts.imports import (
    ArchiveFormat,
    ArchiveSummary,
    DatabaseLoad,
    LoadMethod,
    Note,
    NoteKind,
    Notes,
    Promotion,
    ScriptRun,
    Verification,
)
from shared.contracts.outcome import Failure
from shared.contracts.plan import BackupInstanceRef, Finding, Plan, RecoveryPointRef, TargetRef
from shared.contracts.progress import FileProgress, FileState, Phase, PhaseEntry
from shared.contracts.report import FileReport, Landing, PhaseTime, Report
from shared.contracts.request import read_request
from shared.next_steps.steps import next_steps
from shared.report_page import page
from shared.report_summary import summarize, verdict
from shared.request_words import in_words
from shared.storage.landing import classify

HOSTILE = "<script>alert(1)</script>"
TRICKY = "evil\u202egnp.exe\n" + "x" * 300
BACKUP = "8d2f1c34-9b70-4a55-b0a1-6c1f0d1c7e21"
REQUEST = {
    "version": "1",
    "requestId": "INC-4711",
    "source": {"backupInstance": "orders", "atOrBefore": "2026-04-01T03:00:00Z"},
    "target": "drill",
    "databases": [{"name": "atlas", "as": "atlas_drill"}, "*"],
    "exclude": ["scratch_*"],
    "onConflict": "replace",
    "requestedBy": "Ada Lovelace <ada@example.org>",
    "reason": "Yearly drill: does the backup of the order system come back, and how long does it take?",
    "ticket": "INC-4711",
}
PHASES = {
    Phase.ACCEPTED: "02:30:00",
    Phase.PLANNING: "02:30:01",
    Phase.AWAITING_APPROVAL: "02:30:14",
    Phase.AWAITING_LANDING: "02:47:51",
    Phase.RESTORING: "02:47:53",
    Phase.IMPORTING: "03:29:12",
    Phase.VERIFYING: "03:51:40",
}


def note(kind: NoteKind, subject: str, reason: str, statement: str = "", *, matters: bool = True) -> Note:
    return Note(kind=kind, subject=subject, reason=reason, statement=statement, matters=matters)


MISSING = 'there is no role "auditor" on the target server'
NOTES = (
    note(
        NoteKind.SKIPPED,
        "EVENT TRIGGER audit_ddl",
        "only a superuser can create event triggers, and a managed server has none for customers",
        "CREATE EVENT TRIGGER audit_ddl ON ddl_command_end EXECUTE FUNCTION audit()",
    ),
    note(NoteKind.CHANGED, 'owner "auditor"', f"{MISSING}: flexadmin owns 3 objects instead, such as TABLE audit log"),
    *(
        note(NoteKind.SKIPPED, f"ACL audit TABLE log_{n}", MISSING, f"GRANT SELECT ON TABLE audit.log_{n} TO auditor;")
        for n in range(12)
    ),
    note(NoteKind.SKIPPED, "COMMENT EXTENSION plpgsql", "the service installs this extension itself", matters=False),
    note(NoteKind.CHANGED, 'role "app"', "flexadmin is a member of it now", matters=False),
)


def database(
    name: str, rows: int, state: FileState = FileState.IMPORTED, final_name: str = "", **more: Any
) -> FileReport:
    size = rows * 61 + 4096
    load = DatabaseLoad(
        temporary_name="flexrestore_1",
        oid=16500,
        method=LoadMethod.STAGED_PARALLEL,
        method_reason="local disk has 31.4 GB to spare, the file needs 218 MB",
        tool="pg_restore 18.6 (/usr/lib/postgresql/18/bin/pg_restore, from PATH)",
        jobs=4,
        seconds=rows / 61_803,
        archive=ArchiveSummary(
            format=ArchiveFormat.CUSTOM,
            size=size,
            dumped_from="16.4",
            dumped_by="17.2",
            archive_version="1.16",
            entries=412,
            extensions=("pgcrypto", "vector"),
            roles=("app", "auditor"),
        ),
        notes=Notes(items=more.pop("notes", ())),
    )
    objects = {"TABLE": 38, "INDEX": 61, "FK CONSTRAINT": 22, "CONSTRAINT": 40, "SEQUENCE": 19, "VIEW": 7, "POLICY": 1}
    one = FileReport(
        file=FileProgress(
            name=f"{BACKUP}_database_{name}.sql",
            kind="database",
            database=name,
            final_name=final_name or name,
            size=size,
            state=state,
            reason=more.pop("reason", ""),
        ),
        load=load if state is not FileState.FAILED else None,
        verification=Verification(tables=38, rows=rows, exact=rows < 10**8, objects=objects),
        promotion=Promotion(name=final_name or name, oid=16500, replaced=more.pop("replaced", False)),
        log=f"INC-4711/logs/{BACKUP}_database_{name}.sql.log",
    )
    if state is FileState.FAILED:
        one = one.model_copy(update={"verification": None, "promotion": None, **more})
    return one.model_copy(update={"verdict": verdict(one)})


def other(name: str, state: FileState, reason: str = "", script: ScriptRun | None = None) -> FileReport:
    file = classify(name, size=8_642)
    assert file is not None
    progress = FileProgress(
        name=name, kind=file.kind, database=file.database, size=file.size, state=state, reason=reason
    )
    return FileReport(file=progress, script=script)


def rich_report() -> Report:
    """A report that has something of everything."""
    extension = Failure(
        code="TargetRefused",
        message="the database needs extensions that the target server does not allow: postgis; allow them with: az"
        " postgres flexible-server parameter set --resource-group GROUP --server-name SERVER --name azure.extensions"
        " --value pgcrypto,postgis,vector",
        details=('extension "postgis" is not allow-listed (azure.extensions)',),
    )
    broken = Failure(
        code="ImportFailed",
        message=f"1 statements failed; the first, for TABLE public {HOSTILE}: relation already exists",
        details=(
            f'TABLE public t | relation "{TRICKY}" already exists\nLINE 1: CREATE | statement: CREATE TABLE t ()',
        ),
    )
    roles = ScriptRun(
        statements=64,
        seconds=1.42,
        notes=Notes(
            items=(
                note(NoteKind.CHANGED, 'login roles "reporting"', "backups of a flexible server hold no passwords"),
                note(
                    NoteKind.CHANGED,
                    'role "replicator"',
                    "created without REPLICATION, which the target's admin cannot give",
                    "ALTER ROLE replicator WITH LOGIN REPLICATION;",
                ),
                note(
                    NoteKind.SKIPPED,
                    'role "ada@example.org"',
                    "the role of a Microsoft Entra principal is created as a plain role",
                    'SECURITY LABEL FOR "pgaadauth" ON ROLE "ada@example.org" IS \'aadauth,type=user\';',
                ),
                note(NoteKind.SKIPPED, 'system roles "azure_pg_admin"', "the service makes these", matters=False),
            )
        ),
        kept=("app", "flexadmin"),
        created=("reporting", "replicator", 'Odd "Role"', "ada@example.org", *(f"tenant_{n:02}" for n in range(14))),
        without_password=("reporting", "replicator", 'Odd "Role"', "spoof\u202erole"),
    )
    plan = Plan(
        request=read_request(REQUEST),
        target=TargetRef(alias="drill", host="drill-pgflex.postgres.database.azure.com", version="18.6"),
        instance=BackupInstanceRef(
            subscription="7d5a1f0c-20c1-4c43-a8a1-0d5c9f2f3b11",
            resource_group="rg-backup",
            vault="vault-weu",
            name="orders-prod-pgflex-7d5a1f0c",
            server="orders-prod",
            datasource_id="/subscriptions/7d5a1f0c/resourceGroups/rg/providers/x",
            location="westeurope",
        ),
        recovery_point=RecoveryPointRef(id="a3f1" * 8, time=datetime(2026, 4, 1, 2, 3, 11, tzinfo=UTC)),
        tools={"psql": "psql 18.6 (/usr/bin/psql, from PATH)", "pg_restore": "pg_restore 18.6 (/usr/bin/pg_restore)"},
        findings=(
            Finding(
                check="backup jobs",
                severity="warning",
                message="Backup 571e is running on orders-prod; the restore starts when the vault accepts it.",
                remedy="wait, or cancel it in the portal",
            ),
        ),
    )
    report = Report(
        request_id="INC-4711",
        phase=Phase.PARTIALLY_FAILED,
        message="files: 4 imported, 1 imported-with-warnings, 4 skipped, 2 failed; 1 unknown file(s) left alone",
        request=REQUEST,
        request_in_words=in_words(REQUEST),
        approval=Approval(
            deadline=datetime(2026, 4, 2, 2, 30, tzinfo=UTC),
            decision=Decision(
                verdict=Verdict.APPROVED,
                by="grace@example.org",
                reason="The drill server is free until noon.",
                at=datetime(2026, 4, 1, 2, 47, 50, tzinfo=UTC),
            ),
        ),
        plan=plan,
        backup_taken=Marker(text="2026-04-01 02:00:07 UTC", taken_at="2026-04-01T02:00:07Z"),
        container="landing-1",
        job="571e2403-1c55-4d8b-8d6d-1f5d3b0f7a55",
        landing=Landing(account="landingweu", container="landing-1", backup_name=BACKUP, files=11, left=True),
        phases=tuple(PhaseEntry(phase=phase, at=f"2026-04-01T{at}+00:00") for phase, at in PHASES.items()),
        times=tuple(
            PhaseTime(phase=phase, seconds=seconds)
            for phase, seconds in zip(PHASES, (1.0, 13.2, 1057.0, 2.0, 2479.0, 1348.0, 9.4), strict=True)
        ),
        files=(
            database("orders", 48_211_907, FileState.WARNED, notes=NOTES, replaced=True),
            database("atlas", 6_204_118, final_name="atlas_drill"),
            database("bank", 103_442_002),
            database(HOSTILE, 12, FileState.FAILED, failure=broken, reason="1 statements failed"),
            database("geo", 2_000_000, FileState.FAILED, failure=extension, reason=extension.message[:120]),
            other(f"{BACKUP}_roles.sql", FileState.WARNED, script=roles),
            other("backupstarttimestamp", FileState.SKIPPED, "the marker tells when the backup was taken"),
            other(f"{BACKUP}_database_postgres.sql", FileState.SKIPPED, "a system database: the target has its own"),
            other(f"{BACKUP}_schema.sql", FileState.SKIPPED, "it repeats what the database files hold"),
        ),
        unknown=("notes.txt", TRICKY),
        warnings=("UserErrorDatabaseSkipped: database 'scratch' was not backed up.",),
        errors=(),
        written_at="2026-04-01T03:51:49.400000+00:00",
    )
    return report.model_copy(update={"summary": summarize(report), "next_steps": next_steps(report)})


@pytest.fixture(params=["light", "dark"])
def shown(browser: Browser, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[int], Page]]:
    """The page as somebody opens it who has saved it, in a window of some width."""
    file = tmp_path / "report.html"
    file.write_text(page(rich_report()), "utf-8")
    said: list[str] = []
    with browser.new_context(color_scheme=request.param) as context:

        def open_page(width: int) -> Page:
            opened = context.new_page()
            opened.on("console", lambda message: said.append(message.text))
            opened.on("pageerror", lambda error: said.append(str(error)))
            opened.on("request", lambda asked: said.append(asked.url) if asked.url != file.as_uri() else None)
            opened.set_viewport_size({"width": width, "height": 800})
            opened.goto(file.as_uri())
            return opened

        yield open_page
    assert said == []


@pytest.mark.parametrize("width", [400, 1200])
def test_the_page_needs_no_sideways_scroll(shown: Callable[[int], Page], width: int) -> None:
    """Neither on a phone nor on a screen, whatever the names; and nothing is said to the console, nothing fetched."""
    opened = shown(width)

    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert HOSTILE in opened.inner_text("h3:has(+ dl) >> nth=3")


CONTRASTS = """() => {
  const light = ([r, g, b]) => {
    const part = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    return .2126 * part(r) + .7152 * part(g) + .0722 * part(b);
  };
  const numbers = color => color.match(/[\\d.]+/g).map(Number);
  const ground = element => {
    const color = numbers(getComputedStyle(element).backgroundColor);
    return color[3] === 0 ? ground(element.parentElement) : color;
  };
  const texts = [...document.querySelectorAll("body *")].filter(element =>
    element.checkVisibility() && [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()));
  return texts.map(element => {
    const [one, two] = [light(numbers(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => a - b);
    return [(two + .05) / (one + .05), element.className || element.tagName];
  });
}"""
"""The contrast of every text with what it stands on, by WCAG 2.2."""


def test_every_text_can_be_read_on_what_it_stands_on(shown: Callable[[int], Page]) -> None:
    contrasts = shown(1200).evaluate(CONTRASTS)

    assert len(contrasts) > 200
    assert [pair for pair in contrasts if pair[0] < 4.5] == []


def test_on_paper_nothing_is_folded_and_the_first_page_says_what_it_is(shown: Callable[[int], Page]) -> None:
    opened = shown(794)
    folded = "[...document.querySelectorAll('details > :not(summary)')].map(one => one.checkVisibility())"
    assert True not in opened.evaluate(folded)

    opened.emulate_media(media="print", color_scheme="light")
    assert False not in opened.evaluate(folded)
    header = opened.locator("header")
    assert "INC-4711 Partially failed" in header.inner_text()
    assert header.bounding_box()["y"] < 100  # type: ignore[index]  # it is there
    paper = opened.pdf(prefer_css_page_size=True)
    assert paper.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", paper)) > 3
