"""Import a file set: roles, then databases side by side; the other scripts when they were asked for.

The blob trigger starts this early, while the vault still writes; the listing of the container is the truth about what
has landed, so nothing depends on a trigger that was missed. One generation is one look at the container.
"""

from collections.abc import Sequence

import azure.durable_functions as df

from orchestrators.steps import Steps, attempt, give_back, given_up, look, pause
from shared.contracts.base import Json
from shared.contracts.files import FileKind
from shared.contracts.importing import DatabaseImport, ImportSet, Lane, ScriptImport, Survey
from shared.contracts.outcome import Failure, failure, success
from shared.contracts.progress import FileProgress, FileState, SetResult
from shared.contracts.watch import Sighting
from shared.errors import DeadlinePassed, ImportFailed, RestoreCancelled, RestoreEnded


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
        return _stopped(job, outcome.error) if outcome.error.code in _ENDINGS else outcome.to_wire()
    survey = Survey.from_wire(outcome.value)
    job = job.with_files(*(file for file in survey.files if file.name not in job.files))
    if survey.problems and survey.closed:
        return success(SetResult(problems=survey.problems).to_wire())

    if not (survey.problems or job.has_place) and _is_ready(survey):
        job = yield from _enter_target(context, job)
    before = job
    if job.has_place and not survey.problems:
        job = yield from _import_roles(context, job, survey)
        if _roles_are_settled(job, survey):
            imported = yield from _import_databases(context, job, survey)
            if imported is None:
                return failure(
                    ImportFailed("A lane of the import was ended from outside; what it did is in the report.")
                )
            job = imported
    if survey.closed and job == before and job.has_place:
        job = yield from _import_scripts(context, job, survey)
        return success(SetResult(files=tuple(job.files.values()), unknown=survey.unknown).to_wire())

    if context.current_utc_datetime >= job.deadline:
        return failure(DeadlinePassed(f"The files in {job.landing.container} were not complete by {job.deadline}."))
    if job == before:
        yield from pause(context, job.interval)
        job = job.slower()
    context.continue_as_new(job.to_wire())
    return None


_ENDINGS = (RestoreCancelled.__name__, RestoreEnded.__name__)


def _stopped(job: ImportSet, error: Failure) -> Json:
    """What was done until the restore ended."""
    waiting = [file for file in job.files.values() if not file.state.is_final]
    stopped = (file.model_copy(update={"state": given_up(error), "reason": error.message[:500]}) for file in waiting)
    return success(SetResult(files=tuple(job.with_files(*stopped).files.values())).to_wire())


def _is_ready(survey: Survey) -> bool:
    """Nothing is touched, and no place is held, before a database has landed and the tools can read it."""
    return survey.closed or any(file.kind is FileKind.DATABASE for file in survey.files)


def _enter_target(context: df.DurableOrchestrationContext, job: ImportSet) -> Steps[ImportSet]:
    """A target server bears so many imports at once; the others wait for their turn."""
    outcome = yield from look(context, "enter_target", job.landing)
    turn = Sighting.from_wire(outcome.value) if outcome.ok else Sighting(ended=False)
    if not turn.ended:
        context.set_custom_status({"waiting": turn.status[:500]})
    return job.model_copy(update={"has_place": turn.ended})


def _import_roles(context: df.DurableOrchestrationContext, job: ImportSet, survey: Survey) -> Steps[ImportSet]:
    for file in job.waiting(FileKind.ROLES):
        job = yield from _run_script(context, "import_roles", job, survey, file)
    return job


def _roles_are_settled(job: ImportSet, survey: Survey) -> bool:
    """Databases need their owners first; where no roles file is to come, there is nothing to wait for."""
    files = [file for file in job.files.values() if file.kind is FileKind.ROLES]
    return all(file.state.is_final for file in files) if files else survey.closed


def _import_databases(
    context: df.DurableOrchestrationContext, job: ImportSet, survey: Survey
) -> Steps[ImportSet | None]:
    """Import what waits, in lanes; None when a lane did not answer, which only happens when somebody ended it."""
    waiting = [file for file in job.waiting(FileKind.DATABASE) if file.name in survey.sources]
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
        for file in job.waiting(kind):
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
    if outcome.error is not None:
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
