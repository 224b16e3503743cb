"""Import the plain scripts of a file set through psql: roles, schema, tablespaces."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, BinaryIO

from activities.answers import answering
from shared.contracts.base import Json
from shared.contracts.importing import ScriptImport
from shared.contracts.imports import ScriptRun
from shared.contracts.outcome import Failure
from shared.decisions import StillWanted, require_running
from shared.errors import PermanentError
from shared.postgres.globals import run_globals
from shared.postgres.options import ImportOptions
from shared.postgres.roles import import_roles as run_roles
from shared.postgres.roles import read_roles
from shared.settings import settings
from shared.storage.landing import BlobFile
from shared.storage.ledger import Ledger, promotions
from shared.storage.logs import import_log
from shared.targets import target_server, toolbox


@answering
def import_roles(subject: dict[str, Any]) -> Json:
    """Create the roles that the target lacks, and update the others if the request says so.

    What existed before this restore began is recorded once: it is not what a repeated activity finds.
    """
    job = ScriptImport.from_wire(subject)
    ledger = Ledger(job.request_id)
    require_running(ledger)
    request = ledger.plan().request
    server = target_server(request.target)
    existing = frozenset(ledger.first("roles-before", {"roles": sorted(read_roles(server))})["roles"])
    left_out = frozenset(settings().targets[request.target].leave_out_roles)
    run = partial(run_roles, server, toolbox(), update=request.roles == "all", left_out=left_out)
    return _recorded(job, ledger, lambda chunks, log: run(chunks, existing, log))


@answering
def run_script(subject: dict[str, Any]) -> Json:
    """Run a schema or tablespaces file, as the request asked for."""
    job = ScriptImport.from_wire(subject)
    ledger = Ledger(job.request_id)
    require_running(ledger)
    request = ledger.plan().request
    run = partial(
        run_globals,
        target_server(request.target),
        toolbox(),
        options=ImportOptions.of(request),
        still_wanted=StillWanted(ledger),
    )
    databases = {database: one.name for database, one in promotions(ledger).items()}
    return _recorded(job, ledger, lambda chunks, log: run(chunks, databases, log))


def _recorded(job: ScriptImport, ledger: Ledger, run: Callable[[Iterator[bytes], BinaryIO], ScriptRun]) -> Json:
    """Run the file, record the result or the failure for the report; how many warnings there are."""
    record = f"scripts/{job.file.kind}"
    try:
        with import_log(job.request_id, job.file.name) as log:
            result = run(BlobFile(job.container, job.file).chunks(), log)
    except PermanentError as error:
        ledger.write(record, {"failure": Failure.of(error).to_wire()})
        raise
    ledger.write(record, {"run": result.to_wire()})
    return {"warnings": sum(note.matters for note in result.notes.items) + len(result.without_password)}
