"""Import the databases of one lane, one after the other: load under a temporary name, verify, put into place."""

import azure.durable_functions as df

from orchestrators.steps import Steps, attempt
from shared.contracts.base import Json
from shared.contracts.importing import DatabaseImport, Lane
from shared.contracts.outcome import Failure, Outcome, success
from shared.contracts.progress import FileProgress, FileState


def import_database(context: df.DurableOrchestrationContext) -> Steps[Json | None]:
    """Import the lane's first database, then start anew with the rest; the files' final states. Never raises."""
    lane = Lane.from_wire(context.get_input())
    first, *rest = lane.imports
    result = yield from _import_one(context, first)
    results = (*lane.results, result)
    if rest:
        context.continue_as_new(Lane(imports=tuple(rest), results=results).to_wire())
        return None
    return success([one.to_wire() for one in results])


def _import_one(context: df.DurableOrchestrationContext, job: DatabaseImport) -> Steps[FileProgress]:
    for activity in ("load_database", "verify_database", "promote_database"):
        outcome = yield from attempt(context, activity, job)
        if outcome.error is not None:
            yield from attempt(context, "discard_database", {"job": job.to_wire(), "error": outcome.error.to_wire()})
            return _ended(job, FileState.FAILED, outcome.error)
        if skipped := _skipped(outcome):
            return _ended(job, FileState.SKIPPED, reason=skipped)
    state = FileState.WARNED if outcome.value["warnings"] else FileState.IMPORTED
    return _ended(job, state)


def _skipped(outcome: Outcome) -> str:
    return str(outcome.value.get("skipped") or "")


def _ended(job: DatabaseImport, state: FileState, error: Failure | None = None, reason: str = "") -> FileProgress:
    return FileProgress(
        name=job.file.name,
        kind=job.file.kind,
        database=job.file.database,
        final_name=job.final_name,
        size=job.file.size,
        state=state,
        reason=error.message[:500] if error else reason,
    )
