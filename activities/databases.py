"""Import one database: load it under a temporary name, verify it, put it into place; or discard what failed."""

import logging
import time
from functools import partial
from typing import Any

from activities.answers import answering
from shared.contracts.base import Contract, Json
from shared.contracts.importing import DatabaseImport, LandingRef
from shared.contracts.imports import DatabaseLoad, Notes, Promotion, Verification
from shared.contracts.outcome import Failure
from shared.contracts.plan import Plan
from shared.decisions import StillWanted, require_running
from shared.errors import DatabaseExists, ImportFailed, VerificationFailed
from shared.postgres.archive import inspect
from shared.postgres.blocks import BlockIndex, Shelf
from shared.postgres.checks import require_ok, run_checks
from shared.postgres.load import LoadJob, Shared, load_or_share
from shared.postgres.load import load_pieces as load_some
from shared.postgres.options import ImportOptions
from shared.postgres.promotion import discard, promote
from shared.postgres.server import TargetServer, server_errors
from shared.postgres.temporary import LoadKey, taken
from shared.postgres.verification import verify_database as verify
from shared.settings import settings
from shared.storage.landing import BlobFile
from shared.storage.ledger import Ledger, database_record, promotions, quoted
from shared.storage.logs import import_log
from shared.targets import checks, staging, strength, target_server, toolbox
from shared.telemetry.metrics import count_database

_log = logging.getLogger(__name__)

SHIFT_SECONDS = 240.0
"""After which no piece is begun: so an instance that is taken away, or a new one, is soon noticed."""


class _Work:
    """What the steps of one database's import have in common."""

    def __init__(self, subject: Json) -> None:
        self.job = DatabaseImport.from_wire(subject)
        self.ledger = Ledger(self.job.request_id)
        self.plan: Plan = self.ledger.plan()
        self.server: TargetServer = target_server(self.plan.request.target)
        self.options = ImportOptions.of(self.plan.request)

    @property
    def file(self) -> BlobFile:
        """The database file."""
        return BlobFile(self.job.container, self.job.file)

    def recorded_load(self) -> DatabaseLoad | None:
        """The load of this version of the file that the ledger holds, if any."""
        load = self.ledger.read(self.record("load"), DatabaseLoad)
        return load if load and load.file_version == self.job.file.etag else None

    def loaded(self) -> DatabaseLoad:
        """The load that the ledger holds."""
        load = self.recorded_load()
        if load is None:
            raise LookupError(f"the ledger holds no load of {self.job.file.database}")
        return load

    def finished(self) -> DatabaseLoad | None:
        """The load that the ledger holds, if any, for a load that holds its lock.

        Raises:
            ImportFailed: the database was given up, so that nobody would drop what is loaded now.
        """
        load = self.recorded_load()
        if load is None and (failure := self.ledger.read(self.record("failure"), Failure)):
            raise ImportFailed(f"the import of {self.job.file.database} was given up before: {failure.message}")
        return load

    @property
    def key(self) -> LoadKey:
        """What the load is fenced by on the server."""
        return LoadKey(self.job.request_id, self.job.file.database)

    def record(self, name: str) -> str:
        """The name of one of the database's records."""
        return database_record(self.job.file.database, name)

    def answer(self, name: str, result: Contract, notes: Notes) -> Json:
        """Record the result; what the orchestration needs to know of it."""
        self.ledger.write(self.record(name), result)
        return {"warnings": _warnings(notes)}


def _warnings(notes: Notes) -> int:
    return sum(note.matters for note in notes.items) + notes.left_out


@answering
def load_database(subject: dict[str, Any]) -> Json:
    """Load the file into a database of a temporary name, or say how many may load its pieces side by side."""
    work = _Work(subject)
    require_running(work.ledger)
    result: DatabaseLoad | Shared | None = work.recorded_load()
    if result is None:
        if reason := _kept(work):
            return {"skipped": reason}
        with import_log(work.job.request_id, work.job.file.name) as log:
            result = load_or_share(work.server, toolbox(), work.file, _load_job(work), log, finished=work.finished)
    return {"lanes": result.lanes} if isinstance(result, Shared) else work.answer("load", result, result.notes)


@answering
def load_pieces(subject: dict[str, Any]) -> Json:
    """Do pieces of a load for some minutes, beside others who do; how many are left to do."""
    work = _Work(subject)
    require_running(work.ledger)
    until = time.monotonic() + SHIFT_SECONDS
    with import_log(work.job.request_id, work.job.file.name) as log:
        return {"left": load_some(work.server, toolbox(), work.file, _load_job(work), log, until)}


def _kept(work: _Work) -> str:
    """Why the database is not imported although its file is there; asked before anything of it is touched.

    Raises:
        DatabaseExists: the name is taken, and the request says to fail then.
    """
    name, conflict = work.job.final_name, work.plan.request.on_conflict
    with work.server.connect() as connection:
        found = taken(connection, [name])
    if not found or conflict == "replace":
        return ""
    if conflict == "fail":
        raise DatabaseExists(found[0].text)
    return f"database {name!r} exists on the target server and the request says skip"


def _load_job(work: _Work) -> LoadJob:
    place = staging()
    blocks = work.record(f"blocks of {quoted(work.job.file.etag)}")
    return LoadJob(
        restore_id=work.job.request_id,
        database=work.job.file.database,
        staging=place.directory,
        staging_budget=place.budget,
        wanted_route=settings().route,
        jobs=settings().jobs,
        lanes=settings().lanes,
        timeout_seconds=settings().load_timeout_minutes * 60,
        still_wanted=StillWanted(work.ledger),
        options=work.options,
        strength=strength(work.plan.request.target),
        shelf=Shelf(partial(work.ledger.read, blocks, BlockIndex), partial(work.ledger.write, blocks)),
        write_progress=partial(work.ledger.write, work.record("progress")),
    )


@answering
def verify_database(subject: dict[str, Any]) -> Json:
    """Compare the loaded database with the file it came from, and ask it the operator's queries."""
    work = _Work(subject)
    result = work.ledger.read(work.record("verification"), Verification)
    if result is None:
        loaded = work.loaded()
        result = verify(work.server, loaded, inspect(work.file, toolbox()), work.options)
        asked = checks(work.plan.request.target, work.job.file.database) if work.options.rows else {}
        found = run_checks(work.server, loaded.temporary_name, asked)
        result = result.model_copy(update={"checks": require_ok(found)})
    return work.answer("verification", result, result.notes)


@answering
def promote_database(subject: dict[str, Any]) -> Json:
    """Give the verified database its final name; whether the whole import has warnings."""
    work = _Work(subject)
    loaded = work.loaded()
    wanted = partial(require_running, work.ledger)
    conflict = work.plan.request.on_conflict
    # Whoever comes second would not know any more what was replaced, and what was noted about it.
    with server_errors(), work.server.advisory_lock(f"promotion, {work.key.lock}"):
        before = result = work.ledger.read(work.record("promotion"), Promotion)
        if result is None:
            name = work.job.final_name
            result = promote(
                work.server,
                work.key,
                loaded.oid,
                name,
                on_conflict=conflict,
                still_wanted=wanted,
                known=work.ledger.read(work.record("renamed"), Promotion),
                remember=partial(work.ledger.write, work.record("renamed")),
            )
        if result.skipped:
            return {"skipped": f"database {work.job.final_name!r} appeared on the target server meanwhile"}
        answer = work.answer("promotion", result, result.notes)
    verification = work.ledger.read(work.record("verification"), Verification)
    if before is None:
        rows = f"{verification.rows} rows" if verification else "rows of which nothing is recorded"
        _log.info("database %s stands, of %d bytes in its file and %s", result.name, loaded.archive.size, rows)
        count_database(work.plan.request.target, loaded, verification)
    notes = [loaded.notes, result.notes, *([verification.notes] if verification else [])]
    answer["warnings"] = sum(_warnings(part) for part in notes)
    return answer


@answering
def discard_database(subject: dict[str, Any]) -> None:
    """Drop what was loaded of a database that failed, and record why it did."""
    work = _Work(subject["job"])
    work.ledger.write(work.record("failure"), Failure.from_wire(subject["error"]))
    discard(work.server, work.key)


@answering
def verify_restore(subject: dict[str, Any]) -> Json:
    """Whether every database that was put into place stands there: the same database, by its OID, under its name."""
    where = LandingRef.from_wire(subject)
    ledger = Ledger(where.request_id)
    promoted = promotions(ledger).values()
    with target_server(ledger.plan().request.target).connect() as connection:
        rows = connection.execute("SELECT datname, oid FROM pg_database WHERE datallowconn").fetchall()
    standing = {name: int(oid) for name, oid in rows}
    lost = [one.name for one in promoted if standing.get(one.name) != one.oid]
    if lost:
        raise VerificationFailed(
            f"{len(lost)} database(s) no longer stand where they were put: {', '.join(lost)}; "
            "somebody dropped or renamed them during the restore."
        )
    return {"databases": len(promoted)}
