"""One restore, from its request to its report."""

from typing import Any

import azure.durable_functions as df

from orchestrators.course import Course, Stopped
from orchestrators.steps import Steps, attempt, later, watched
from shared.contracts.base import Json
from shared.contracts.briefing import Briefing
from shared.contracts.files import FileKind
from shared.contracts.importing import LandingRef
from shared.contracts.outcome import Failure, Outcome
from shared.contracts.progress import FileState, Phase, SetResult
from shared.contracts.vaultjobs import BackupJob, Operation
from shared.errors import (
    BackupJobFailed,
    LandingFailed,
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
        landing = yield from _reserve(context, course, briefing)
        job_failure = yield from _run_backup_job(context, course, briefing, landing)
    else:
        landing, job_failure = briefing.landing, None
        yield from _settle(context, course, briefing, landing)
    result = yield from _import(context, course, briefing, landing)
    _judge(result, job_failure)
    yield from _verify(context, course, landing)
    return (yield from _end(context, course, _verdict(result, course), _summary(result)))


def _plan(context: df.DurableOrchestrationContext, course: Course) -> Steps[Briefing]:
    yield from course.enter(Phase.ACCEPTED)
    yield from course.enter(Phase.PLANNING)
    outcome = yield from attempt(context, "make_plan", {"request": context.get_input()["request"]})
    return Briefing.from_wire(_value(outcome, Phase.REJECTED))


def _validate(context: df.DurableOrchestrationContext, briefing: Briefing) -> Steps[None]:
    """Ask the service whether it would restore; the permissions are the same for every landing container."""
    started = yield from attempt(context, "start_validation", briefing.order(LANDING_CONTAINERS[0]))
    operation = Operation.from_wire(_value(started, Phase.REJECTED))
    deadline = later(context, hours=1)
    watch = briefing.watch("check_operation", operation, what="the vault's validation", deadline=deadline)
    _value((yield from watched(context, "validation", watch)), Phase.REJECTED)


def _reserve(context: df.DurableOrchestrationContext, course: Course, briefing: Briefing) -> Steps[LandingRef]:
    yield from course.enter(Phase.AWAITING_LANDING, "waiting for a free landing container")
    deadline = later(context, hours=briefing.pace.landing_deadline_hours)
    subject = {"requestId": briefing.request_id}
    watch = briefing.watch("reserve_landing", subject, what="a free landing container", deadline=deadline)
    container = str(_value((yield from watched(context, "landing", watch)))["container"])
    course.note(container=container)
    return LandingRef(request_id=briefing.request_id, container=container, reserved=True)


def _run_backup_job(
    context: df.DurableOrchestrationContext, course: Course, briefing: Briefing, landing: LandingRef
) -> Steps[Failure | None]:
    """Trigger the restore as files and watch the backup job to its end; why the job failed, if it did.

    A failed job does not end the restore at once: what landed before is being imported already.
    """
    yield from course.enter(Phase.RESTORING, f"the vault restores files into {landing.container}")
    course.vault_may_write = course.import_may_run = True
    order = briefing.order(landing.container)
    deadline = later(context, hours=briefing.pace.job_deadline_hours)
    watch = briefing.watch("start_restore", order, what="the vault to start the restore", deadline=deadline)
    started = yield from watched(context, "start", watch)
    course.vault_may_write = not _is(started, VaultRefused)
    job = BackupJob(instance=order.instance, job_id=_value(started)["jobId"])
    course.note(job=job.job_id)
    watch = briefing.watch("check_job", job, what=f"backup job {job.job_id}", deadline=deadline)
    ended = yield from watched(context, "job", watch)
    course.vault_may_write = not (ended.ok or _is(ended, BackupJobFailed))
    if ended.ok:
        course.note(warnings=tuple(ended.value["warnings"]))
    _value((yield from attempt(context, "close_landing", landing)))
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
    if not any(file.kind is FileKind.DATABASE for file in result.files):
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
    """Write the report, give the landing container back, tell the end.

    An import that still runs is told that its restore has ended. A container that the vault may still write into is
    not given away.
    """
    subject = {"requestId": context.instance_id, "request": context.get_input()["request"]}
    if course.import_may_run:
        yield from attempt(context, "end_import", subject)
    if course.vault_may_write:
        container = course.progress.container
        message += f" The vault may still write into {container}: it stays reserved until somebody looks at the job."
    ending = course.progress.model_copy(update={"phase": phase, "message": message, "errors": errors})
    files = [file.to_wire() for file in course.files]
    report = yield from attempt(context, "write_report", {**subject, "progress": ending.to_wire(), "files": files})
    if report.error is not None:
        errors = (*errors, report.error)
        phase = Phase.COMPLETED_WITH_WARNINGS if phase is Phase.COMPLETED else phase
        message += " The report could not be written."
    course.note(report=report.value)
    if not course.vault_may_write:
        yield from attempt(context, "release_landing", {**subject, "phase": phase.value})
    yield from course.enter(phase, message, errors)
    return {
        "phase": phase.value,
        "message": message,
        "report": report.value,
        "errors": [error.to_wire() for error in errors],
    }


def _verdict(result: SetResult, course: Course) -> Phase:
    """The terminal phase of an import."""
    states = {file.state for file in result.files}
    if FileState.FAILED in states:
        return Phase.PARTIALLY_FAILED if _some_imported(result) else Phase.FAILED
    if FileState.WARNED in states or result.unknown or course.progress.warnings:
        return Phase.COMPLETED_WITH_WARNINGS
    return Phase.COMPLETED


def _some_imported(result: SetResult) -> bool:
    """Whether a database stands on the target; roles alone are no restore."""
    return any(file.database and file.state in {FileState.IMPORTED, FileState.WARNED} for file in result.files)


def _summary(result: SetResult) -> str:
    counts = {state: sum(file.state is state for file in result.files) for state in FileState}
    parts = [f"{count} {state.value}" for state, count in counts.items() if count]
    unknown = f"; {len(result.unknown)} unknown file(s) left alone" if result.unknown else ""
    return f"files: {', '.join(parts) or 'none'}{unknown}"


def _value(outcome: Outcome, refused: Phase = Phase.FAILED) -> Any:
    """The outcome's value; a failure ends the restore, in the given phase where it is somebody's no."""
    if outcome.error is not None:
        raise Stopped(refused if _is(outcome, *_REFUSALS) else Phase.FAILED, outcome.error)
    return outcome.value


_REFUSALS = (RequestRejected, PreflightFailed, VaultRefused)


def _is(outcome: Outcome, *kinds: type[PermanentError]) -> bool:
    """Whether the outcome is a failure of one of these kinds."""
    return outcome.error is not None and outcome.error.code in {kind.__name__ for kind in kinds}
