"""Import the databases of one lane, one after the other: load under a temporary name, verify, put into place."""

import azure.durable_functions as df

from orchestrators.steps import LOAD_AGAIN, Steps, attempt, exhausted, given_up, side_by_side
from shared.contracts.base import Json
from shared.contracts.importing import DatabaseImport, Lane
from shared.contracts.outcome import Failure, Outcome, success
from shared.contracts.progress import FileProgress, FileState
from shared.errors import FileChanged

ROUNDS = 10
"""How often pieces are loaded side by side; one round is enough unless somebody interferes."""


def import_database(context: df.DurableOrchestrationContext) -> Steps[Json | None]:
    """Import the lane's first database, then start anew with the rest; what became of each file."""
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
        loads = activity == "load_database"
        outcome = yield from (_load(context, job) if loads else attempt(context, activity, job))
        if outcome.error is not None and outcome.error.code == FileChanged.__name__:
            return _ended(job, FileState.LANDED)
        if outcome.error is not None:
            return (yield from _discard(context, job, outcome.error))
        if skipped := _skipped(outcome):
            return _ended(job, FileState.SKIPPED, skipped)
    state = FileState.WARNED if outcome.value["warnings"] else FileState.IMPORTED
    return _ended(job, state)


def _load(context: df.DurableOrchestrationContext, job: DatabaseImport) -> Steps[Outcome]:
    """Load the database; the pieces of a large one are loaded side by side, and then it is brought to its end."""
    for _ in range(ROUNDS):
        outcome = yield from attempt(context, "load_database", job, LOAD_AGAIN)
        if outcome.error is not None or not outcome.value.get("lanes"):
            return outcome
        outcome = yield from side_by_side(context, "share_load", job, outcome.value["lanes"])
        if outcome.error is not None:
            return outcome
    return exhausted("load_database", f"pieces of it were left {ROUNDS} times")


def _discard(context: df.DurableOrchestrationContext, job: DatabaseImport, error: Failure) -> Steps[FileProgress]:
    """Drop what was loaded of a database that failed; what could not be dropped is said."""
    outcome = yield from attempt(context, "discard_database", {"job": job.to_wire(), "error": error.to_wire()})
    left = " Its temporary database could not be dropped; drop flexrestore_* by hand." if outcome.error else ""
    return _ended(job, given_up(error), reason=f"{error.message[:500]}{left}")


def _skipped(outcome: Outcome) -> str:
    return str(outcome.value.get("skipped") or "")


def _ended(job: DatabaseImport, state: FileState, reason: str = "") -> FileProgress:
    return FileProgress(
        name=job.file.name,
        kind=job.file.kind,
        database=job.file.database,
        final_name=job.final_name,
        size=job.file.size,
        state=state,
        reason=reason,
    )
