"""One restore, from its request to its report."""

from typing import Any

import azure.durable_functions as df

from orchestrators.course import Course, Stopped
from orchestrators.steps import Steps, attempt, later, watched
from shared.contracts.base import Json
from shared.contracts.briefing import Briefing
from shared.contracts.importing import LandingRef
from shared.contracts.outcome import Failure, Outcome
from shared.contracts.progress import FileState, Phase, SetResult
from shared.contracts.vaultjobs import BackupJob, Operation
from shared.topology import LANDING_CONTAINERS, import_instance


def restore(context: df.DurableOrchestrationContext) -> Steps[Json]:
    """Plan, have the vault restore files, import them, verify, report. The instance id is the request id."""
    course = Course(context)
    try:
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
        course.files = result.files
        _judge(result, job_failure)
        yield from _verify(context, course, landing)
    except Stopped as stopped:
        return (yield from _end(context, course, stopped.phase, stopped.error.message, (stopped.error,)))
    return (yield from _end(context, course, _verdict(result), _summary(result)))


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
    order = briefing.order(landing.container)
    deadline = later(context, hours=briefing.pace.job_deadline_hours)
    watch = briefing.watch("start_restore", order, what="the vault to start the restore", deadline=deadline)
    job_id = _value((yield from watched(context, "start", watch)))["jobId"]
    course.note(job=job_id)
    watch = briefing.watch(
        "check_job",
        BackupJob(instance=order.instance, job_id=job_id),
        what=f"backup job {job_id}",
        deadline=later(context, hours=briefing.pace.job_deadline_hours),
    )
    ended = yield from watched(context, "job", watch)
    yield from attempt(context, "close_landing", landing)
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
    _value((yield from attempt(context, "open_import", landing)))
    watch = briefing.watch(
        "check_import",
        {"instanceId": import_instance(briefing.request_id)},
        what="the import",
        deadline=later(context, hours=briefing.pace.job_deadline_hours),
    )
    return SetResult.from_wire(_value((yield from watched(context, "imported", watch))))


def _judge(result: SetResult, job_failure: Failure | None) -> None:
    """End the restore here when the import cannot count as one."""
    if job_failure is not None:
        raise Stopped(Phase.PARTIALLY_FAILED if _some_imported(result) else Phase.FAILED, job_failure)
    if result.missing:
        message = "The request names databases that the backup does not hold; nothing was imported."
        details = tuple(f"databases: {name} is not in the backup" for name in result.missing)
        raise Stopped(Phase.REJECTED, Failure(code="DatabaseMissing", message=message, details=details))


def _verify(context: df.DurableOrchestrationContext, course: Course, landing: LandingRef) -> Steps[None]:
    yield from course.enter(Phase.VERIFYING, "checking that every database stands where it was announced")
    _value((yield from attempt(context, "verify_restore", landing)), Phase.PARTIALLY_FAILED)


def _end(
    context: df.DurableOrchestrationContext,
    course: Course,
    phase: Phase,
    message: str,
    errors: tuple[Failure, ...] = (),
) -> Steps[Json]:
    """Write the report, give the landing container back, tell the end."""
    progress = course.progress.model_copy(update={"phase": phase, "message": message, "errors": errors})
    ending = {
        "requestId": context.instance_id,
        "request": context.get_input()["request"],
        "progress": progress.to_wire(),
        "files": [file.to_wire() for file in course.files],
    }
    report = yield from attempt(context, "write_report", ending)
    course.note(report=report.value)
    yield from attempt(context, "release_landing", ending)
    yield from course.enter(phase, message, errors)
    return {"phase": phase.value, "message": message, "report": report.value}


def _verdict(result: SetResult) -> Phase:
    """The terminal phase of an import."""
    states = {file.state for file in result.files}
    if FileState.FAILED in states:
        return Phase.PARTIALLY_FAILED if _some_imported(result) else Phase.FAILED
    if FileState.WARNED in states or result.unknown:
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


def _value(outcome: Outcome, otherwise: Phase = Phase.FAILED) -> Any:
    """The outcome's value; a failure ends the restore in the given phase."""
    if outcome.error is not None:
        raise Stopped(otherwise, outcome.error)
    return outcome.value
