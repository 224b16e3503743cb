"""Which failed statements of a load are tolerated, and what the report says of them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shared.contracts.imports import Note, NoteKind
from shared.errors import ImportFailed, LoadInterrupted, TargetUnavailable, UnreadableFile, cut
from shared.postgres.diagnostics import SYSTEM_ROLES, Diagnostic, Harmless, classify
from shared.postgres.notes import make_note
from shared.postgres.options import EVERYTHING, ImportOptions
from shared.postgres.server import APPLICATION_NAME, out_of_storage, way_out
from shared.postgres.toc import Entry

_UNREADABLE = re.compile(
    r"could not read from input file|unexpected end of file|could not find block ID|could not find header for file"
    r"|did not find magic string|corrupt|could not uncompress data|unrecognized data block|bad magic|truncated"
)
_DISK_FULL = re.compile(r"No space left on device|could not extend file|disk is full|read-only transaction")
_NOT_PRELOADED = re.compile(r"(?:can only|must) be loaded via \W*shared_preload_libraries")
_CANCELLED = "canceling statement due to user request"
_INTERRUPTED = re.compile(r"a worker process died unexpectedly|parallel worker .* failed|^deadlock detected$")

_SUPERUSER_ONLY = Harmless(
    "superuser only",
    "only a superuser can create this, and a managed server has none for customers",
    "PostgreSQL documentation of CREATE PUBLICATION",
    re.compile(r"must be superuser to (?:create|alter|add)"),
    re.compile(r"\s*(?:CREATE|ALTER) PUBLICATION ", re.IGNORECASE),
)
_OWNER_OF_SERVER = Harmless(
    "owner of a foreign server",
    "its owner needs a right on the foreign-data wrapper that only the service could give",
    "PostgreSQL documentation of ALTER SERVER",
    re.compile(r"permission denied for foreign-data wrapper"),
    re.compile(r"\s*ALTER SERVER .* OWNER TO ", re.IGNORECASE | re.DOTALL),
)
_NEWER_SETTING = Harmless(
    "setting of a newer version",
    "pg_dump and pg_restore set it for their session, whatever the server's version",
    "PostgreSQL source of pg_backup_archiver.c",
    re.compile(r'unrecognized configuration parameter "(?:transaction_timeout|idle_in_transaction_session_timeout)"'),
    # Parallel jobs say it at the same moment, and the statement may then stand at another one's message.
    re.compile(r"\s*(?:SET |\Z)", re.IGNORECASE),
)
_GRANTED_BACK = Harmless(
    "granted back",
    "the server itself grants this to its own roles",
    "PostgreSQL source of acl.c: the grantee has the right from whom the import's user has it",
    re.compile(r"grant options cannot be granted back to your own grantor"),
    re.compile(rf"\s*GRANT .* TO (?:{'|'.join(SYSTEM_ROLES)})\b", re.IGNORECASE | re.DOTALL),
)
_DATABASE_SETTING = Harmless(
    "setting of the database",
    "the target server does not take this setting",
    "settings go from version to version, and some are the service's own; of an archive they are tolerated too",
    re.compile(""),
    re.compile(r"\s*ALTER (?:DATABASE|ROLE) .* SET ", re.IGNORECASE | re.DOTALL),
)
_OURS = (_SUPERUSER_ONLY, _OWNER_OF_SERVER, _NEWER_SETTING, _GRANTED_BACK, _DATABASE_SETTING)
_READS_BY_GRANT = Harmless(
    "view that reads by grants",
    "the request drops the rights with which its owner read what it shows: it stays empty",
    "the request",
    re.compile(r"permission denied for |has not been populated"),
    re.compile(r"\s*REFRESH MATERIALIZED VIEW ", re.IGNORECASE),
)
_CHANGES_OWNER = re.compile(r"\bOWNER TO ")


@dataclass(frozen=True)
class Findings:
    """What a run said that is not fatal."""

    notes: tuple[Note, ...] = ()
    absent: tuple[int, ...] = ()
    """Dump ids of entries that could not be made and need not be."""


def merged(several: Iterable[Findings]) -> Findings:
    """What several runs said; what all of them said, once."""
    found = list(several)
    notes = dict.fromkeys(note for one in found for note in one.notes)
    return Findings(tuple(notes), tuple(sorted({dump_id for one in found for dump_id in one.absent})))


def sort_out(
    failures: Iterable[Diagnostic],
    missing_owners: frozenset[str] = frozenset(),
    entries: Iterable[Entry] = (),
    options: ImportOptions = EVERYTHING,
    absent_before: Iterable[int] = (),
) -> Findings:
    """What may be tolerated of the failures of a run, of pg_restore on these entries or of psql.

    What earlier runs could not make, and need not have, may be missed here.

    That one of `missing_owners` is not to be had is no note: those are counted by owner, not by object.

    Raises:
        TargetUnavailable: the server went away.
        LoadInterrupted: a process of the tool was ended, or a statement from outside.
        UnreadableFile: the tool could not read the archive.
        ImportFailed: some may not be tolerated.
    """
    by_id = {entry.dump_id: entry for entry in entries}
    notes: list[Note] = []
    absent = set(absent_before)
    fatal: list[Diagnostic] = []
    for failure in failures:
        if failure.lost_connection or failure.cannot_connect:
            said = failure.message
            raise TargetUnavailable(f"the target server went away during the load: {said}{way_out(said)}")
        if _CANCELLED in failure.message:
            raise LoadInterrupted(
                "somebody, or a job that ends long statements, cancelled a statement of the load on the target server"
                f" ({describe(failure, by_id)}): keep them from sessions of the application {APPLICATION_NAME}"
            )
        if _follows(failure, by_id, absent):
            absent.add(_dump_id(failure))
            continue
        harmless = _harmless(failure, missing_owners, options)
        changes_owner = _CHANGES_OWNER.search(failure.statement)
        if harmless is None:
            fatal.append(failure)
        elif not changes_owner or harmless is _OWNER_OF_SERVER:
            notes.append(_note(_subject(failure, by_id), failure, harmless))
            absent.update([] if changes_owner or harmless is _NEWER_SETTING else [_dump_id(failure)])
    if fatal:
        raise _failed(fatal, by_id)
    return Findings(tuple(notes), tuple(sorted(absent & by_id.keys())))


def _follows(failure: Diagnostic, by_id: Mapping[int, Entry], absent: set[int]) -> bool:
    """Whether it fails because something is not there whose own failure was tolerated."""
    entry = by_id.get(_dump_id(failure))
    missing = entry is not None and not absent.isdisjoint({entry.dump_id, *entry.dependencies})
    return missing and failure.message.endswith("does not exist")


def describe(failure: Diagnostic, by_id: Mapping[int, Entry] = MappingProxyType({})) -> str:
    """Entry or line, message and statement of a failure in a line."""
    statement = f"statement: {cut(failure.statement.strip(), 300)}" if failure.statement else ""
    return " | ".join(part for part in (_subject(failure, by_id), failure.message, failure.detail, statement) if part)


def _subject(failure: Diagnostic, by_id: Mapping[int, Entry]) -> str:
    """What failed, for people."""
    if entry := by_id.get(_dump_id(failure)):
        return str(entry)
    return failure.entry or (f"line {failure.line}" if failure.line else "the file")


def _dump_id(failure: Diagnostic) -> int:
    """The entry's number, of `212; 1259 16406 TABLE public foo owner`; 0 without an entry."""
    number = failure.entry.partition(";")[0]
    return int(number) if number.isdigit() else 0


def _harmless(failure: Diagnostic, missing_owners: frozenset[str], options: ImportOptions) -> Harmless | None:
    ours = _OURS if options.grants else (*_OURS, _READS_BY_GRANT)
    return classify(failure, missing_owners) or next((one for one in ours if one.matches(failure)), None)


def _note(subject: str, failure: Diagnostic, harmless: Harmless) -> Note:
    return make_note(
        kind=NoteKind.TOLERATED,
        subject=subject,
        reason=f"{failure.message} ({harmless.reason})",
        statement=cut(failure.statement, 600),
        matters=harmless in {_SUPERUSER_ONLY, _OWNER_OF_SERVER, _DATABASE_SETTING, _READS_BY_GRANT},
    )


def _failed(fatal: list[Diagnostic], by_id: Mapping[int, Entry]) -> ImportFailed | UnreadableFile | LoadInterrupted:
    for failure in fatal:
        if not failure.statement and _UNREADABLE.search(failure.message):
            return UnreadableFile(f"the archive is truncated or corrupt: {failure.message}")
        if _INTERRUPTED.search(failure.message):
            return LoadInterrupted(f"the load was interrupted: {describe(failure, by_id)}")
    details = [describe(failure, by_id) for failure in fatal]
    if full := _first(fatal, _DISK_FULL):
        text = out_of_storage(full.message)
    elif library := _first(fatal, _NOT_PRELOADED):
        text = (
            f"the target server does not load a library: {library.message}; name it in the server parameter "
            "shared_preload_libraries, restart the server and restore again"
        )
    else:
        text = f"{len(fatal)} statements failed; the first, for {_subject(fatal[0], by_id)}: {fatal[0].message}"
    return ImportFailed(text, details=details)


def _first(failures: Iterable[Diagnostic], message: re.Pattern[str]) -> Diagnostic | None:
    return next((failure for failure in failures if message.search(failure.message)), None)
