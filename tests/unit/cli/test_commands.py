"""Each command: what it calls, what people read, what scripts get."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

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
    TargetInfo,
    TargetList,
)
from shared.contracts.decisions import Approval, Decision, Statement, Verdict
from shared.contracts.files import FileKind, Marker
from shared.contracts.imports import (
    LoadMethod,
    Note,
    NoteKind,
    Notes,
    ScriptRun,
    Verification,
)
from shared.contracts.outcome import Failure
from shared.contracts.plan import DatabaseOutlook, LoadOutlook
from shared.contracts.progress import FileProgress, FileState, Phase
from shared.contracts.report import FileReport, PhaseTime, Report
from shared.contracts.status import Action, RestorePage, RestoreSummary

NOON = "2026-11-25T12:00:00Z"

INSTANCES = InstanceList(
    instances=[
        InstanceInfo(
            name="orders-pgflex",
            aliases=["orders", "bestellungen"],
            server="orders-prod",
            location="westeurope",
            protection="ProtectionConfigured",
        )
    ]
)
POINTS = PointList(
    instance="orders-pgflex",
    points=[PointInfo(id="f00d", time=NOON), PointInfo(id="beef", time=NOON, obstacle="is a v2 point")],
)
TARGETS = TargetList(targets=[TargetInfo(alias="drill", host="drill.example.net", approval="to-replace")])
HEALTHY = Health(status="healthy", checks=[Check(name="vault", ok=True, detail="answers")])
DECIDED = Decided(
    request_id="INC-1", decision=Decision(verdict=Verdict.APPROVED, by="ben", reason="looks right", at=NOON)
)
CANCELLING = Cancelling(request_id="INC-1", by="ben", reason="enough", message="The vault's job runs to its end.")


def page(*ids: str, following: str | None = None) -> RestorePage:
    restores = [
        RestoreSummary(
            request_id=one,
            phase=Phase.FAILED,
            target="drill",
            source="orders",
            requested_by="anna",
            started_at=NOON,
            updated_at=NOON,
        )
        for one in ids
    ]
    return RestorePage(restores=restores, next=following)


def report() -> Report:
    note = Note(kind=NoteKind.SKIPPED, subject='role "app"', reason="exists already", matters=True)
    unimportant = note.model_copy(update={"subject": "EXTENSION plpgsql", "matters": False})
    roles = FileProgress(name="a_roles.sql", kind=FileKind.ROLES, size=12, state=FileState.WARNED)
    shop = FileProgress(name="b", kind=FileKind.DATABASE, database="shop", size=2_000, state=FileState.IMPORTED)
    load = database_load(size=2_000, method=LoadMethod.SLICED, method_reason="", seconds=63.2)
    return Report(
        request_id="INC-1",
        phase=Phase.COMPLETED_WITH_WARNINGS,
        message="2 files, 1 warning",
        request={},
        plan=None,
        backup_taken=Marker(text="", taken_at=NOON),
        container="landing-1",
        job="7d0f",
        phases=(),
        times=[PhaseTime(phase=Phase.RESTORING, seconds=125.4)],
        files=[
            FileReport(file=roles, script=ScriptRun(statements=1, seconds=1, notes=Notes(items=[note, unimportant]))),
            FileReport(file=shop, load=load, verification=Verification(tables=2, rows=200_200, exact=True, objects={})),
        ],
        errors=[Failure(code="Odd", message="something was odd", details=["line 3"])],
        written_at=NOON,
    )


@pytest.mark.parametrize(
    ("words", "call", "answer", "read"),
    [
        ("instances", "GET instances", INSTANCES, ["orders, bestellungen", "orders-prod", "orders-pgflex"]),
        (
            "points orders",
            "GET instances/orders/recovery-points",
            POINTS,
            ["2026-11-25 12:00:00Z", "f00d", "is a v2 point"],
        ),
        ("targets", "GET targets", TARGETS, ["drill", "drill.example.net", "to-replace"]),
        ("health", "GET health", HEALTHY, ["vault", "ok", "answers"]),
        ("list", "GET restores", page("INC-1"), ["INC-1", "Failed", "orders", "drill", "anna"]),
        ("report INC-1", "GET restores/INC-1/report", report(), ["2 files, 1 warning", "Restoring 2 min 05 s"]),
        (
            "approve INC-1 --reason yes",
            "POST restores/INC-1/approve",
            DECIDED,
            ["approved by ben, 2026-11-25 12:00:00Z: looks right"],
        ),
        ("reject INC-1 --reason no", "POST restores/INC-1/reject", DECIDED, ["INC-1", "ben"]),
        (
            "cancel INC-1 --reason enough",
            "POST restores/INC-1/cancel",
            CANCELLING,
            ["cancelled by ben: enough", "The vault's job runs to its end."],
        ),
    ],
)
def test_a_command_calls_once_and_shows_the_answer_to_people_and_to_scripts(
    api: Any, run: Any, words: str, call: str, answer: Any, read: list[str]
) -> None:
    api.on(call, answer)
    shown, document = run(*words.split()), run(*words.split(), "--json")

    assert api.paths == [call, call]
    assert (shown.code, document.code) == (0, 0)
    assert [one for one in read if one not in shown.out] == []
    assert document.json == answer.to_wire()
    assert (shown.err, document.err) == ("", "")


def test_the_json_option_may_stand_before_the_command_too(api: Any, run: Any) -> None:
    api.on("GET targets", TARGETS)

    assert run("--json", "targets").json == TARGETS.to_wire()


@pytest.mark.parametrize(
    ("words", "call", "query"),
    [
        (
            ["points", "orders prod/1", "--from", "2026-11-24", "--to", "2026-11-25T01:00+01:00"],
            "GET instances/orders%20prod%2F1/recovery-points",
            {"from": "2026-11-24T00:00:00Z", "to": "2026-11-25T00:00:00Z"},
        ),
        (
            ["list", "--phase", "Failed", "--phase", "Rejected", "--target", "drill", "--requested-by", "anna"],
            "GET restores",
            {"phase": "Failed,Rejected", "target": "drill", "requestedBy": "anna"},
        ),
        (["list", "--size", "2", "--after", "x/y"], "GET restores", {"size": "2", "after": "x/y"}),
    ],
)
def test_filters_are_sent_as_the_service_calls_them(
    api: Any, run: Any, words: list[str], call: str, query: dict[str, str]
) -> None:
    api.on(call, page())
    ended = run(*words)

    assert (ended.code, api.query) == (0, query)


def test_a_page_says_how_to_get_the_next_one(api: Any, run: Any) -> None:
    api.on("GET restores", page("a", following="1/2"))

    assert "--after 1/2" in run("list").err
    assert run("list", "--json").json["next"] == "1/2"


def test_all_pages_are_one_list(api: Any, run: Any) -> None:
    api.on("GET restores", page("a", "b", following="n1"), page("c", following="n2"), page("d"))
    ended = run("list", "--all", "--phase", "Failed", "--json")

    assert [one["requestId"] for one in ended.json["restores"]] == ["a", "b", "c", "d"]
    assert ended.json["next"] is None
    assert [dict(call.url.params) for call in api.calls] == [
        {"phase": "Failed"}, {"phase": "Failed", "after": "n1"}, {"phase": "Failed", "after": "n2"},
    ]  # fmt: skip


def test_show_tells_everything_about_a_restore(api: Any, run: Any) -> None:
    status = api.status(
        Phase.AWAITING_APPROVAL,
        requested_by="anna",
        ticket="T-9",
        plan=api.plan(),
        actions=[Action.APPROVE, Action.CANCEL],
        approval=Approval(deadline=NOON),
        errors=[Failure(code="Odd", message="was odd", details=["line 3"])],
    )
    api.on("GET restores/INC-1", status)
    out = run("show", "INC-1").out

    for text in (
        "INC-1  AwaitingApproval",
        "it is AwaitingApproval",
        "Accepted 01:05:30Z, Planning 01:05:31Z",
        "7d0f InProgress",
        "database shop -> shop_copy, 1.2 MB",
        "importing",
        "waited for until 2026-11-25 12:00:00Z",
        "Odd: was odd",
        "line 3",
        "Plan of INC-1",
        "warning: one lacks Mend it with: CREATE ROLE",
        "flexrestore approve INC-1 --reason WHY",
        "flexrestore cancel INC-1 --reason WHY",
    ):
        assert text in out, text
    assert run("show", "INC-1", "--json").json == status.to_wire()


def test_show_tells_who_decided_and_who_cancelled(api: Any, run: Any) -> None:
    decision = Decision(verdict=Verdict.EXPIRED, at=NOON)
    cancellation = Statement(by="ben", reason="enough")
    approval = Approval(deadline=NOON, decision=decision)
    api.on("GET restores/INC-1", api.status(Phase.CANCELLED, approval=approval, cancellation=cancellation))
    out = run("show", "INC-1").out

    assert "expired, 2026-11-25 12:00:00Z" in out
    assert "ben: enough" in out


def test_plan_shows_what_would_be_done_and_starts_nothing(api: Any, run: Any) -> None:
    api.on("POST plans", api.plan())
    ended = run("plan", "orders", "--target", "drill")

    assert api.paths == ["POST plans"]
    assert ended.code == 0
    for text in (
        "orders-prod",
        "2026-11-25 01:05:30Z (f00d)",
        "drill: drill.example.net, PostgreSQL 18.1",
        "one lacks",
    ):
        assert text in ended.out
    assert run("plan", "orders", "--target", "drill", "--json").json == api.plan().to_wire()


def test_plan_says_how_databases_will_be_loaded(api: Any, run: Any) -> None:
    shop = DatabaseOutlook(database="shop", size=2_000, methods=(LoadMethod.SLICED,), how="in slices")
    outlook = LoadOutlook(rule="Archives are loaded in slices.", databases=(shop,), left_out=3)
    api.on("POST plans", api.plan(loading=outlook))
    lines = [" ".join(line.split()) for line in run("plan", "orders", "--target", "drill").out.splitlines()]

    at = lines.index("loading Archives are loaded in slices.")
    assert lines[at + 1 : at + 3] == ["shop, 2.0 kB: in slices", "and 3 more"]


def test_the_report_tells_each_file_and_what_matters_of_its_notes(api: Any, run: Any) -> None:
    api.on("GET restores/INC-1/report", report())
    out = " ".join(run("report", "INC-1").out.split())

    assert "2 tables, 200200 rows; loaded sliced over 4 connections in 1 min 03 s" in out
    assert 'skipped role "app": exists already' in out
    assert "plpgsql" not in out
    assert "Odd: something was odd" in out


def test_the_page_of_a_report_is_written_where_it_is_wanted(api: Any, run: Any, tmp_path: Path) -> None:
    api.on("GET restores/INC-1/report.html", httpx.Response(200, content=b"<p>\xc3\xa4"))
    ended = run("report", "INC-1", "--html", str(tmp_path / "r.html"))

    assert (ended.code, ended.out) == (0, "")
    assert (tmp_path / "r.html").read_bytes() == b"<p>\xc3\xa4"


def test_page_and_json_of_a_report_can_be_had_at_once(api: Any, run: Any, tmp_path: Path) -> None:
    api.on("GET restores/INC-1/report.html", httpx.Response(200, content=b"page"))
    api.on("GET restores/INC-1/report", report())
    ended = run("report", "INC-1", "--html", str(tmp_path / "r.html"), "--json")

    assert ended.json == report().to_wire()
    assert (tmp_path / "r.html").read_bytes() == b"page"


def test_a_page_that_cannot_be_written_is_a_wrong_command_line(api: Any, run: Any, tmp_path: Path) -> None:
    api.on("GET restores/INC-1/report.html", httpx.Response(200, content=b"page"))

    assert run("report", "INC-1", "--html", str(tmp_path / "no" / "r.html")).code == 2


def test_an_unhealthy_service_is_told_check_by_check(api: Any, run: Any) -> None:
    answer = httpx.Response(
        503,
        json={"detail": "1 thing(s)", "checks": [{"name": "vault", "ok": False, "detail": "refuses"}]},
        headers={"retry-after": "10"},
    )
    api.on("GET health", answer)
    ended = run("health")

    assert (ended.code, api.slept) == (9, [])
    assert "FAILED" in ended.out
    assert "refuses" in ended.out
    assert run("health", "--json").json["checks"][0]["ok"] is False


@pytest.mark.parametrize("verdict", ["approve", "reject", "cancel"])
def test_who_and_why_is_sent_with_a_decision(api: Any, run: Any, verdict: str) -> None:
    api.on(f"POST restores/INC-1/{verdict}", DECIDED)
    run(verdict, "INC-1", "--reason", "because", "--as", "carl")

    assert api.body == {"by": "carl", "reason": "because"}


def test_who_signs_in_is_named_by_the_service_unless_they_speak_for_another(
    api: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Entra:
        def get_token(self, *_: str) -> Any:
            return SimpleNamespace(token="t", expires_on=2**40)

    monkeypatch.delenv("FLEXRESTORE_USER", raising=False)
    api.on("POST restores/INC-1/approve", DECIDED)
    words = ["approve", "INC-1", "--reason", "because", "--scope", "s"]
    run(*words, credential=Entra, env={"FLEXRESTORE_USER": None})
    assert api.body == {"by": "", "reason": "because"}
    run(*words, "--as", "carl", credential=Entra)
    assert api.body == {"by": "carl", "reason": "because"}


@pytest.mark.parametrize("verdict", ["approve", "reject", "cancel"])
def test_a_decision_without_a_reason_is_not_sent(api: Any, run: Any, verdict: str) -> None:
    assert run(verdict, "INC-1").code == 2
    assert api.calls == []


@pytest.mark.parametrize(
    ("words", "body"),
    [
        ([], {"requestedBy": "anna"}),
        (
            ["--request-id", "INC-2", "--reason", "disk is larger"],
            {"requestId": "INC-2", "requestedBy": "anna", "reason": "disk is larger"},
        ),
    ],
)
def test_retry_starts_a_restore_of_what_is_missing(api: Any, run: Any, words: list[str], body: Any) -> None:
    api.on("POST restores/INC-1/retry", api.started(request_id="INC-2"))
    ended = run("retry", "INC-1", *words)

    assert (ended.code, api.body) == (0, body)
    assert "INC-2  Accepted" in ended.out
    assert "flexrestore wait INC-2" in ended.err


def test_retry_waits_for_the_new_restore(api: Any, run: Any) -> None:
    api.on("POST restores/INC-1/retry", api.started(request_id="INC-2"))
    api.on("GET restores/INC-2", api.status(Phase.FAILED, request_id="INC-2"))

    assert run("retry", "INC-1", "--wait").code == 1
