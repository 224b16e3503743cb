r"""Run the schema or tablespaces file of a backup, when the request asks for it.

pg_dumpall writes them for psql: statements of the whole server, then a section for each database behind a `\connect`.
That command is not executed but understood: a section runs in the database that this restore has put into place under
its final name, and nowhere when there is none. What the database files have brought already is no failure.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise, takewhile
from typing import BinaryIO

from shared.contracts.imports import Note, NoteKind, Notes, ScriptRun
from shared.errors import ImportFailed, cut
from shared.postgres.contents import NOT_MANAGED
from shared.postgres.diagnostics import Diagnostic, classify
from shared.postgres.notes import make_note, readable
from shared.postgres.options import EVERYTHING, ImportOptions
from shared.postgres.psql import ScriptResult, run_script
from shared.postgres.script import Backslash, Blank, Event, Statement, Statements, tokens, whole
from shared.postgres.server import TargetServer, server_errors
from shared.postgres.tools import Toolbox

_CONNECT = "\\connect"
_ENCODING = "\\encoding"
_HEAD = 40
"""Tokens of a statement that tell its kind."""
_SERVICE_TABLESPACE = "temptblspace"
"""Every flexible server has it, for temporary files."""
_PARAMETERS = "settings of the server are its server parameters, which no import changes"
_EXISTS = re.compile(
    r"already exists|already a partition|already an identity column|multiple primary keys|more than once"
    r"|is already member of (?:extension|publication)"
)
_DBNAME = re.compile(r"dbname='(?P<name>(?:[^'\\]|\\.)*)'", re.DOTALL)


def run_globals(  # noqa: PLR0913  where, with what, and how much of it
    server: TargetServer,
    toolbox: Toolbox,
    chunks: Iterable[bytes],
    databases: Mapping[str, str],
    log: BinaryIO,
    *,
    options: ImportOptions = EVERYTHING,
    still_wanted: Callable[[], None] = lambda: None,
) -> ScriptRun:
    """Run the script, section by section; `databases` are this restore's final names by the names in the backup.

    Raises:
        ImportFailed: statements failed that are not known to be harmless; sections before stay.
        UnreadableFile, TargetRefused, TargetUnavailable, LoadInterrupted, DeadlinePassed, ToolTooOld: as `run_script`.
    """
    began = time.monotonic()
    statements, notes, failures = 0, list[Note](), list[str]()
    for name, lines_before, events in _sections(whole(Statements(chunks))):
        dbname = databases.get(name) if name else server.maintenance_database
        if dbname is None:
            notes.append(_skipped_section(name, sum(isinstance(event, Statement) for event in events)))
            continue
        mine = _without_others(events, notes, options)
        # One script at a time: of two that create the same thing at once, one fails.
        with server_errors(), server.advisory_lock(f"script in {dbname}", still_wanted):
            result = run_script(
                server,
                toolbox,
                dbname,
                mine,
                log=log,
                lines_before=lines_before,
                on_error="go on",
                still_wanted=still_wanted,
            )
        statements += result.statements
        notes += [*result.notes, *_sorted_out(result, readable(name) or "the server", failures)]
    if failures:
        raise ImportFailed(f"{len(failures)} statement(s) failed", details=failures)
    return ScriptRun(statements=statements, seconds=round(time.monotonic() - began, 3), notes=Notes.bounded(notes))


def _sections(events: Iterable[Event]) -> Iterator[tuple[str, int, Iterator[Event]]]:
    """Each section's database, empty for the server itself, the lines before it, and its events.

    Take one section before the next.
    """
    stream = iter(events)
    following = [("", 0)]

    def is_inside(event: Event) -> bool:
        if isinstance(event, Backslash) and event.name == _CONNECT:
            following.append((connected_database(event.text), event.line - 1))
            return False
        return True

    while following:
        section = takewhile(is_inside, stream)
        yield *following.pop(), section
        for _ in section:
            pass


def connected_database(command: str) -> str:
    r"""The database of a `\connect`: a name, or a connection string where the name is not plain."""
    names = [token.value for token in tokens(command.removeprefix(_CONNECT)) if token.is_identifier]
    last = names[-1] if names else ""
    found = _DBNAME.search(last)
    return re.sub(r"\\(.)", r"\1", found["name"]) if found else last


def _without_others(events: Iterable[Event], notes: list[Note], options: ImportOptions) -> Iterator[Event]:
    """The events without statements that other files are for or nobody wants; each kind of these is noted once."""
    left_out: dict[str, int] = {}
    cut_off = False
    for event in events:
        reason = _not_here(event.text, options) if isinstance(event, Statement) and event.complete else ""
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
            yield Blank(b"\n" * event.source.count(b"\n"))  # what follows stays on its line
        elif isinstance(event, Backslash) and event.name == _ENCODING and not cut_off:
            yield Blank(b"")  # of a database in another encoding; a statement beside it tells the server
        else:
            yield event
        cut_off = isinstance(event, Statement) and not event.complete
    notes += [
        make_note(kind=NoteKind.SKIPPED, subject=f"{count} statement(s)", reason=reason, matters=reason == _PARAMETERS)
        for reason, count in left_out.items()
    ]


def _not_here(statement: str, options: ImportOptions = EVERYTHING) -> str:
    """Why a statement is not run; empty when it is."""
    words = [token.value for token in tokens(statement, _HEAD)]
    unwanted = "it is about owners, grants or rows that the request drops" if options.omit(statement) else ""
    return _elsewhere(words) or _not_managed(words) or unwanted


def _elsewhere(words: list[str]) -> str:
    """Which other file is for the statement, or that the service is."""
    if words[1:2] == ["database"] or ("on", "database") in pairwise(words):
        return "databases are put into place from their own files"
    match words[:3]:
        case [_, "user", "mapping"]:
            return ""
        case ["create" | "alter" | "drop", "role" | "user" | "group", *_] | ["comment", "on", "role"]:
            return "roles are imported from the roles file"
        case ["grant" | "revoke", *_] if "on" not in words or ("on", "parameter") in pairwise(words):
            return "roles are imported from the roles file"
        case ["create" | "alter" | "grant" | "comment", *_] if _SERVICE_TABLESPACE in words:
            return "this tablespace is the service's own"
        case _:
            return ""


def _not_managed(words: list[str]) -> str:
    """Why a managed server does not get the statement, or a restored copy must not."""
    match words[:3]:
        case [_, "subscription", *_] | ["comment", "on", "subscription"]:
            return NOT_MANAGED["SUBSCRIPTION"]
        case [_, "event", "trigger"] | ["comment", "on", "event"]:
            return NOT_MANAGED["EVENT TRIGGER"]
        case ["alter", "system", *_]:
            return _PARAMETERS
        case _:
            return ""


def _skipped_section(name: str, statements: int) -> Note:
    return make_note(
        kind=NoteKind.SKIPPED,
        subject=f"section of database {name}",
        reason=f"this restore has put no database {name} into place; {statements} statement(s) were not run",
        matters=False,
    )


def _sorted_out(result: ScriptResult, where: str, failures: list[str]) -> Iterator[Note]:
    """Notes of what is harmless; the rest goes to `failures`."""
    existing = 0
    for diagnostic in result.failures:
        if _EXISTS.search(diagnostic.message):
            existing += 1
        elif harmless := classify(diagnostic):
            yield make_note(
                kind=NoteKind.TOLERATED,
                subject=where,
                reason=f"{diagnostic.message}: {harmless.reason}",
                statement=cut(diagnostic.statement, 300),
                matters=False,
            )
        else:
            failures.append(_described(diagnostic, where))
    if existing:
        reason = f"{existing} object(s) were there already, from the database files"
        yield make_note(kind=NoteKind.TOLERATED, subject=where, reason=reason, matters=False)
    if not result.complete:
        failures.append(f"{where}: psql did not come to the end of the script")


def _described(diagnostic: Diagnostic, where: str) -> str:
    return f"{where}, line {diagnostic.line}: {diagnostic.message}: {cut(diagnostic.statement, 300)}"
