"""What people have to do after a restore: one row for each situation, with whose step it is and what it says.

Notes and failures are made by the code that makes them in a restore, where that is pure: steps read their words.
"""

import ast
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.decisions import Approval, Decision, Statement, Verdict
from shared.contracts.files import FileKind
from shared.contracts.imports import Note, NoteKind, Notes, Promotion, ScriptRun
from shared.contracts.outcome import Failure
from shared.contracts.plan import BackupInstanceRef, Plan, TargetRef
from shared.contracts.progress import FileProgress, FileState, Phase
from shared.contracts.report import FileReport, Landing, Report, Step, StepKind, Who
from shared.contracts.request import RestoreRequest, read_request
from shared.errors import BackupJobFailed, DatabaseExists, ImportFailed, PermanentError, PreflightFailed, TargetRefused
from shared.next_steps.commands import sql_name
from shared.next_steps.failures import MEND, NOT_DROPPED
from shared.next_steps.steps import next_steps
from shared.postgres.contents import check_extensions, select
from shared.postgres.privileges import adapt_grant
from shared.postgres.role_plan import RoleTarget, plan_roles
from shared.postgres.script import Statements
from shared.postgres.server import Capabilities, Roles
from shared.postgres.temporary import LoadKey, name_taken
from shared.postgres.toc import Entry

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
REQUEST = {"requestId": "INC-1", "source": {"backupInstance": "orders"}, "target": "drill"}
INSTANCE = BackupInstanceRef(
    subscription="s", resource_group="rg", vault="v", name="n", server="orders", datasource_id="d", location="l"
)
LANDING = Landing(account="acct", container="landing-1", backup_name="b", files=3, left=True)
CAPABILITIES = Capabilities(
    version=180_000,
    user="admin",
    superuser=False,
    createdb=True,
    createrole=True,
    replication=False,
    bypassrls=False,
    extensions_available=frozenset({"postgis", "vector"}),
    extensions_allowed=frozenset({"vector"}),
    max_connections=100,
)
ROLES = Roles(existing=frozenset({"admin", "app", "locked"}), settable=frozenset({"app"}))


def report(*files: FileReport, phase: Phase = Phase.COMPLETED_WITH_WARNINGS, **more: Any) -> Report:
    request = more.pop("request", REQUEST)
    plan = Plan(
        request=read_request(request),
        target=TargetRef(alias="drill", host="drill.postgres.database.azure.com", version="18.6"),
        instance=INSTANCE,
    )
    known = {"plan": plan, "container": "", "job": "571e", "message": "", **more}
    return Report(
        request_id="INC-1",
        phase=phase,
        request=request,
        backup_taken=None,
        phases=(),
        times=(),
        files=files,
        written_at=NOW.isoformat(),
        **known,
    )


def database(name: str = "orders", state: FileState = FileState.IMPORTED, **more: Any) -> FileReport:
    final_name, reason = more.pop("final_name", name), more.pop("reason", "")
    notes = Notes(items=tuple(more.pop("notes", ())))
    if state in {FileState.IMPORTED, FileState.WARNED}:
        more["promotion"] = Promotion(name=final_name, oid=1, replaced=more.pop("replaced", False), notes=notes)
    progress = FileProgress(
        name=f"b_database_{name}.sql",
        kind=FileKind.DATABASE,
        database=name,
        final_name=final_name,
        state=state,
        reason=reason,
    )
    return FileReport(file=progress, **more)


def failed(error: PermanentError, *names: str, reason: str = "") -> list[FileReport]:
    return [database(name, FileState.FAILED, failure=Failure.of(error), reason=reason) for name in names or ("orders",)]


def roles_file(script: str = "", existing: frozenset[str] = frozenset(), **more: Any) -> FileReport:
    """A roles file as its import reports it."""
    target = RoleTarget(CAPABILITIES, existing | {"admin"}, memberships=frozenset(), grantable=frozenset())
    plan = plan_roles(Statements([script.encode()]), target, existing)
    run = ScriptRun(statements=1, seconds=0.1, notes=Notes(items=plan.notes), without_password=plan.without_password)
    progress = FileProgress(name="b_roles.sql", kind=FileKind.ROLES, state=FileState.IMPORTED, **more)
    return FileReport(file=progress, script=run)


def other(kind: FileKind, name: str, state: FileState = FileState.SKIPPED, database: str = "") -> FileReport:
    return FileReport(file=FileProgress(name=name, kind=kind, database=database, state=state))


def lacking(*extensions: str) -> TargetRefused:
    with pytest.raises(TargetRefused) as caught:
        check_extensions(extensions, CAPABILITIES)
    return caught.value


def grant(statement: str, owner: str = "app") -> Note:
    note = adapt_grant("ACL public TABLE t", owner, statement, ROLES).note
    assert note is not None
    return note


def owner(role: str) -> Note:
    """As `ArchiveLoad` notes an owner who cannot own here what it owned."""
    reason = f"{ROLES.why_not(role)}: admin owns 3 objects instead, such as TABLE public t"
    return Note(kind=NoteKind.CHANGED, subject=f'owner "{role}"', reason=reason)


def left_out(kind: str, name: str) -> Note:
    [note] = select([Entry(1, kind, "", name, "app", "CREATE …", ())]).notes
    return note


def approval(verdict: Verdict, by: str = "", reason: str = "") -> Approval:
    return Approval(deadline=NOW, decision=Decision(verdict=verdict, by=by, reason=reason, at=NOW))


LOGIN = 'CREATE ROLE "Odd ""One""";\nALTER ROLE "Odd ""One""" WITH LOGIN;\n'
ENTRA = "CREATE ROLE ada;\nALTER ROLE ada WITH LOGIN;\nSECURITY LABEL FOR pgaadauth ON ROLE ada IS 'aadauth';\n"

SITUATIONS: dict[str, tuple[Report, StepKind, Who, list[str]]] = {
    "the request is wrong, before it had a container": (
        report(
            phase=Phase.REJECTED,
            plan=None,
            errors=(Failure.of(PreflightFailed("2 things", details=["target: a", "b"])),),
        ),
        StepKind.CORRECT_REQUEST,
        Who.REQUESTER,
        ["2 things", "target: a", "It may keep its request id."],
    ),
    "the request is wrong, and its files show it": (
        report(phase=Phase.REJECTED, container="landing-1"),
        StepKind.CORRECT_REQUEST,
        Who.REQUESTER,
        ["It needs a new request id."],
    ),
    "an approver said no": (
        report(phase=Phase.REJECTED, approval=approval(Verdict.REJECTED, "grace", "not today")),
        StepKind.ASK_AGAIN,
        Who.REQUESTER,
        ["Settle with grace", "not today", '"requestId": "<a new id>"'],
    ),
    "nobody approved in time": (
        report(phase=Phase.REJECTED, approval=approval(Verdict.EXPIRED)),
        StepKind.ASK_AGAIN,
        Who.REQUESTER,
        ["until 2026-04-01 12:00:00 UTC", "under a new id"],
    ),
    "cancelled before files landed": (
        report(phase=Phase.CANCELLED, cancellation=Statement(by="ada", reason="wrong server")),
        StepKind.ASK_AGAIN,
        Who.REQUESTER,
        ["under a new id", '"backupInstance": "orders"'],
    ),
    "cancelled while files lie in their container": (
        report(phase=Phase.CANCELLED, landing=LANDING),
        StepKind.ASK_AGAIN,
        Who.REQUESTER,
        ['"container": "landing-1"', '"backupName": "b"'],
    ),
    "a dry run": (
        report(phase=Phase.COMPLETED, request={**REQUEST, "dryRun": True}),
        StepKind.CARRY_OUT,
        Who.REQUESTER,
        ["without dryRun", '"target": "drill"'],
    ),
    "files only": (
        report(phase=Phase.COMPLETED, request={**REQUEST, "mode": "files-only"}, landing=LANDING),
        StepKind.IMPORT_FILES,
        Who.REQUESTER,
        ['"container": "landing-1"'],
    ),
    "the backup job failed": (
        report(phase=Phase.FAILED, errors=(Failure.of(BackupJobFailed("the job ended as Failed")),)),
        StepKind.MEND,
        Who.BACKUP_ADMIN,
        [
            "the job ended as Failed",
            "az dataprotection job show --subscription s --resource-group rg --vault-name v --job-id 571e",
        ],
    ),
    "it failed without files": (
        report(phase=Phase.FAILED),
        StepKind.ASK_AGAIN,
        Who.REQUESTER,
        ["under a new id"],
    ),
    "extensions that the server does not allow": (
        report(*failed(lacking("postgis"), "geo"), phase=Phase.PARTIALLY_FAILED),
        StepKind.ALLOW_EXTENSIONS,
        Who.SERVER_ADMIN,
        ["Allow the extension postgis", "--server-name drill --name azure.extensions --value postgis,vector"],
    ),
    "extensions that the server does not have": (
        report(*failed(lacking("timescaledb"), "iot"), phase=Phase.FAILED),
        StepKind.ALLOW_EXTENSIONS,
        Who.SERVER_ADMIN,
        ["Choose a target server that has the extension timescaledb"],
    ),
    "several databases failed for one reason": (
        report(*failed(ImportFailed("disk is full"), "a", "b"), phase=Phase.FAILED),
        StepKind.MEND,
        Who.DATABASE_ADMIN,
        ["Mend what made a and b fail.", "ImportFailed: disk is full"],
    ),
    "a name is taken": (
        report(*failed(DatabaseExists(name_taken("orders").text)), phase=Phase.FAILED, landing=LANDING),
        StepKind.MEND,
        Who.DATABASE_ADMIN,
        ["exists on the target server", '"onConflict": "replace"', '"backupName": "b"', '"databases": [\n    "orders"'],
    ),
    "something can be retried": (
        report(database("a"), *failed(ImportFailed("x"), "b"), phase=Phase.PARTIALLY_FAILED, landing=LANDING),
        StepKind.RETRY,
        Who.REQUESTER,
        ["Retry b", "flexrestore retry INC-1", "/api/restores/INC-1/retry'"],
    ),
    "a temporary database is still there": (
        report(*failed(ImportFailed("x"), reason=f"x Its {NOT_DROPPED}; drop"), phase=Phase.FAILED),
        StepKind.DROP_TEMPORARY,
        Who.DATABASE_ADMIN,
        [f"starts_with(datname, '{LoadKey('INC-1', 'orders').prefix}')"],
    ),
    "login roles without a password": (
        report(roles_file(LOGIN)),
        StepKind.SET_PASSWORDS,
        Who.DATABASE_ADMIN,
        ['roles that log in: Odd "One".', 'ALTER ROLE "Odd ""One""" PASSWORD <new password>;'],
    ),
    "a role of a Microsoft Entra principal": (
        report(roles_file(ENTRA)),
        StepKind.CONNECT_ENTRA,
        Who.ENTRA_ADMIN,
        ['SECURITY LABEL FOR "pgaadauth" ON ROLE "ada" IS \'aadauth\';'],
    ),
    "roles that were left out own something": (
        report(database(notes=[owner("gone"), grant("GRANT SELECT ON TABLE t TO lost;")])),
        StepKind.CREATE_ROLES,
        Who.DATABASE_ADMIN,
        ["Create 2 roles", "gone and lost", 'CREATE ROLE "gone";\nCREATE ROLE "lost";'],
    ),
    "a member of a role that was left out": (
        report(roles_file("CREATE ROLE app;\nGRANT gone TO app;\n")),
        StepKind.CREATE_ROLES,
        Who.DATABASE_ADMIN,
        ['CREATE ROLE "gone";'],
    ),
    "an attribute that the admin cannot give": (
        report(roles_file("CREATE ROLE app;\nALTER ROLE app WITH REPLICATION;\n")),
        StepKind.COMPLETE_ROLES,
        Who.DATABASE_ADMIN,
        ['role "app"', "Created without REPLICATION"],
    ),
    "an owner whom the import's user cannot become": (
        report(database(notes=[owner("locked")])),
        StepKind.GIVE_OWNERS,
        Who.DATABASE_ADMIN,
        ['orders: owner "locked"', 'GRANT "locked" TO "admin";'],
    ),
    "grants to roles that are not there": (
        report(database(final_name="copy", notes=[grant("GRANT SELECT ON TABLE t TO gone")])),
        StepKind.GRANT,
        Who.DATABASE_ADMIN,
        ["1 statement", "[copy] GRANT SELECT ON TABLE t TO gone;"],
    ),
    "an extension that could not be created": (
        report(database(notes=[Note(kind=NoteKind.TOLERATED, subject="EXTENSION vector", reason="not preloaded")])),
        StepKind.CREATE_EXTENSIONS,
        Who.DATABASE_ADMIN,
        ["Not preloaded.", '[orders] CREATE EXTENSION "vector";'],
    ),
    "something that no managed server has": (
        report(database(notes=[left_out("EVENT TRIGGER", "audit")])),
        StepKind.LOOK_AT_DIFFERENCES,
        Who.DATABASE_ADMIN,
        ["orders: EVENT TRIGGER audit"],
    ),
    "the database postgres may hold pg_cron jobs": (
        report(database(), other(FileKind.DATABASE, "b_database_postgres.sql", database="postgres")),
        StepKind.SCHEDULE_JOBS,
        Who.DATABASE_ADMIN,
        ["cron.job", "cron.schedule_in_database"],
    ),
    "a database got another name": (
        report(database(final_name="orders drill")),
        StepKind.REPOINT,
        Who.APPLICATION_OWNER,
        ["orders is now orders drill", "host=drill.postgres.database.azure.com dbname='orders drill'"],
    ),
    "a database was replaced": (
        report(database(replaced=True)),
        StepKind.CHECK_REPLACED,
        Who.APPLICATION_OWNER,
        ["used orders before"],
    ),
    "the backup job warned": (
        report(database(), warnings=("half of it",)),
        StepKind.READ_WARNINGS,
        Who.BACKUP_ADMIN,
        ["half of it", "az dataprotection job show"],
    ),
    "a container stays reserved": (
        report(phase=Phase.FAILED, landing=LANDING.model_copy(update={"reservation": "https://h/c/r.json"})),
        StepKind.FREE_CONTAINER,
        Who.OPERATOR,
        ["az storage blob delete --auth-mode login --blob-url https://h/c/r.json", "job show"],
    ),
    "files with sensitive data lie around": (
        report(
            database(), other(FileKind.MARKER, "backupstarttimestamp"), phase=Phase.FAILED, landing=LANDING
        ),
        StepKind.DELETE_FILES,
        Who.OPERATOR,
        [
            "Delete 3 restored files in landing-1",
            "--account-name acct --source landing-1 --pattern 'b_*'",
            "--container-name landing-1 --name backupstarttimestamp",
        ],
    ),
    "blobs of unknown names": (
        report(container="landing-1", unknown=("notes.txt",)),
        StepKind.LOOK_AT_UNKNOWN,
        Who.OPERATOR,
        ["1 blob of unknown name in landing-1", "notes.txt"],
    ),
}  # fmt: skip


def told(step: Step) -> str:
    """Everything that a step says, commands with the database that they are for."""
    commands = (f"[{one.database}] {one.text}" if one.database else one.text for one in step.commands)
    return "\n".join([step.what, step.why, step.how, *step.subjects, *commands])


@pytest.mark.parametrize("situation", SITUATIONS)
def test_each_situation_has_its_step(situation: str) -> None:
    found, kind, who, words = SITUATIONS[situation]

    [step] = [step for step in next_steps(found) if step.kind is kind]
    assert step.who is who
    for text in words:
        assert text in told(step)


def test_every_kind_of_step_has_a_situation() -> None:
    assert {kind for _, kind, _, _ in SITUATIONS.values()} == set(StepKind)


def test_the_documentations_step_is_one() -> None:
    documentation = (Path(__file__).parents[3] / "docs" / "report.md").read_text()
    [shown] = re.findall(r"^```json\n(.*?)^```$", documentation, re.MULTILINE | re.DOTALL)
    script = "".join(f"CREATE ROLE {role};\nALTER ROLE {role} WITH LOGIN;\n" for role in ("reporting", "shop"))

    [step] = [one for one in next_steps(report(roles_file(script))) if one.kind is StepKind.SET_PASSWORDS]
    assert step.to_wire() == json.loads(shown)


NOTHING_TO_DO: dict[str, Report] = {
    "everything was imported": report(database(), roles_file(), phase=Phase.COMPLETED),
    "differences are as expected": report(
        database(notes=[Note(kind=NoteKind.CHANGED, subject="s", reason="r", matters=False)]), phase=Phase.COMPLETED
    ),
    "a grant was made in the owner's name": report(database(notes=[grant("SET SESSION AUTHORIZATION locked;")])),
    "the files are deleted": report(
        database(), phase=Phase.COMPLETED, landing=LANDING.model_copy(update={"left": False})
    ),
    "postgres landed, and nothing was imported": report(
        other(FileKind.DATABASE, "b_database_postgres.sql", database="postgres")
    ),
}


@pytest.mark.parametrize("situation", NOTHING_TO_DO)
def test_nothing_is_to_be_done_where(situation: str) -> None:
    assert next_steps(NOTHING_TO_DO[situation]) == ()


def test_what_has_to_be_done_comes_first() -> None:
    everything = report(
        database(final_name="copy", notes=[owner("gone")]),
        *failed(ImportFailed("x"), "b"),
        roles_file(LOGIN),
        phase=Phase.PARTIALLY_FAILED,
        landing=LANDING,
    )

    steps = next_steps(everything)
    assert [step.kind for step in steps] == [
        StepKind.MEND,
        StepKind.RETRY,
        StepKind.CREATE_ROLES,
        StepKind.SET_PASSWORDS,
        StepKind.GIVE_OWNERS,
        StepKind.DELETE_FILES,
        StepKind.REPOINT,
    ]
    assert [step.required for step in steps] == [True] * 6 + [False]


@pytest.mark.parametrize(
    ("phase", "landing"),
    [(Phase.CANCELLED, LANDING), (Phase.FAILED, LANDING.model_copy(update={"left": False})), (Phase.FAILED, None)],
)
def test_what_left_no_files_or_was_cancelled_cannot_be_retried(phase: Phase, landing: Landing | None) -> None:
    steps = next_steps(report(*failed(ImportFailed("x")), phase=phase, landing=landing))

    assert StepKind.RETRY not in {step.kind for step in steps}


def test_nobody_is_asked_to_create_or_to_become_a_role_of_the_service() -> None:
    notes = [owner("azuresu"), grant("GRANT SELECT ON TABLE t TO azure_superuser;")]

    steps = next_steps(report(database(notes=notes)))
    assert [step.kind for step in steps] == [StepKind.LOOK_AT_DIFFERENCES]


def test_a_statement_that_was_cut_is_not_offered_to_be_run() -> None:
    long = f"GRANT SELECT ON TABLE {'t' * 700} TO gone"
    notes = Notes.bounded([grant(long), grant("GRANT SELECT ON TABLE u TO gone")])

    [step] = [one for one in next_steps(report(database(notes=notes.items))) if one.kind is StepKind.GRANT]
    assert [command.text for command in step.commands] == ["GRANT SELECT ON TABLE u TO gone;"]
    assert "too long for this report are in the log" in step.how


def test_a_step_names_as_much_as_people_read() -> None:
    notes = tuple(grant(f"GRANT SELECT ON TABLE t{number} TO gone") for number in range(600))

    [step] = [one for one in next_steps(report(database(notes=notes))) if one.kind is StepKind.GRANT]
    assert "600 statements" in step.what
    assert (len(step.subjects), step.subjects[-1]) == (501, "and 100 more")
    assert step.commands[0].text.count("GRANT SELECT") == 500
    assert "After the first 500" in step.how


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("app", '"app"'),
        ("Odd Role", '"Odd Role"'),
        ('a"b', '"a""b"'),
        ("größe", '"größe"'),
        ("a\\b", '"a\\b"'),
        ("spoof\u202erole", r'U&"spoof\202Erole"'),
        ('line\n"x"\\', r'U&"line\000A""x""\\"'),
        ("tag\U000e0041", r'U&"tag\+0E0041"'),
        ("", 'U&""'),
    ],
)
def test_a_name_is_quoted_so_that_what_is_copied_is_what_it_is(name: str, sql: str) -> None:
    assert sql_name(name) == sql


def test_a_request_to_copy_is_accepted_once_it_has_an_id() -> None:
    asked = {**REQUEST, "mode": "full", "databases": ["a", {"name": "b", "as": "b2"}], "reason": "drill"}
    taken = DatabaseExists("taken")
    two = [database("b", FileState.FAILED, final_name="b2", failure=Failure.of(taken)), *failed(taken, "a")]

    steps = next_steps(report(*two, phase=Phase.FAILED, request=asked, landing=LANDING))
    [command] = next(step for step in steps if step.kind is StepKind.MEND).commands
    content = json.loads(command.text)
    assert content["requestId"] == "<a new id>"
    found = read_request({**content, "requestId": "INC-2"})
    assert isinstance(found, RestoreRequest)
    assert (found.on_conflict, found.reason) == ("replace", "drill")
    assert [found.final_name(name) for name in ("a", "b", "c")] == ["a", "b2", None]


def test_hostile_names_do_not_leave_their_quotes_in_a_shell() -> None:
    landing = LANDING.model_copy(update={"backup_name": "b'; rm -rf ~ #[x]*"})
    marker = other(FileKind.MARKER, "$(id)/backupstarttimestamp")

    [step] = next_steps(report(marker, landing=landing))
    pattern, name = step.commands[0].text.splitlines()
    assert pattern.endswith("""--pattern 'b'"'"'; rm -rf ~ #[[]x][*]_*'""")
    assert name.endswith("--name '$(id)/backupstarttimestamp'")


def test_every_failure_that_ends_a_file_or_a_restore_says_who_mends_it() -> None:
    """Failures without a row of their own are the operator's; these are what people see."""
    errors = Path(__file__).parents[3] / "shared" / "errors.py"
    classes = {node.name for node in ast.parse(errors.read_text()).body if isinstance(node, ast.ClassDef)}

    assert set(MEND) - classes == {"InternalError", "RetriesExhausted"}


def test_the_words_that_steps_are_read_from_are_those_of_the_orchestrations() -> None:
    orchestrator = Path(__file__).parents[3] / "orchestrators" / "import_database.py"

    assert NOT_DROPPED in orchestrator.read_text()
