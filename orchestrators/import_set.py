"""Import a file set: roles, then databases side by side; the other scripts when they were asked for.

The blob trigger starts this early, while the vault still writes; the listing of the container is the truth about what
has landed, so nothing depends on a trigger that was missed. One generation is one look at the container.
"""

from collections.abc import Sequence

import azure.durable_functions as df

from orchestrators.steps import Steps, attempt, give_back, given_up, is_verdict, look, pause
from shared.contracts.base import Json
from shared.contracts.files import FileKind
from shared.contracts.importing import DatabaseImport, ImportSet, Lane, ScriptImport, Survey
from shared.contracts.outcome import Failure, Outcome, failure, success
from shared.contracts.progress import FileProgress, FileState, SetResult
from shared.contracts.watch import Sighting
from shared.errors import DeadlinePassed, FileChanged, ImportFailed, RestoreCancelled, RestoreEnded


def import_set(context: df.DurableOrchestrationContext) -> Steps[Json | None]:
    """Import what has landed; look again until nothing more will land. Answers a `SetResult`."""
    job = ImportSet.from_wire(context.get_input())
    answer = yield from _import(context, job)
    if answer is not None:
        yield from give_back(context, "leave_target", job.landing)
    return answer


def _import(context: df.DurableOrchestrationContext, job: ImportSet) -> Steps[Json | None]:
    """One look at the container, and what it gives to do; None where there is another generation."""
    outcome = yield from attempt(context, "survey_landing", job.landing)
    if outcome.error is not None:
        return _ended(job, outcome)
    survey = Survey.from_wire(outcome.value)
    job = job.with_files(*(file for file in survey.files if file.name not in job.files), *_deleted(job, survey))
    problems = () if _has_begun(job) else survey.problems
    if problems and survey.closed:
        return success(SetResult(problems=problems).to_wire())

    if not (problems or job.has_place) and _is_ready(job, survey):
        turn = yield from look(context, "enter_target", job.landing)
        if is_verdict(turn):
            return _ended(job, turn)
        job = _placed(context, job, turn)
    before = job
    if job.has_place and not problems:
        imported = yield from _import_first(context, job, survey)
        if imported is None:
            return failure(ImportFailed("A lane of the import was ended from outside; what it did is in the report."))
        job = imported
    if survey.closed and job == before and not any(map(job.waiting, _FIRST)):
        job = (yield from _import_scripts(context, job, survey)) if job.has_place else job
        if not any(map(job.waiting, FileKind)):
            return success(SetResult(files=tuple(job.files.values()), unknown=survey.unknown).to_wire())
    return (yield from _look_again(context, job, survey, changed=job != before))


def _look_again(
    context: df.DurableOrchestrationContext, job: ImportSet, survey: Survey, *, changed: bool
) -> Steps[Json | None]:
    """Another generation, after a pause where this one has changed nothing; or that the time is over."""
    if context.current_utc_datetime >= job.deadline:
        return failure(DeadlinePassed(_too_late(job, survey)))
    if not changed:
        yield from pause(context, job.interval)
        job = job.slower()
    context.continue_as_new(job.to_wire())
    return None


_ENDINGS = (RestoreCancelled.__name__, RestoreEnded.__name__)
_FIRST = (FileKind.ROLES, FileKind.DATABASE)


def _has_begun(job: ImportSet) -> bool:
    """Whether something was imported: what the request names was all there then, and may be gone now."""
    return any(file.state.is_final and file.state is not FileState.SKIPPED for file in job.files.values())


def _deleted(job: ImportSet, survey: Survey) -> list[FileProgress]:
    """Files that were to be imported, and that are gone where nothing more will land."""
    reason = f"it was deleted from {job.landing.container} before it was imported: restore again"
    return [
        file.model_copy(update={"state": FileState.FAILED, "reason": reason})
        for file in job.files.values()
        if survey.closed and file.state is FileState.LANDED and file.name not in survey.sources
    ]


def _ended(job: ImportSet, outcome: Outcome) -> Json:
    """The answer where it cannot go on: because its restore has ended, or for another reason."""
    return _stopped(job, outcome.error) if outcome.error and outcome.error.code in _ENDINGS else outcome.to_wire()


def _stopped(job: ImportSet, error: Failure) -> Json:
    """What was done until the restore ended."""
    waiting = [file for file in job.files.values() if not file.state.is_final]
    stopped = (file.model_copy(update={"state": given_up(error), "reason": error.message[:500]}) for file in waiting)
    return success(SetResult(files=tuple(job.with_files(*stopped).files.values())).to_wire())


def _too_late(job: ImportSet, survey: Survey) -> str:
    """What had not come by the deadline."""
    if _is_ready(job, survey) and not job.has_place:
        return f"Its turn at the target server had not come by {job.deadline}."
    return f"The files in {job.landing.container} were not complete by {job.deadline}."


def _is_ready(job: ImportSet, survey: Survey) -> bool:
    """No place is asked for before there is something to import; before a database has landed the tools are untried."""
    ready = survey.closed or any(file.kind is FileKind.DATABASE for file in survey.files)
    return ready and any(map(job.waiting, FileKind))


def _placed(context: df.DurableOrchestrationContext, job: ImportSet, look: Outcome) -> ImportSet:
    """The import with its place, or without: a target server bears so many at once, the others wait for their turn."""
    turn = Sighting.from_wire(look.value) if look.ok else Sighting(ended=False)
    if not turn.ended:
        context.set_custom_status({"waiting": turn.status[:500]})
    return job.model_copy(update={"has_place": turn.ended})


def _import_first(context: df.DurableOrchestrationContext, job: ImportSet, survey: Survey) -> Steps[ImportSet | None]:
    """Import roles, and databases once the roles are settled; None when a lane of theirs did not answer."""
    job = yield from _import_roles(context, job, survey)
    return (yield from _import_databases(context, job, survey)) if _roles_are_settled(job, survey) else job


def _import_roles(context: df.DurableOrchestrationContext, job: ImportSet, survey: Survey) -> Steps[ImportSet]:
    for file in _there(job, survey, FileKind.ROLES):
        job = yield from _run_script(context, "import_roles", job, survey, file)
    return job


def _there(job: ImportSet, survey: Survey, kind: FileKind) -> list[FileProgress]:
    """The files of a kind that wait and that the last look has seen."""
    return [file for file in job.waiting(kind) if file.name in survey.sources]


def _roles_are_settled(job: ImportSet, survey: Survey) -> bool:
    """Databases need their owners first; where no roles file is to come, there is nothing to wait for."""
    files = [file for file in job.files.values() if file.kind is FileKind.ROLES]
    return all(file.state.is_final for file in files) if files else survey.closed


def _import_databases(
    context: df.DurableOrchestrationContext, job: ImportSet, survey: Survey
) -> Steps[ImportSet | None]:
    """Import what waits, in lanes; None when a lane did not answer, which only happens when somebody ended it."""
    waiting = _there(job, survey, FileKind.DATABASE)
    if not waiting:
        return job
    started = job.with_files(*(file.model_copy(update={"state": FileState.IMPORTING}) for file in waiting))
    _show(context, started)
    lanes = [_lane(job, survey, files) for files in _balanced(waiting, job.lanes)]
    try:
        answers = yield context.task_all(
            [context.call_sub_orchestrator("import_database", lane.to_wire()) for lane in lanes]
        )
    except Exception:  # noqa: BLE001 -- the SDK raises plain Exception for a child that failed or was terminated
        return None
    results = [FileProgress.from_wire(one) for answer in answers for one in answer["value"]]
    job = job.with_files(*results)
    _show(context, job)
    return job


def _import_scripts(context: df.DurableOrchestrationContext, job: ImportSet, survey: Survey) -> Steps[ImportSet]:
    for kind in (FileKind.TABLESPACES, FileKind.SCHEMA):
        for file in _there(job, survey, kind):
            job = yield from _run_script(context, "run_script", job, survey, file)
    return job


def _run_script(
    context: df.DurableOrchestrationContext, activity: str, job: ImportSet, survey: Survey, file: FileProgress
) -> Steps[ImportSet]:
    _show(context, job.with_files(file.model_copy(update={"state": FileState.IMPORTING})))
    script = ScriptImport(
        request_id=job.landing.request_id, container=job.landing.container, file=survey.sources[file.name]
    )
    outcome = yield from attempt(context, activity, script)
    if outcome.error is not None and outcome.error.code == FileChanged.__name__:
        done = file  # the next look sees the new one
    elif outcome.error is not None:
        reason = outcome.error.message[:500]
        done = file.model_copy(update={"state": given_up(outcome.error), "reason": reason})
    else:
        state = FileState.WARNED if outcome.value["warnings"] else FileState.IMPORTED
        done = file.model_copy(update={"state": state})
    job = job.with_files(done)
    _show(context, job)
    return job


def _lane(job: ImportSet, survey: Survey, files: Sequence[FileProgress]) -> Lane:
    return Lane(
        imports=tuple(
            DatabaseImport(
                request_id=job.landing.request_id,
                container=job.landing.container,
                file=survey.sources[file.name],
                final_name=file.final_name,
            )
            for file in files
        )
    )


def _balanced(files: Sequence[FileProgress], lanes: int) -> list[list[FileProgress]]:
    """The files, largest first, each into the lane that holds the fewest bytes."""
    shares: list[list[FileProgress]] = [[] for _ in range(min(lanes, len(files)))]
    for file in files:
        min(shares, key=lambda share: sum(one.size for one in share)).append(file)
    return shares


SHOWN = 20
"""Files at work that the custom status has room for: Azure keeps 16 KB of it. The others are in the ledger."""


def _show(context: df.DurableOrchestrationContext, job: ImportSet) -> None:
    at_work = [file.name[:200] for file in job.files.values() if file.state is FileState.IMPORTING]
    context.set_custom_status({"importing": at_work[:SHOWN]})
