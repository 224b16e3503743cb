"""One restore, from its request to its report."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from orchestrators.course import Course, Stopped
from orchestrators.steps import Steps, attempt, give_back, later, was_cancelled, watched
from shared.contracts.base import Json
from shared.contracts.briefing import Briefing
from shared.contracts.decisions import Approval, Decision, End, Statement, Verdict
from shared.contracts.files import FileKind
from shared.contracts.importing import LandingRef, Survey
from shared.contracts.outcome import Failure, Outcome
from shared.contracts.progress import FileProgress, FileState, Phase, SetResult
from shared.contracts.request import Mode
from shared.contracts.vaultjobs import BackupJob, Operation
from shared.contracts.watch import Watch
from shared.errors import (
    ApprovalDenied,
    BackupJobFailed,
    DatasourceBusy,
    LandingFailed,
    OperationGone,
    PermanentError,
    PreflightFailed,
    RequestRejected,
    VaultRefused,
    cut,
)
from shared.topology import LANDING_CONTAINERS, import_instance


def restore(context: df.DurableOrchestrationContext) -> Steps[Json]:
    """Plan, have the vault restore files, import them, verify, report. The instance id is the request id."""
    course = Course(context)
    try:
        return (yield from _carry_out(context, course))
    except Stopped as stopped:
        return (yield from _end(context, course, stopped.phase, stopped.error.message, (stopped.error,)))
    except Exception as error:  # noqa: BLE001 -- a defect of ours must not leave a restore without end and report
        failure = Failure(code="InternalError", message=cut(f"{type(error).__name__}: {error}", 2_000))
        return (yield from _end(context, course, Phase.FAILED, failure.message, (failure,)))


def _carry_out(context: df.DurableOrchestrationContext, course: Course) -> Steps[Json]:
    briefing = yield from _plan(context, course)
    if briefing.dry_run:
        return (yield from _end(context, course, Phase.COMPLETED, "dry run: this is the plan, nothing was touched"))
    if briefing.landing is None:
        yield from _validate(context, briefing)
        yield from _approve(context, course, briefing)
        landing = yield from _reserve(context, course, briefing)
        job_failure = yield from _run_backup_job(context, course, briefing, landing)
    else:
        yield from _approve(context, course, briefing)
        landing, job_failure = briefing.landing, None
        yield from _settle(context, course, briefing, landing)
    if briefing.mode is Mode.FILES_ONLY:
        return (yield from _keep_files(context, course, landing, job_failure))
    result = yield from _import(context, course, briefing, landing)
    _judge(result, job_failure)
    yield from _verify(context, course, landing)
    return (yield from _end(context, course, _verdict(result, course), _summary(result)))


def _plan(context: df.DurableOrchestrationContext, course: Course) -> Steps[Briefing]:
    yield from course.enter(Phase.ACCEPTED)
    yield from course.enter(Phase.PLANNING)
    began = course.progress.phases[0].at
    subject = {"request": context.get_input()["request"], "began": began}
    outcome = yield from attempt(context, "make_plan", subject, restore=context.instance_id)
    return Briefing.from_wire(_value(outcome, Phase.REJECTED))


def _validate(context: df.DurableOrchestrationContext, briefing: Briefing) -> Steps[None]:
    """Ask the service whether it would restore; the permissions are the same for every landing container.

    A validation whose outcome has expired is asked for once more.
    """
    for name in ("validation", "validation-again"):
        order = briefing.order(LANDING_CONTAINERS[0])
        started = yield from attempt(context, "start_validation", order, restore=briefing.request_id)
        operation = Operation.from_wire(_value(started, Phase.REJECTED))
        deadline = later(context, hours=1)
        watch = briefing.watch("check_operation", operation, what="the vault's validation", deadline=deadline)
        outcome = yield from watched(context, name, watch)
        if not _is(outcome, OperationGone):
            break
    _value(outcome, Phase.REJECTED)


def _approve(context: df.DurableOrchestrationContext, course: Course, briefing: Briefing) -> Steps[None]:
    """Wait for somebody to approve the plan, where that is asked for; the first decision stands."""
    if not briefing.needs_approval:
        return
    deadline = later(context, hours=briefing.pace.approval_deadline_hours)
    course.note(approval=Approval(deadline=deadline))
    yield from course.enter(Phase.AWAITING_APPROVAL, f"the plan waits for approval until {deadline:%Y-%m-%d %H:%M} UTC")
    watch = briefing.watch(
        "check_approval",
        {"requestId": briefing.request_id, "deadline": deadline.isoformat()},
        what="the approval of the plan",
        deadline=deadline + timedelta(hours=1),  # the look that comes after the deadline says that nobody decided
    )
    decision = Decision.from_wire(_value((yield from watched(context, "approval", watch))))
    course.note(approval=Approval(deadline=deadline, decision=decision))
    if decision.verdict is not Verdict.APPROVED:
        raise Stopped(Phase.REJECTED, Failure(code=ApprovalDenied.__name__, message=_denied(decision)))


def _denied(decision: Decision) -> str:
    if decision.verdict is Verdict.EXPIRED:
        return "Nobody approved the plan in time; send the request again under another id."
    return f"{decision.by} rejected the plan: {decision.reason}"


def _reserve(context: df.DurableOrchestrationContext, course: Course, briefing: Briefing) -> Steps[LandingRef]:
    """Wait for the datasource first, then for a container: who waits for a datasource holds no container."""
    yield from course.enter(Phase.AWAITING_LANDING, "waiting for the datasource and a free landing container")
    deadline = later(context, hours=briefing.pace.landing_deadline_hours)
    subject = briefing.reserving()
    watch = briefing.watch("reserve_landing", subject, what="the datasource and a landing container", deadline=deadline)
    container = str(_value((yield from watched(context, "landing", watch)), Phase.REJECTED)["container"])
    course.note(container=container)
    return LandingRef(request_id=briefing.request_id, container=container, reserved=True)


def _run_backup_job(
    context: df.DurableOrchestrationContext, course: Course, briefing: Briefing, landing: LandingRef
) -> Steps[Failure | None]:
    """Trigger the restore as files and watch the backup job to its end; why the job failed, if it did.

    A failed job does not end the restore at once: what landed before is being imported already.
    """
    yield from course.enter(Phase.RESTORING, f"the vault restores files into {landing.container}")
    course.vault_may_write = True
    course.import_may_run = briefing.mode is Mode.FULL
    order = briefing.order(landing.container)
    deadline = later(context, hours=briefing.pace.job_deadline_hours)
    watch = briefing.watch("start_restore", order, what="the vault to start the restore", deadline=deadline)
    started = yield from watched(context, "start", watch)
    course.vault_may_write = not _is(started, VaultRefused, DatasourceBusy)
    job_id = _value(started, Phase.REJECTED)["jobId"]
    job = BackupJob(instance=order.instance, job_id=job_id, request_id=order.request_id)
    course.note(job=job.job_id)
    watch = briefing.watch("check_job", job, what=f"backup job {job.job_id}", deadline=deadline)
    ended = yield from watched(context, "job", watch)
    course.vault_may_write = not (ended.ok or _is(ended, BackupJobFailed))
    if ended.ok:
        course.brought = landing.container
        course.note(warnings=tuple(ended.value["warnings"]))
    _value((yield from give_back(context, "close_landing", landing)))
    return ended.error


def _settle(
    context: df.DurableOrchestrationContext, course: Course, briefing: Briefing, landing: LandingRef
) -> Steps[None]:
    """Files of somebody else's restore are complete when nothing more has landed for a while."""
    yield from course.enter(Phase.AWAITING_LANDING, f"waiting until {landing.container} has settled")
    course.note(container=landing.container)
    deadline = later(context, hours=briefing.pace.landing_deadline_hours)
    watch = briefing.watch("settle_landing", landing, what=f"the files in {landing.container}", deadline=deadline)
    _value((yield from watched(context, "landing", watch)))


def _keep_files(
    context: df.DurableOrchestrationContext, course: Course, landing: LandingRef, job_failure: Failure | None
) -> Steps[Json]:
    """End a restore that was to bring files and no databases; they stay in their landing container."""
    survey = Survey.from_wire(_value((yield from attempt(context, "survey_landing", landing))))
    course.files = tuple(file.progress for file in survey.files)
    if job_failure is not None:
        raise Stopped(Phase.FAILED, job_failure)
    _require_database(course.files)
    name = next(file.backup_name for file in survey.files if file.backup_name)
    message = (
        f"{len(survey.files)} files of backup {name} are in {landing.container}; an import-only request takes them"
    )
    return (yield from _end(context, course, _warned_or_completed(course), message))


def _import(
    context: df.DurableOrchestrationContext, course: Course, briefing: Briefing, landing: LandingRef
) -> Steps[SetResult]:
    """Wait for the import of the file set; the first file that landed may have started it already."""
    yield from course.enter(Phase.IMPORTING, f"importing the files in {landing.container}")
    course.import_may_run = True
    _value((yield from attempt(context, "open_import", landing)))
    watch = briefing.watch(
        "check_import",
        {"instanceId": import_instance(briefing.request_id)},
        what="the import",
        deadline=later(context, hours=briefing.pace.job_deadline_hours),
    )
    result = SetResult.from_wire(_value((yield from watched(context, "imported", watch))))
    course.import_may_run = False
    course.files = result.files
    return result


def _judge(result: SetResult, job_failure: Failure | None) -> None:
    """End the restore here when the import cannot count as one."""
    if job_failure is not None:
        raise Stopped(Phase.PARTIALLY_FAILED if _some_imported(result) else Phase.FAILED, job_failure)
    if result.problems:
        message = "The request asks for what the backup cannot give; nothing was imported."
        raise Stopped(Phase.REJECTED, Failure(code="RequestRejected", message=message, details=result.problems))
    _require_database(result.files)


def _require_database(files: Sequence[FileProgress]) -> None:
    if not any(file.kind is FileKind.DATABASE for file in files):
        message = "No database file has landed: is LandingStorage the account that FLEX_RESTORE_LANDING_ACCOUNT names?"
        raise Stopped(Phase.FAILED, Failure(code=LandingFailed.__name__, message=message))


def _verify(context: df.DurableOrchestrationContext, course: Course, landing: LandingRef) -> Steps[None]:
    yield from course.enter(Phase.VERIFYING, "checking that every database stands where it was announced")
    outcome = yield from attempt(context, "verify_restore", landing)
    if outcome.error is not None:
        raise Stopped(Phase.PARTIALLY_FAILED, outcome.error)


def _end(
    context: df.DurableOrchestrationContext,
    course: Course,
    phase: Phase,
    message: str,
    errors: tuple[Failure, ...] = (),
) -> Steps[Json]:
    """Settle the end, have the import stop, write the report, give the landing container back, tell the end.

    A cancel that came before the end is settled stands, whatever else has happened. A container that the vault may
    still write into is not given away.
    """
    subject = {"requestId": context.instance_id, "request": context.get_input()["request"]}
    closed = yield from attempt(context, "close_restore", {"requestId": context.instance_id})
    cancelled = End.from_wire(closed.value).cancelled if closed.ok else None
    stopped = not course.import_may_run or (yield from _await_import(context, course))
    if cancelled is not None:
        course.note(cancellation=cancelled)
        before = "" if phase is Phase.CANCELLED else message
        phase, message = Phase.CANCELLED, _cancelled(cancelled, course, before, known=stopped)
    cleared = False
    if course.vault_may_write:
        container = {"container": course.progress.container}
        cleared = phase is Phase.CANCELLED and (yield from attempt(context, "open_clearing", subject | container)).ok
        message += _left_to_vault(course, cleared=cleared)
    ending = course.progress.model_copy(update={"phase": phase, "message": message, "errors": errors})
    files = [file.to_wire() for file in course.files]
    brought = course.brought if stopped else ""
    told = {
        "progress": ending.to_wire(),
        "files": files,
        "brought": brought or (course.progress.container if cleared else ""),
        "reserved": course.vault_may_write and not cleared,
    }
    report = yield from attempt(context, "write_report", {**subject, **told})
    if report.error is not None:
        errors = (*errors, report.error)
        phase = Phase.COMPLETED_WITH_WARNINGS if phase is Phase.COMPLETED else phase
        message += " The report could not be written."
    course.note(report=report.value)
    if not course.vault_may_write:
        yield from give_back(context, "release_landing", {**subject, "phase": phase.value, "brought": brought})
    yield from course.enter(phase, message, errors)
    return {
        "phase": phase.value,
        "message": message,
        "report": report.value,
        "errors": [error.to_wire() for error in errors],
    }


def _await_import(context: df.DurableOrchestrationContext, course: Course) -> Steps[bool]:
    """The import stops when its restore has ended: wait for that, to tell what it has done; whether it is known."""
    watch = Watch(
        check="check_import",
        subject={"instanceId": import_instance(context.instance_id)},
        what="the import to stop",
        interval=1,
        longest_interval=10,
        deadline=later(context, hours=_STOPS_WITHIN),
    )
    outcome = yield from watched(context, "stopped", watch)
    if outcome.ok and outcome.value is not None:
        course.files = SetResult.from_wire(outcome.value).files
    return outcome.ok


_STOPS_WITHIN = 0.5
"""Hours in which an import that was told to stop has stopped, or is on a machine that nobody hears of."""


def _cancelled(statement: Statement, course: Course, before: str, *, known: bool) -> str:
    """What became of a cancelled restore."""
    unknown = "Its import has not said what it did: look at the target server for what stands."
    stand = [file.final_name for file in course.files if file.database and file.state in _STANDING]
    standing = f"Databases that stand already and stay: {', '.join(stand)}." if stand else "No database of it stands."
    parts = [
        f"{statement.by} cancelled the restore: {statement.reason}.",
        standing if known else unknown,
        f"Before that: {before}" if before else "",
    ]
    return " ".join(filter(None, parts))


def _left_to_vault(course: Course, *, cleared: bool) -> str:
    """What becomes of a container that the vault may still write into, for people."""
    container, job = course.progress.container, course.progress.job
    if not cleared:
        return f" The vault may still write into {container}: it stays reserved until somebody looks at the job."
    name = f"Backup job {job}" if job else "A backup job that was asked for"
    return f" {name} cannot be stopped: when it has ended, its files are deleted and {container} is free again."


def _verdict(result: SetResult, course: Course) -> Phase:
    """The terminal phase of an import."""
    states = {file.state for file in result.files}
    if any(file.is_missing for file in result.files):
        return Phase.PARTIALLY_FAILED if _some_imported(result) else Phase.FAILED
    if FileState.WARNED in states or result.unknown:
        return Phase.COMPLETED_WITH_WARNINGS
    return _warned_or_completed(course)


def _warned_or_completed(course: Course) -> Phase:
    return Phase.COMPLETED_WITH_WARNINGS if course.progress.warnings else Phase.COMPLETED


_STANDING = (FileState.IMPORTED, FileState.WARNED)


def _some_imported(result: SetResult) -> bool:
    """Whether a database stands on the target; roles alone are no restore."""
    return any(file.database and file.state in _STANDING for file in result.files)


def _summary(result: SetResult) -> str:
    counts = {state: sum(file.state is state for file in result.files) for state in FileState}
    parts = [f"{count} {state.value}" for state, count in counts.items() if count]
    unknown = f"; {len(result.unknown)} unknown file(s) left alone" if result.unknown else ""
    return f"files: {', '.join(parts) or 'none'}{unknown}"


def _value(outcome: Outcome, refused: Phase = Phase.FAILED) -> Any:
    """The outcome's value; a failure ends the restore, in the given phase where it is somebody's no."""
    if outcome.error is not None:
        phase = refused if _is(outcome, *_REFUSALS) else Phase.FAILED
        raise Stopped(Phase.CANCELLED if was_cancelled(outcome.error) else phase, outcome.error)
    return outcome.value


_REFUSALS = (RequestRejected, PreflightFailed, VaultRefused, DatasourceBusy)


def _is(outcome: Outcome, *kinds: type[PermanentError]) -> bool:
    """Whether the outcome is a failure of one of these kinds."""
    return outcome.error is not None and outcome.error.code in {kind.__name__ for kind in kinds}
