r"""Run scripts from outside through psql: their SQL, and none of psql's own commands.

Two fences keep psql from executing a script's backslash commands: the scanner of `script` drops them, and psql itself
runs restricted (`\restrict`, made for scripts that are not trusted). The second one is no luxury: psql puts the text of
the last error in place of `:LAST_ERROR_MESSAGE`, commands included, and that text is the script's to choose.
"""

import secrets
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import BinaryIO, Literal, NoReturn

from shared.contracts.imports import Note, NoteKind
from shared.errors import ImportFailed, LoadInterrupted, TargetRefused, TargetUnavailable, ToolTooOld, UnreadableFile
from shared.postgres import process
from shared.postgres.diagnostics import Diagnostic, DiagnosticReader, Severity
from shared.postgres.discretion import discreet
from shared.postgres.notes import make_note
from shared.postgres.script import DUMP_FENCE, Backslash, CopyData, Event, Statement, redact, tokens
from shared.postgres.server import TargetServer
from shared.postgres.tools import Tool, Toolbox, Version

type OnError = Literal["stop", "go on"]

FAILURES_LIMIT = 1_000
"""Failed statements after which a script is given up; warnings beyond it are in the log only."""

NOTES_LIMIT = 1_000
"""Commands of psql that are reported one by one."""

_RESTRICTS_SINCE = {13: 22, 14: 19, 15: 14, 16: 10, 17: 6}
r"""The minor version of each major one that knows `\restrict`; newer major versions all do."""


@dataclass(frozen=True)
class ScriptResult:
    """How a script fared."""

    statements: int
    """Statements that psql was given."""
    diagnostics: tuple[Diagnostic, ...]
    """Failures, and warnings, with the script's line numbers."""
    notes: tuple[Note, ...]
    """Commands of psql that were left out."""
    complete: bool
    """Whether psql came to the script's end."""

    @property
    def failures(self) -> tuple[Diagnostic, ...]:
        """What was not done."""
        return tuple(diagnostic for diagnostic in self.diagnostics if diagnostic.failed)


def can_restrict(version: Version) -> bool:
    r"""Whether a psql of that version knows `\restrict`."""
    major, minor = version
    return major > max(_RESTRICTS_SINCE) or minor >= _RESTRICTS_SINCE.get(major, minor + 1)


def run_script(  # noqa: PLR0913  where, what, and how: each has its default or its name
    server: TargetServer,
    toolbox: Toolbox,
    dbname: str,
    events: Iterable[Event],
    *,
    log: BinaryIO,
    lines_before: int = 0,
    on_error: OnError = "stop",
    single_transaction: bool = False,
    rehearse: bool = False,
    settings: Mapping[str, str] = MappingProxyType({}),
    timeout_seconds: float | None = None,
    still_wanted: Callable[[], None] = lambda: None,
) -> ScriptResult:
    """Run a script's statements in a database; what failed is in the result.

    `lines_before` is where the events begin in their file, so that the result and the log tell the file's lines.
    `single_transaction` is ours and not psql's, which commits what it has when its input breaks off; `rehearse` rolls
    all of it back at the end. `settings` are further ones of its session. With "go on", a refused COPY may still end
    the script. Log lines hold no literals of statements that speak of passwords.

    Raises:
        UnreadableFile: the script breaks off, or is none; what ran before stays unless it is a single transaction.
        ImportFailed: too many statements failed to tell the harmless ones from the others.
        ToolTooOld: this psql cannot be restricted.
        DeadlinePassed: it took longer than `timeout_seconds`.
        TargetRefused, TargetUnavailable, LoadInterrupted: there was no session, or it was lost; the first one also when
            a script with data is to go on after failures on a server before PostgreSQL 15.
    """
    require_restriction(toolbox.psql)
    feed = _Feed(events, transaction=single_transaction or rehearse, commit=not rehearse)
    feed.lines_before = lines_before
    if on_error == "go on":
        feed.guard = _Guard(server)
    listener = _Listener(feed, log)
    exit_code = process.run(
        [toolbox.psql.path, *_options(on_error, transaction=feed.transaction)],
        environment=server.environment(dbname, settings={**settings, "standard_conforming_strings": "on"})
        | {"PGCLIENTENCODING": "UTF8"},
        feed=feed.chunks(),
        on_stderr=listener.line,
        timeout_seconds=timeout_seconds,
        still_wanted=still_wanted,
    )
    diagnostics, refused_copy = _without_guard(listener.finish())
    if exit_code not in {0, 3} and not refused_copy:
        _raise_lost(server, dbname, exit_code, diagnostics)
    return ScriptResult(feed.statements, diagnostics, tuple(feed.notes), complete=exit_code == 0)


def require_restriction(psql: Tool) -> None:
    """Refuse a psql that cannot be kept from running commands of its own.

    Raises:
        ToolTooOld: this psql cannot.
    """
    if not can_restrict(psql.version):
        versions = ", ".join(f"{major}.{minor}" for major, minor in sorted(_RESTRICTS_SINCE.items(), reverse=True))
        raise ToolTooOld(
            f"{psql} cannot be kept from running commands that a script hides in its SQL: install psql 18,"
            f" or {versions} or newer, or leave the setting empty to use the one that comes with the app"
        )


def _options(on_error: OnError, *, transaction: bool) -> Sequence[str]:
    return (
        "--no-psqlrc",
        "--quiet",
        "--no-password",
        "--echo-errors",
        "--set=VERBOSITY=verbose",
        "--set=SHOW_CONTEXT=never",
        f"--set=ON_ERROR_STOP={'on' if on_error == 'stop' else 'off'}",
        f"--set=ON_ERROR_ROLLBACK={'on' if transaction and on_error == 'go on' else 'off'}",
        "--file=-",
    )


class _Guard:
    """Stands before COPY data when psql goes on after errors.

    When the server accepts the COPY this is the header line, which it drops. When it refuses the COPY, psql before 18
    would run the data as SQL; then this ends the session, and with it psql.
    """

    SQLSTATE = "FR001"
    LINE = (
        "ROLLBACK; RESET SESSION AUTHORIZATION; RESET ROLE; SET client_min_messages = warning;"
        f" DO $$BEGIN RAISE WARNING USING MESSAGE = 'COPY was refused', ERRCODE = '{SQLSTATE}';"
        " PERFORM pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid()); END$$;\n"
    ).encode()

    def __init__(self, server: TargetServer) -> None:
        self._server = server
        self._checked = False

    def __call__(self, copy: Statement) -> bytes:
        """The COPY with the guard where its data begin.

        Raises:
            UnreadableFile: it is no COPY as pg_dump writes it.
            TargetRefused: the server knows no header line in COPY's text format.
        """
        text, found = copy.text, tokens(copy.text)
        if not found[-2].is_word("stdin"):
            raise UnreadableFile(
                f"line {copy.line}: a COPY with options is not what pg_dump writes: {redact(text)[:200]}"
            )
        if not self._checked:
            self._check_version()
        semicolon = found[-1].start
        return f"{text[:semicolon]} WITH (HEADER){text[semicolon:]}".encode("utf-8", "surrogateescape") + self.LINE

    def _check_version(self) -> None:
        with self._server.connect() as connection:
            if connection.info.server_version < 150_000:
                raise TargetRefused("plain SQL with data is imported into PostgreSQL 15 and newer only")
        self._checked = True


class _Feed:
    """What psql reads: the statements, on the lines where the script has them, and what keeps psql in bounds."""

    def __init__(self, events: Iterable[Event], *, transaction: bool, commit: bool) -> None:
        self.statements = 0
        self.notes: list[Note] = []
        self.transaction = transaction
        self.guard: _Guard | None = None
        self.lines_before = 0
        self._events = events
        self._end = b"COMMIT;\n" if commit else b"ROLLBACK;\n"
        self._lines = 0
        """Lines of the script so far."""
        self._guards: list[int] = []
        """On which of psql's lines the guards stand."""

    def chunks(self) -> Iterator[bytes]:
        r"""The bytes for psql's stdin. The key of `\restrict` is told to nobody."""
        # One line, so that psql is one line ahead of the script.
        yield f"\\restrict {secrets.token_hex(16)}\n".encode()
        if self.transaction:
            yield b"BEGIN; "
        yield from self._script()
        # Outside a transaction it changes nothing any more; inside one, which the script left open and whose work the
        # server is about to undo, it fails.
        yield b"\n" + (self._end if self.transaction else b"DISCARD ALL;\n")

    def script_line(self, line: int) -> int:
        """The script's line for one of psql's."""
        return self.lines_before + line - 1 - bisect_left(self._guards, line)

    def _script(self) -> Iterator[bytes]:
        broken_off: Event | None = None
        for event in self._events:
            self._lines += event.source.count(b"\n")
            match event:
                case Backslash():
                    self._skip(event, broken_off)
                    broken_off = None
                case Statement(complete=False):
                    broken_off = event
                    yield b"\n" * event.source.count(b"\n")
                case Statement():
                    self.statements += 1
                    broken_off = event if event.takes_data else None
                    yield self._guarded(self.guard, event) if event.takes_data and self.guard else event.source
                case CopyData():
                    yield event.source
                case _:
                    broken_off = None
                    yield event.source
        if broken_off is not None:
            raise UnreadableFile(
                f"the script breaks off behind line {self.lines_before + self._lines}: it is not whole"
            )

    def _skip(self, command: Backslash, before: Event | None) -> None:
        if command.name in DUMP_FENCE and before is None:
            return
        if len(self.notes) >= NOTES_LIMIT:
            return
        statement = (before.text if before else "") + command.text
        reason = "a command of psql, which no script from outside gets to run"
        if before:
            reason += "; the statement that it ends was not run either"
        subject = f"psql command {command.name}"
        self.notes.append(make_note(kind=NoteKind.SKIPPED, subject=subject, reason=reason, statement=redact(statement)))

    def _guarded(self, guard: _Guard, copy: Statement) -> bytes:
        self._guards.append(self._lines + 2 + len(self._guards))
        return guard(copy)


class _Listener:
    """Keeps and logs what psql says."""

    def __init__(self, feed: _Feed, log: BinaryIO) -> None:
        self._feed = feed
        self._log = log
        self._reader = DiagnosticReader()
        self._kept: list[Diagnostic] = []
        self._failures = 0

    def line(self, line: str) -> None:
        """Take a line of stderr."""
        self._keep(self._reader.feed(line))

    def finish(self) -> list[Diagnostic]:
        """All failures and the first warnings."""
        self._keep(self._reader.close())
        return self._kept

    def _keep(self, said: Diagnostic | None) -> None:
        if said is None:
            return
        line = self._feed.script_line(said.line) if said.line else None
        diagnostic = replace(discreet(said), line=line)
        self._log.write(f"line {line}: {diagnostic}\n".encode("utf-8", "backslashreplace"))
        self._failures += diagnostic.failed
        if self._failures > FAILURES_LIMIT:
            raise ImportFailed(
                f"more than {FAILURES_LIMIT} statements failed", details=[str(kept) for kept in self._kept]
            )
        if diagnostic.failed or (diagnostic.severity is Severity.WARNING and len(self._kept) < FAILURES_LIMIT):
            self._kept.append(diagnostic)


def _without_guard(diagnostics: list[Diagnostic]) -> tuple[tuple[Diagnostic, ...], bool]:
    """The diagnostics up to where a guard ended the session, and whether one did."""
    for index, diagnostic in enumerate(diagnostics):
        if diagnostic.sqlstate == _Guard.SQLSTATE:
            return tuple(diagnostics[:index]), True
    return tuple(diagnostics), False


def _raise_lost(server: TargetServer, dbname: str, exit_code: int, diagnostics: Sequence[Diagnostic]) -> NoReturn:
    """Say why psql ended without having come to the script's end.

    Raises:
        TargetRefused: the server does not let us in, which psql tells in words only: asked once more, it tells us.
        TargetUnavailable: it does not answer.
        LoadInterrupted: the session was lost, or psql was ended.
    """
    told = [str(diagnostic) for diagnostic in diagnostics if diagnostic.lost_connection or diagnostic.cannot_connect]
    reason = next(iter(told), "it said nothing of it")
    if any(diagnostic.cannot_connect for diagnostic in diagnostics):
        server.connect(dbname).close()
        raise TargetUnavailable(f"psql could not connect: {reason}")
    raise LoadInterrupted(f"psql ended with code {exit_code}: {reason}")
