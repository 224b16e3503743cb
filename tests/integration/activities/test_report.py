"""`write_report`: what was restored, from when, into what, and what differs; as JSON and as a page for people."""

import html
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from activities.report import write_report
from local.samples import database_load
from shared.contracts.decisions import Approval, Decision, End, Statement, Verdict
from shared.contracts.files import Listing, Marker, RestoredFile
from shared.contracts.imports import (
    Note,
    NoteKind,
    Notes,
    Promotion,
    ScriptRun,
    Verification,
)
from shared.contracts.outcome import Failure
from shared.contracts.plan import Plan, RecoveryPointRef, TargetRef
from shared.contracts.progress import FileProgress, FileState, Phase, PhaseEntry, RestoreProgress
from shared.contracts.report import Report, StepKind
from shared.contracts.request import read_request
from shared.storage.accounts import landing_container
from shared.storage.landing import classify
from shared.storage.ledger import Ledger, database_record, remember_set
from shared.storage.logs import import_log
from shared.topology import REPORT_CONTAINER

HOSTILE = "</code><script>alert('x')</script><img src=x onerror=\"alert(1)\">&amp;"
REQUEST = {"requestId": "r", "source": {"backupInstance": "orders"}, "target": "drill", "requestedBy": HOSTILE}
PHASES = (
    PhaseEntry(phase=Phase.ACCEPTED, at="2026-04-01T02:30:00+00:00"),
    PhaseEntry(phase=Phase.PLANNING, at="2026-04-01T02:30:02.500000+00:00"),
    PhaseEntry(phase=Phase.IMPORTING, at="2026-04-01T02:31:02.500000+00:00"),
)
pytestmark = pytest.mark.usefixtures("app")


def landed(name: str) -> RestoredFile:
    file = classify(name, size=2048, etag="e")
    assert file is not None
    return file


def told(name: str, state: FileState, **more: Any) -> dict[str, Any]:
    file = landed(name)
    progress = FileProgress(name=name, kind=file.kind, database=file.database, size=file.size, state=state, **more)
    return progress.to_wire()


def write(
    *files: dict[str, Any], phase: Phase = Phase.COMPLETED, reserved: bool = False, **progress: Any
) -> dict[str, str]:
    course = RestoreProgress(phase=phase, phases=PHASES, **progress)
    told = {"progress": course.to_wire(), "files": list(files), "reserved": reserved, "brought": ""}
    subject = {"requestId": "r", "request": REQUEST, **told}
    outcome = write_report(subject)
    assert outcome["ok"], outcome
    return dict(outcome["value"])


@pytest.fixture
def ledger(app: object) -> Ledger:  # noqa: ARG001 -- settings first
    """What a restore has left behind, with names that mean harm."""
    ledger = Ledger("r")
    plan = Plan(
        request=read_request(REQUEST),
        target=TargetRef(alias="drill", host="db.example", version="18.6"),
        recovery_point=RecoveryPointRef(id="a" * 32, time=datetime(2026, 4, 1, tzinfo=UTC)),
        tools={"psql": "psql 18.6"},
    )
    names = ("backupstarttimestamp", f"b_database_{HOSTILE}.sql", "b_roles.sql")
    listing = Listing(container="landing-1", backup_name="b", files=tuple(map(landed, names)), closed=True)
    ledger.write("plan", plan)
    ledger.write("listing", listing.model_copy(update={"unknown": (HOSTILE,)}))
    ledger.write("marker", Marker(text="at 02:30", taken_at="2026-04-01T02:30:00Z"))
    note = Note(kind=NoteKind.SKIPPED, subject=HOSTILE, reason="no such extension", statement=f"CREATE -- {HOSTILE}")
    load = database_load(notes=Notes(items=(note,), left_out=3))
    verification = Verification(tables=12, rows=1_234_567, exact=False, objects={"TABLE": 12})
    ledger.write(database_record(HOSTILE, "load"), load)
    ledger.write(database_record(HOSTILE, "verification"), verification)
    ledger.write(database_record(HOSTILE, "promotion"), Promotion(name=HOSTILE, oid=7, replaced=True))
    script = ScriptRun(statements=3, seconds=0.2, without_password=("app", HOSTILE), kept=("flexadmin",))
    ledger.write("scripts/roles", {"run": script.to_wire()})
    return ledger


@pytest.fixture
def report(storage: BlobServiceClient) -> Any:
    """The report as it is kept."""

    def read() -> Report:
        return Report.model_validate_json(
            storage.get_blob_client(REPORT_CONTAINER, "r/report.json").download_blob().readall()
        )

    return read


@pytest.fixture
def page(storage: BlobServiceClient) -> Any:
    """The page as it is kept, without its markup and with its blanks joined."""

    def read() -> str:
        blob = storage.get_blob_client(REPORT_CONTAINER, "r/report.html")
        assert blob.get_blob_properties().content_settings.content_type == "text/html; charset=utf-8"
        source = blob.download_blob().readall().decode()
        return " ".join(html.unescape(re.sub(r"<[^>]*>", "", source)).split())

    return read


FILES = (
    told("backupstarttimestamp", FileState.SKIPPED, reason="the marker"),
    told(f"b_database_{HOSTILE}.sql", FileState.WARNED, final_name=HOSTILE),
    told("b_roles.sql", FileState.IMPORTED),
)


@pytest.mark.usefixtures("ledger")
def test_the_report_gathers_what_the_ledger_holds_of_each_file(report: Any) -> None:
    addresses = write(*FILES, container="landing-1", job="571e")
    found = report()

    assert addresses["json"].endswith(f"/{REPORT_CONTAINER}/r/report.json")
    assert addresses["page"].endswith(f"/{REPORT_CONTAINER}/r/report.html")
    assert (found.phase, found.container, found.job) == (Phase.COMPLETED, "landing-1", "571e")
    assert found.backup_taken.taken_at == "2026-04-01T02:30:00Z"
    assert found.unknown == (HOSTILE,)
    files = {one.file.name: one for one in found.files}
    database = files[f"b_database_{HOSTILE}.sql"]
    assert (database.load.oid, database.verification.rows, database.promotion.replaced) == (7, 1_234_567, True)
    assert files["b_roles.sql"].script.without_password == ("app", HOSTILE)
    assert files["backupstarttimestamp"].script is None


@pytest.mark.usefixtures("ledger")
def test_phases_are_told_with_the_seconds_that_they_took(report: Any) -> None:
    write(*FILES)

    times = report().times
    assert [(one.phase, one.seconds) for one in times[:2]] == [(Phase.ACCEPTED, 2.5), (Phase.PLANNING, 60.0)]
    assert times[2].phase is Phase.IMPORTING
    assert times[2].seconds > 0


@pytest.mark.usefixtures("ledger")
def test_the_page_says_what_the_report_says(page: Any) -> None:
    failure = Failure(code="ImportFailed", message=HOSTILE, details=(HOSTILE,))
    write(*FILES, phase=Phase.PARTIALLY_FAILED, errors=(failure,))
    text = page()

    for words in (
        f"b_database_{HOSTILE}.sql",
        f"Requested by{HOSTILE}",
        f"CREATE -- {HOSTILE}",
        "drill: db.example, PostgreSQL 18.6",
        "2026-04-01 02:30:00 UTC, by the backup's marker file",
        "about 1,234,567 in 12 tables",
        "loaded with 4 jobs side by side: there is room",
        "3 more are in the log only",
        'ALTER ROLE "app" PASSWORD <new password>;',
        "1 min 00 s",
    ):
        assert words in text


@pytest.mark.usefixtures("ledger")
def test_a_report_says_what_was_asked_for_what_came_of_it_and_what_is_to_be_done(report: Any) -> None:
    write(*FILES, container="landing-1")
    found = report()

    fields = {field.name: field for field in found.request_in_words}
    assert (fields["target"].value, fields["target"].given) == ("drill", True)
    assert (fields["onConflict"].given, fields["onConflict"].value[:5]) == (False, "fail:")
    assert found.summary.text.startswith("1 database stands on drill, verified.")
    assert found.files[0].verdict.startswith("verified: every object")
    assert [step.kind for step in found.next_steps[:1]] == [StepKind.SET_PASSWORDS]


DELETED = (False, "")


@pytest.mark.parametrize(
    ("phase", "ours", "reserved", "expected"),
    [
        (Phase.COMPLETED, True, False, DELETED),
        (Phase.COMPLETED_WITH_WARNINGS, True, False, DELETED),
        (Phase.COMPLETED, False, False, (True, "")),
        (Phase.PARTIALLY_FAILED, True, False, (True, "")),
        (Phase.FAILED, True, True, (True, "/reservations/landing-1.json")),
    ],
)
@pytest.mark.usefixtures("ledger")
def test_what_lies_in_the_landing_container_afterwards_is_told(
    report: Any, phase: Phase, ours: bool, reserved: bool, expected: tuple[bool, str]
) -> None:
    if ours:
        remember_set("landing-1", "b", "r")
    write(*FILES, phase=phase, container="landing-1", reserved=reserved)

    landing = report().landing
    assert (landing.container, landing.backup_name, landing.files) == ("landing-1", "b", 3)
    assert landing.account == landing_container("landing-1").account_name
    left, reservation = expected
    assert landing.left is left
    assert landing.reservation.endswith(reservation)
    assert bool(landing.reservation) is bool(reservation)


def test_files_that_were_all_that_was_asked_for_stay(ledger: Ledger, report: Any) -> None:
    remember_set("landing-1", "b", "r")
    request = read_request({**REQUEST, "mode": "files-only"})
    ledger.write("plan", ledger.plan().model_copy(update={"request": request}))
    write(container="landing-1")

    assert report().landing.left


@pytest.mark.usefixtures("ledger")
def test_who_approved_and_who_cancelled_is_kept(ledger: Ledger, report: Any, page: Any) -> None:
    at = datetime(2026, 4, 1, 3, tzinfo=UTC)
    statement = Statement(by="ada", reason="wrong server")
    approval = Approval(deadline=at, decision=Decision(verdict=Verdict.APPROVED, by="grace", reason="go", at=at))
    ledger.write("end", End(at=at, cancelled=statement))
    write(*FILES, phase=Phase.CANCELLED, approval=approval, cancellation=statement)
    found = report()

    assert (found.approval, found.cancellation, found.cancelled_at) == (approval, statement, at)
    assert "Cancelled by ada at 2026-04-01 03:00:00 UTC: wrong server" in page()


def test_a_failed_file_is_told_with_its_reason_and_log(
    ledger: Ledger, report: Any, page: Any, storage: BlobServiceClient
) -> None:
    failure = Failure(code="ImportFailed", message="1 statement(s) failed", details=("line 7: no such table",))
    ledger.write("scripts/roles", {"failure": failure.to_wire()})
    with import_log("r", "b_roles.sql") as log:
        log.write(b"everything that psql said")
    write(told("b_roles.sql", FileState.FAILED, reason="1 statement(s) failed"), phase=Phase.FAILED)

    [one] = report().files
    assert (one.failure, one.script) == (failure, None)
    kept = storage.get_blob_client(REPORT_CONTAINER, one.log).download_blob().readall()
    assert kept == b"everything that psql said"
    assert "line 7: no such table" in page()


@pytest.mark.usefixtures("ledger")
def test_a_restore_that_ended_before_its_import_still_lists_what_landed(report: Any) -> None:
    write(phase=Phase.FAILED)

    assert {one.file.name for one in report().files} == {file["name"] for file in FILES}


def test_a_rejected_request_has_a_report_without_a_plan(report: Any, page: Any) -> None:
    failure = Failure(code="RequestRejected", message="wrong", details=("target: is missing",))
    write(phase=Phase.REJECTED, errors=(failure,))

    assert (report().plan, report().files, report().request) == (None, (), REQUEST)
    assert "target: is missing" in page()
    [step] = report().next_steps
    assert (step.kind, step.subjects) == (StepKind.CORRECT_REQUEST, ("target: is missing",))


@pytest.mark.usefixtures("ledger")
def test_a_repeated_activity_writes_the_report_again(report: Any) -> None:
    first = write(*FILES, phase=Phase.FAILED)
    second = write(*FILES)

    assert first == second
    assert report().phase is Phase.COMPLETED
