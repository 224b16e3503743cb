"""An API for the console's tests: canned answers by the contracts, the console's files by their own handlers.

It stands in for states that are hard to bring about for real: emptiness, errors, every phase at once. All times hang on
`NOW`, which browsers are told as well. To look at it by hand, from the root of the repository:
`PYTHONPATH=. python tests/integration/shared/console/fake_api.py`.
"""

import asyncio
import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import azure.functions as func

from local.samples import database_load
from shared.contracts.api import (
    Cancelling,
    Check,
    Decided,
    Health,
    InstanceInfo,
    InstanceList,
    PointInfo,
    PointList,
    Problem,
    RestoreQuery,
    Retry,
    Started,
    TargetInfo,
    TargetList,
)
from shared.contracts.base import Contract
from shared.contracts.decisions import Approval, Decision, Statement, Verdict
from shared.contracts.files import FileKind
from shared.contracts.imports import (
    LoadMethod,
    Note,
    NoteKind,
)
from shared.contracts.loading import BuildProgress, LoadProgress, LoadStep, TableProgress, TableState
from shared.contracts.outcome import Failure
from shared.contracts.plan import (
    BackupInstanceRef,
    Finding,
    LoadOutlook,
    Plan,
    RecoveryPointRef,
    TargetRef,
)
from shared.contracts.progress import FileState, Phase, PhaseEntry
from shared.contracts.report import Command, FileReport, Report, Step, StepKind, Summary, Who
from shared.contracts.request import BackupSource, Mode, RestoreRequest, read_request
from shared.contracts.status import Action, FileStatus, JobStatus, RestorePage, RestoreStatus, RestoreSummary
from shared.errors import RequestRejected
from triggers.http.console import get_console, get_console_file

NOW = datetime(2025, 11, 25, 2, 14, tzinfo=UTC)
KEY = "the-right-key"
ANNA, BEN = "anna.berg@example.org", "ben.okafor@example.org"

S = FileState
_INSTANCES = (
    InstanceInfo(
        name="orders-prod-pgflex",
        aliases=("orders",),
        server="orders-prod",
        location="westeurope",
        protection="ProtectionConfigured",
    ),
    InstanceInfo(
        name="billing-prod-pgflex",
        aliases=("billing",),
        server="billing-prod",
        location="westeurope",
        protection="ProtectionConfigured",
    ),
    InstanceInfo(
        name="archive-2019-pgflex",
        aliases=(),
        server="archive-2019",
        location="northeurope",
        protection="ProtectionStopped",
    ),
)
_TARGETS = (
    TargetInfo(alias="drill", host="orders-drill.postgres.database.azure.com", approval="on-request"),
    TargetInfo(alias="staging", host="orders-staging.postgres.database.azure.com", approval="to-replace"),
    TargetInfo(alias="production", host="orders-prod.postgres.database.azure.com", approval="always"),
)
_PARTIAL = "is partial: its backup did not finish, so choose an earlier one."
_SNAPSHOT = "lies in no vault store (a snapshot-based v2 backup): it can be restored as a server, not as files."


def points() -> tuple[PointInfo, ...]:
    """Weekly backups of a year, one of them partial, and a snapshot among them; the newest first."""
    newest = datetime(2025, 11, 23, 1, 0, 12, tzinfo=UTC)
    return tuple(
        PointInfo(
            id=hashlib.sha256(str(week).encode()).hexdigest()[:32],
            time=newest - timedelta(weeks=week, minutes=(week * 7) % 23),
            obstacle={2: _PARTIAL, 9: _SNAPSHOT}.get(week, ""),
        )
        for week in range(53)
    )


@dataclass(frozen=True)
class Answer:
    """What is answered: a status and JSON; or a text, with its type."""

    status: int
    body: Contract | Mapping[str, Any] | str
    mimetype: str = "application/json"

    @property
    def content(self) -> bytes:
        """The bytes of the body."""
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(self.body.to_wire() if isinstance(self.body, Contract) else self.body).encode()


def problem(status: int, title: str, detail: str, *errors: str, checks: tuple[Check, ...] = ()) -> Answer:
    """A problem as the API tells it."""
    content = Problem(
        title=title, status=status, detail=detail, code=title.replace(" ", ""), errors=errors, checks=checks
    )
    return Answer(status, content, "application/problem+json")


@dataclass
class FakeApi:
    """The API's state; tests change it as they like."""

    url: str
    restores: dict[str, RestoreStatus] = field(default_factory=dict)
    """The newest first."""
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    overrides: dict[tuple[str, str], Answer] = field(default_factory=dict)
    """Answers by method and path below /api, before all others."""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    """Method, path with query, and body of each call of the API."""
    key: str = ""
    """The function key that is asked for; none when empty."""
    signed_in: str = ""
    """Whom the platform has signed in; nobody, and a key is used, when empty."""
    held: threading.Event = field(default_factory=threading.Event)
    """While it is not set, answers to the API's calls wait."""

    def __post_init__(self) -> None:
        self.held.set()

    def put(self, status: RestoreStatus) -> None:
        """Add a restore, or change it."""
        self.restores[status.request_id] = status

    def change(self, request_id: str, **changes: Any) -> None:
        """Change what is known of a restore."""
        self.put(self.restores[request_id].model_copy(update=changes))

    def enter(self, request_id: str, phase: Phase, **changes: Any) -> None:
        """Bring a restore into its next phase."""
        phases = (*self.restores[request_id].phases, PhaseEntry(phase=phase, at=NOW.isoformat()))
        self.change(request_id, phase=phase, phases=phases, updated_at=NOW.isoformat(), **changes)

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        """What the API answers."""
        if (method, path) in self.overrides:
            return self.overrides[method, path]
        answers: dict[tuple[str, str], Callable[[], Answer]] = {
            ("GET", "instances"): lambda: Answer(200, InstanceList(instances=_INSTANCES)),
            ("GET", "targets"): lambda: Answer(200, TargetList(targets=_TARGETS)),
            ("GET", "health"): lambda: Answer(200, Health(status="healthy", checks=CHECKS)),
            ("GET", "restores"): lambda: Answer(200, self._page(RestoreQuery.model_validate(query))),
            ("POST", "plans"): lambda: self._requested(body, lambda request: Answer(200, plan_of(request))),
            ("POST", "restores"): lambda: self._requested(body, self._start),
        }
        if (method, path) in answers:
            return answers[method, path]()
        first, name, below = [*path.split("/", 2), "", ""][:3]
        if (first, below) == ("instances", "recovery-points"):
            return Answer(200, PointList(instance=name, points=points()))
        if first == "restores" and name in self.restores:
            return self._restore(name, below, body)
        return problem(404, "Not Found", f"There is nothing at {path}.")

    def _restore(self, request_id: str, below: str, body: Any) -> Answer:
        answers: dict[str, Callable[[], Answer]] = {
            "": lambda: Answer(200, self.restores[request_id]),
            "report": lambda: Answer(200, self.reports.get(request_id, {"files": []})),
            "report.html": lambda: Answer(200, f"<!doctype html><title>{request_id}</title>", "text/html"),
            "approve": lambda: self._decide(request_id, Verdict.APPROVED, Statement.from_wire(body)),
            "reject": lambda: self._decide(request_id, Verdict.REJECTED, Statement.from_wire(body)),
            "cancel": lambda: self._cancel(request_id, Statement.from_wire(body)),
            "retry": lambda: self._retry(request_id, Retry.from_wire(body)),
        }
        return answers[below]()

    def _cancel(self, request_id: str, statement: Statement) -> Answer:
        self.change(request_id, cancellation=statement, actions=())
        message = "Nothing was touched yet: the restore just ends."
        return Answer(202, Cancelling(request_id=request_id, message=message, by=statement.by, reason=statement.reason))

    def _page(self, query: RestoreQuery) -> RestorePage:
        summaries = [summary for one in self.restores.values() if query.matches(summary := summary_of(one))]
        ids = [summary.request_id for summary in summaries]
        first = ids.index(query.after) + 1 if query.after in ids else 0
        shown = summaries[first : first + query.size]
        more = len(summaries) > first + query.size
        return RestorePage(restores=tuple(shown), next=shown[-1].request_id if more else None)

    def _requested(self, body: Any, work: Callable[[RestoreRequest], Answer]) -> Answer:
        try:
            return work(read_request(body))
        except RequestRejected as error:
            return problem(400, "Bad Request", error.text, *error.details)

    def _start(self, request: RestoreRequest) -> Answer:
        source = request.source
        started = status(
            request.request_id,
            [(Phase.ACCEPTED, 0)],
            "The request was accepted.",
            target=request.target,
            source=source.backup_instance if isinstance(source, BackupSource) else source.container,
            requested_by=request.requested_by,
            ticket=request.ticket,
            actions=(Action.CANCEL,),
        )
        self.restores = {request.request_id: started, **self.restores}
        return Answer(202, Started(request_id=request.request_id, phase=Phase.ACCEPTED, duplicate=False, status=""))

    def _decide(self, request_id: str, verdict: Verdict, statement: Statement) -> Answer:
        approval = self.restores[request_id].approval
        assert approval is not None
        decision = Decision(verdict=verdict, by=statement.by, reason=statement.reason, at=NOW)
        phase = Phase.AWAITING_LANDING if verdict is Verdict.APPROVED else Phase.REJECTED
        decided = approval.model_copy(update={"decision": decision})
        self.enter(request_id, phase, approval=decided, actions=(), message="")
        return Answer(200, Decided(request_id=request_id, decision=decision))

    def _retry(self, request_id: str, retry: Retry) -> Answer:
        name = retry.request_id or f"{request_id}-retry"
        self.put(status(name, [(Phase.ACCEPTED, 0)], "The request was accepted.", mode=Mode.IMPORT_ONLY))
        return Answer(202, Started(request_id=name, phase=Phase.ACCEPTED, duplicate=False, status=""))


def summary_of(restore: RestoreStatus) -> RestoreSummary:
    """The row of a restore."""
    return RestoreSummary(**{name: getattr(restore, name) for name in RestoreSummary.model_fields})


def status(request_id: str, phases: list[tuple[Phase, float]], message: str, **more: Any) -> RestoreStatus:
    """A restore whose phases were entered so many minutes ago."""
    entries = tuple(PhaseEntry(phase=phase, at=_ago(minutes)) for phase, minutes in phases)
    usual: dict[str, Any] = {
        "target": "drill", "source": "orders", "mode": Mode.FULL, "requested_by": ANNA, "container": "", "job": None,
        "files": (), "report": None, "errors": (),
    }  # fmt: skip
    return RestoreStatus(
        request_id=request_id,
        phase=phases[-1][0],
        message=message,
        started_at=entries[0].at,
        updated_at=entries[-1].at,
        phases=entries,
        **{**usual, **more},
    )


def _ago(minutes: float) -> str:
    return (NOW - timedelta(minutes=minutes)).isoformat()


def file(database: str, size: int, state: FileState, final_name: str = "", reason: str = "") -> FileStatus:
    """A database file."""
    return FileStatus(
        name=f"orders-prod_database_{database}.sql",
        kind=FileKind.DATABASE,
        database=database,
        final_name=final_name,
        size=size,
        state=state,
        reason=reason,
    )


def script(kind: FileKind, size: int, state: FileState, reason: str = "") -> FileStatus:
    """A file that holds no database."""
    return FileStatus(name=f"orders-prod_{kind}.sql", kind=kind, size=size, state=state, reason=reason)


def loading(file: FileStatus) -> FileStatus:
    """The file, whose load stands in the middle of its rows."""
    tables = (
        ("public.invoices", TableState.LOADING, 820_000_000, 1_640_000_000, 4_120_388),
        ("public.positions", TableState.LOADING, 310_000_000, 980_000_000, 2_007_411),
        ("public.customers", TableState.LOADED, 240_000_000, 240_000_000, 310_022),
        ("public.dunning_letters", TableState.WAITING, 0, 120_000_000, 0),
    )
    load = LoadProgress(
        attempt="flexrestore_5d3a1c90aa42be17_0f3c6d21a9b4",
        file_version="0x8DE2C",
        at=NOW.isoformat(),
        step=LoadStep.ROWS,
        share=0.24,
        bytes=1_370_000_000,
        total_bytes=3_100_000_000,
        rows=6_437_821,
        seconds_left=312,
        indexes=0,
        total_indexes=46,
        building=(BuildProgress(table="public.customers", phase="building index: scanning table", share=0.6),),
        tables=118,
        tables_loaded=9,
        by_table=tuple(
            TableProgress(table=table, state=state, bytes=size, total_bytes=total, rows=rows)
            for table, state, size, total, rows in tables
        ),
    )
    return file.model_copy(update={"load": load})


_SCRIPTS = (
    script(FileKind.ROLES, 4_310, S.IMPORTED),
    script(
        FileKind.SCHEMA,
        88_120,
        S.SKIPPED,
        "it repeats what the database files hold; the request can ask for it (schema: import)",
    ),
    script(FileKind.TABLESPACES, 512, S.SKIPPED, "flexible servers have no tablespaces of their own"),
    FileStatus(
        name="pgflex_restore_marker",
        kind=FileKind.MARKER,
        size=212,
        state=S.SKIPPED,
        reason="the marker tells when the backup was taken; it is read for the report",
    ),
)
_JOB = JobStatus(id="571e2403-9a4b-4f8e-8d2d-7c5b1c0e2f10", status="Completed")

CHECKS = (
    Check(name="settings", ok=True, detail="3 target server(s)"),
    Check(name="client tools", ok=True, detail="psql 18.1 (PATH); pg_restore 18.1 (PATH)"),
    Check(name="backup vault", ok=True, detail="3 flexible server(s) under protection"),
    Check(name="landing account", ok=True, detail="the vault may restore into it"),
    Check(name="app storage", ok=True, detail="about 0 request(s) in restore-requests"),
    Check(name="container landing-1", ok=True, detail="there"),
    Check(name="container landing-2", ok=True, detail="there"),
    Check(name="target drill", ok=True, detail="orders-drill.postgres.database.azure.com, PostgreSQL 18.1"),
)


def plan_of(request: RestoreRequest, *findings: Finding) -> Plan:
    """The plan of a request, as the vault of this fake has it."""
    source = request.source if isinstance(request.source, BackupSource) else None
    instance = next((one for one in _INSTANCES if source and source.backup_instance in {one.name, *one.aliases}), None)
    point = next((one for one in points() if source and source.recovery_point in {one.id, "latest"}), None)
    target = next((one for one in _TARGETS if one.alias == request.target), None)
    if target is None:
        raise RequestRejected(
            "The restore request has 1 error(s).",
            details=[f"target: {request.target!r} is no configured target server; known are: drill."],
        )
    return Plan(
        request=request,
        target=TargetRef(alias=target.alias, host=target.host, version="18.1"),
        instance=instance and BackupInstanceRef(
            subscription="00000000-0000-0000-0000-000000000000",
            resource_group="orders-rg",
            vault="orders-vault",
            name=instance.name,
            server=instance.server,
            datasource_id=f"/subscriptions/…/flexibleServers/{instance.server}",
            location=instance.location,
        ),
        recovery_point=point and RecoveryPointRef(id=point.id, time=point.time),
        tools={"psql": "psql 18.1 (PATH)", "pg_restore": "pg_restore 18.1 (PATH)"},
        loading=LoadOutlook(
            rule="Archives of up to 20.0 GB are downloaded first; larger ones, those without compression and those of "
            "134 MB and more that tell where their data lie are loaded in slices, straight from the container, "
            "over 4 connections each. Tar archives and plain SQL are streamed, over one connection."
        ),
        needs_approval=request.approval == "required"
        or target.approval == "always"
        or (target.approval == "to-replace" and request.on_conflict == "replace"),
        findings=findings,
    )  # fmt: skip


def _request(request_id: str, **more: Any) -> RestoreRequest:
    return read_request({"requestId": request_id, "source": {"backupInstance": "orders"}, "target": "drill", **more})


_BUSY = Finding(
    check="backup jobs",
    severity="warning",
    message="Job 3f0c (Backup) is running on orders-prod; the restore starts when the vault accepts it.",
)


def report_of(restore: RestoreStatus, request: RestoreRequest, *files: FileReport, **more: Any) -> Report:
    """The report of a restore that has ended."""
    return Report(
        request_id=restore.request_id,
        phase=restore.phase,
        message=restore.message,
        request=request.to_wire(),
        plan=plan_of(request),
        backup_taken=None,
        container=restore.container,
        job="",
        phases=restore.phases,
        times=(),
        files=files,
        errors=restore.errors,
        written_at=restore.updated_at,
        **more,
    )


def _loaded(done: FileStatus, *notes: Note) -> FileReport:
    """A database with what is different in it."""
    load = database_load(*notes, size=done.size, method=LoadMethod.STREAMED, jobs=1, seconds=312)
    return FileReport(file=done, load=load)


def _warned(restore: RestoreStatus) -> Report:
    """A report with differences, and with things to do."""
    orders = next(one for one in restore.files if one.database == "orders")
    differences = (
        Note(
            kind=NoteKind.CHANGED,
            subject="EXTENSION pg_stat_statements",
            reason="the target has version 1.12, the source had 1.11",
        ),
        Note(
            kind=NoteKind.SKIPPED,
            subject="SUBSCRIPTION from_hq",
            reason="a restored copy must not take part in the source's replication",
            statement="CREATE SUBSCRIPTION from_hq CONNECTION '…' PUBLICATION hq",
        ),
        Note(kind=NoteKind.TOLERATED, subject="SCHEMA public", reason="it was there already", matters=False),
    )
    roles = ("app_orders", "app_billing")
    passwords = Step(
        kind=StepKind.SET_PASSWORDS,
        who=Who.DATABASE_ADMIN,
        what="Set new passwords for roles that log in: app_orders and app_billing.",
        why="Backups of a flexible server hold no passwords: until then nobody can sign in with these roles.",
        how="Put the password in quotes in the place of <new password>.",
        subjects=roles,
        commands=(
            Command(
                text="\n".join(f'ALTER ROLE "{role}" PASSWORD <new password>;' for role in roles),
                language="sql",
            ),
        ),
    )
    repoint = Step(
        kind=StepKind.REPOINT,
        who=Who.APPLICATION_OWNER,
        what="Point applications to the new names.",
        why="The databases have other names than at the source.",
        how="Change the applications' connection strings.",
        required=False,
    )
    summary = Summary(
        text="", seconds=1_320, databases=2, restored=2, tables=214, rows=48_120_331, exact=True, size=11_530_000_000,
        matters=2, expected=1,
    )  # fmt: skip
    request = _request(restore.request_id, requestedBy=ANNA)
    return report_of(
        restore, request, _loaded(orders, *differences), summary=summary, next_steps=(passwords, repoint)
    )  # fmt: skip


def _partly(restore: RestoreStatus) -> Report:
    """A report of a database that could not be imported."""
    maps = next(one for one in restore.files if one.database == "maps")
    command = "az postgres flexible-server parameter set --name azure.extensions --value POSTGIS"
    allow = Step(
        kind=StepKind.ALLOW_EXTENSIONS,
        who=Who.SERVER_ADMIN,
        what="Allow the extension postgis on drill.",
        why="maps cannot be imported without it.",
        how="Add it to the server parameter azure.extensions, then retry.",
        commands=(Command(text=command, language="shell"),),
    )
    failure = Failure(code="TargetRefused", message="The extension postgis is not allowed on drill.")
    request = _request(restore.request_id, databases=["orders", {"name": "maps", "as": "maps_4698"}])
    return report_of(restore, request, FileReport(file=maps, failure=failure), next_steps=(allow,))


_USUAL = {
    Phase.ACCEPTED: 22.0,
    Phase.PLANNING: 22.0,
    Phase.AWAITING_LANDING: 21.5,
    Phase.RESTORING: 21.0,
    Phase.IMPORTING: 6.0,
    Phase.VERIFYING: 1.0,
}
"""How many minutes ago phases were entered."""
_DAY = 24 * 60.0
_REPORT = {"json": "…", "page": "…"}


def course(last: Phase, minutes: float = 0, end: Phase | None = None) -> list[tuple[Phase, float]]:
    """The usual phases up to one, so many minutes earlier than usual, and the end then."""
    phases = list(_USUAL)
    entered = [(phase, _USUAL[phase] + minutes) for phase in phases[: phases.index(last) + 1]]
    return entered + ([(end, minutes)] if end else [])


def at_work() -> Iterator[RestoreStatus]:
    """A restore in each phase that is no end."""
    stop = (Action.CANCEL,)
    yield status(
        "INC-4711",
        course(Phase.IMPORTING),
        "Importing 4 databases into drill, 2 at a time.",
        ticket="INC-4711",
        reason="Orders of 23 November were deleted by the clean-up job.",
        progress=0.62,
        container="landing-1",
        job=_JOB,
        files=(
            file("orders", 8_420_000_000, S.IMPORTED, "orders_drill"),
            loading(file("billing", 3_110_000_000, S.IMPORTING, "billing_drill")),
            file("catalog", 1_204_000_000, S.LOADED, "catalog_drill"),
            file("kunden_süd", 640_000_000, S.LANDED, "kunden_süd_drill"),
            file("sessions", 96_000_000, S.SKIPPED, "", "the request does not ask for this database"),
            *_SCRIPTS,
        ),
        actions=stop,
    )
    replace = _request(
        "CHG-2093",
        target="staging",
        databases=["orders", {"name": "bill*", "as": "*_before"}],
        onConflict="replace",
        requestedBy=BEN,
        reason="Staging must show the orders of last week.",
        ticket="CHG-2093",
    )
    yield status(
        "CHG-2093",
        [(Phase.ACCEPTED, 47), (Phase.PLANNING, 47), (Phase.AWAITING_APPROVAL, 46)],
        "Somebody must approve the plan.",
        target="staging",
        requested_by=BEN,
        ticket="CHG-2093",
        reason=replace.reason,
        approval=Approval(deadline=NOW + timedelta(hours=5, minutes=46)),
        actions=(Action.APPROVE, Action.REJECT, Action.CANCEL),
        plan=plan_of(replace, _BUSY),
    )
    yield status(
        "restore-20251125-0251",
        [(Phase.ACCEPTED, 23), (Phase.PLANNING, 23), (Phase.AWAITING_LANDING, 22.5), (Phase.RESTORING, 12)],
        "The vault restores files into landing-2.",
        source="billing",
        requested_by=BEN,
        container="landing-2",
        job=JobStatus(id="9c1d7f00-6d0e-4a57-a4a8-1d64a0fb4d1e", status="InProgress"),
        actions=stop,
    )
    yield status(
        "INC-4712",
        [(Phase.ACCEPTED, 9), (Phase.PLANNING, 9), (Phase.AWAITING_LANDING, 8)],
        "landing-1 is taken by INC-4711, landing-2 by restore-20251125-0251.",
        actions=stop,
    )
    yield status("INC-4713", [(Phase.ACCEPTED, 0.2), (Phase.PLANNING, 0.1)], "Checking the request.", actions=stop)
    yield status("INC-4714", [(Phase.ACCEPTED, 0.1)], "", actions=stop)
    yield status(
        "weekly-2025-47",
        course(Phase.VERIFYING, 100),
        "Looking whether everything stands where it was announced.",
        progress=1.0,
        requested_by="weekly drill",
        container="landing-1",
        job=_JOB,
        files=(file("orders", 8_420_000_000, S.IMPORTED, "orders_w47"), *_SCRIPTS),
        actions=stop,
    )


def ended() -> Iterator[RestoreStatus]:
    """A restore for each end."""
    yield status(
        "drill-2025-46",
        course(Phase.VERIFYING, 2 * _DAY, Phase.COMPLETED_WITH_WARNINGS),
        "2 of 2 databases stand on drill, verified; the report names 2 differences.",
        ticket="CHG-2088",
        requested_by="weekly drill",
        progress=1.0,
        container="landing-1",
        job=JobStatus(id=_JOB.id, status="CompletedWithWarnings"),
        files=(
            file("orders", 8_420_000_000, S.WARNED, "orders", "2 differences; see the report"),
            file("billing", 3_110_000_000, S.IMPORTED, "billing"),
            *_SCRIPTS,
        ),
        report=_REPORT,
    )
    yield status(
        "restore-20251122-1803",
        course(Phase.VERIFYING, 3 * _DAY, Phase.COMPLETED),
        "1 of 1 databases stands on drill, verified.",
        progress=1.0,
        container="landing-2",
        job=_JOB,
        files=(file("orders", 8_420_000_000, S.IMPORTED, "orders_1803"), *_SCRIPTS),
        report=_REPORT,
    )
    mend = "az postgres flexible-server parameter set --name azure.extensions --value POSTGIS"
    not_allowed = "The extension postgis is not allowed on drill."
    yield status(
        "INC-4698",
        course(Phase.VERIFYING, 4 * _DAY, Phase.PARTIALLY_FAILED),
        "1 of 2 databases stands on drill; 1 could not be imported.",
        ticket="INC-4698",
        progress=0.73,
        container="landing-1",
        job=_JOB,
        files=(
            file("orders", 8_420_000_000, S.IMPORTED, "orders_4698"),
            file("maps", 3_110_000_000, S.FAILED, "maps_4698", not_allowed),
            *_SCRIPTS,
        ),
        report=_REPORT,
        errors=(
            Failure(
                code="ImportFailed",
                message="1 of 2 databases could not be imported; the files stay in landing-1.",
                details=(f"maps: {not_allowed} Mend it with: {mend}",),
            ),
        ),
        actions=(Action.RETRY,),
    )
    yield status(
        "restore-20251119-0902",
        course(Phase.RESTORING, 6 * _DAY, Phase.FAILED),
        "The backup job failed.",
        job=JobStatus(id=_JOB.id, status="Failed"),
        container="landing-1",
        errors=(
            Failure(
                code="BackupJobFailed",
                message="The vault's job ended without restored files: UserErrorTargetContainerNotReachable.",
                details=("Open the landing account's firewall for the vault, then start a new restore.",),
            ),
        ),
        report=_REPORT,
    )
    yield status(
        "INC-4655",
        [(Phase.ACCEPTED, 7 * _DAY), (Phase.PLANNING, 7 * _DAY), (Phase.REJECTED, 7 * _DAY)],
        "The request, or what it meets, is wrong.",
        target="drlil",
        requested_by="",
        errors=(
            Failure(
                code="RequestRejected",
                message="The restore request has 2 error(s); correct them and send it again.",
                details=(
                    "target: 'drlil' is no configured target server; known are: drill, production, staging.",
                    "source.recoveryPoint: orders-prod-pgflex has no recovery point '2025-11-18'.",
                ),
            ),
        ),
        report=_REPORT,
    )
    yield status(
        "INC-4650",
        course(Phase.RESTORING, 8 * _DAY, Phase.CANCELLED),
        "Cancelled while the vault restored files.",
        requested_by=BEN,
        container="landing-2",
        job=_JOB,
        cancellation=Statement(by=BEN, reason="The data was found in the application's own trash."),
        report=_REPORT,
    )
    dry = _request("dry-run-17", dryRun=True, databases=[{"name": "*", "as": "*_drill"}], requestedBy=ANNA)
    yield status(
        "dry-run-17",
        [(Phase.ACCEPTED, 9 * _DAY), (Phase.PLANNING, 9 * _DAY), (Phase.COMPLETED, 9 * _DAY)],
        "The plan can be carried out; nothing was touched.",
        dry_run=True,
        progress=1.0,
        plan=plan_of(dry),
    )


def furnish(api: FakeApi) -> None:
    """A restore in every phase, and reports of those that have ended."""
    for one in sorted((*at_work(), *ended()), key=lambda one: one.started_at, reverse=True):
        api.put(one)
    for name, write in (("drill-2025-46", _warned), ("INC-4698", _partly)):
        api.reports[name] = write(api.restores[name]).to_wire()


@contextmanager
def serve(port: int = 0) -> Iterator[FakeApi]:
    """The API on a port of this machine."""
    server = _Server(("127.0.0.1", port), _Handler)
    api = server.api = FakeApi(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield api
    finally:
        api.held.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: FakeApi

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has left needs no traceback."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one piece: else each answer waits for an acknowledgement

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class calls it so
        """Say nothing."""

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        prefix, _, path = parts.path.partition("/api/")
        if prefix not in {"", "/some/prefix"}:
            self._send(404, {}, b"")
        elif path.startswith("console"):
            self._send_file(path)
        else:
            self._answer(path, dict(parse_qsl(parts.query)))

    def _send_file(self, path: str) -> None:
        name = path.partition("/")[2]
        params = {"file": name} if name else {}
        request = func.HttpRequest(
            "GET", self.path, headers=dict(self.headers.items()), route_params=params, body=b""
        )  # fmt: skip
        response = asyncio.run((get_console_file if name else get_console)(request))
        headers = {**response.headers, "Content-Type": f"{response.mimetype}; charset=utf-8"}
        self._send(response.status_code, headers, response.get_body())

    def _answer(self, path: str, query: dict[str, str]) -> None:
        assert isinstance(self.server, _Server)
        api = self.server.api
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
        if api.key and self.headers.get("x-functions-key") != api.key:
            self._send(401, {}, b"")
            return
        api.calls.append((self.command, self.path.partition("/api/")[2], body))
        api.held.wait(30)
        answer = api.answer(self.command, unquote(path), query, body)
        etag = f'"{hashlib.sha256(answer.content).hexdigest()[:32]}"'
        headers = {"ETag": etag, **({"Signed-In-As": quote(api.signed_in)} if api.signed_in else {})}
        if answer.status == 200 and self.headers.get("If-None-Match") == etag:
            self._send(304, headers, b"")
        else:
            self._send(answer.status, {**headers, "Content-Type": answer.mimetype}, answer.content)

    def _send(self, status_code: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(status_code)
        for name, value in headers.items():
            self.send_header(name, value)
        if status_code != 304:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if status_code != 304:
            self.wfile.write(content)


if __name__ == "__main__":
    with serve(8799) as running:
        furnish(running)
        print(f"{running.url}/api/console")  # noqa: T201 -- this is its output
        time.sleep(3600)
