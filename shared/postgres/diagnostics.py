"""What psql and pg_restore say on stderr, as values, and which of it is known to be harmless on a managed server."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

FIELD_LIMIT = 8_000
"""Characters of a message, detail, hint or statement that are kept."""

SYSTEM_ROLES = frozenset({"azuresu", "azure_superuser", "azure_pg_admin", "replication", "localadmin"})
"""Roles that the service makes on every flexible server."""
SYSTEM_EXTENSIONS = frozenset({"azure", "pgaadauth", "pg_availability", "pg_qs", "pgms_stats", "pgms_wait_sampling"})
"""Extensions that the service itself puts into databases and allows no customer to create."""


def is_system_role(name: str) -> bool:
    """Whether the service or PostgreSQL itself makes the role; no restore creates or alters it."""
    return name in SYSTEM_ROLES or name.startswith("pg_")


class Severity(StrEnum):
    """How bad it is."""

    NOTICE = "NOTICE"
    WARNING = "WARNING"
    ERROR = "ERROR"  #: a statement failed
    FATAL = "FATAL"  #: the session ended


@dataclass(frozen=True)
class Diagnostic:
    """One message of the server or of the tool."""

    severity: Severity
    message: str
    sqlstate: str | None = None
    """Five characters; pg_restore does not tell it, psql does with VERBOSITY=verbose."""
    detail: str = ""
    hint: str = ""
    statement: str = ""
    entry: str = ""
    """pg_restore's line of the table of contents: `212; 1259 16406 TABLE public foo bar`."""
    line: int | None = None
    """psql's line, where the statement ends."""

    @property
    def failed(self) -> bool:
        """Whether something was not done."""
        return self.severity in {Severity.ERROR, Severity.FATAL}

    @property
    def lost_connection(self) -> bool:
        """Whether the session ended without a fault of the script's."""
        by_state = self.sqlstate is not None and (self.sqlstate.startswith("08") or self.sqlstate in _SHUTDOWN_STATES)
        return self.failed and (by_state or _LOST.search(self.message) is not None)

    @property
    def cannot_connect(self) -> bool:
        """Whether there was no session at all."""
        return self.failed and "connection to server" in self.message and " failed: " in self.message

    def __str__(self) -> str:
        state = f"{self.sqlstate}: " if self.sqlstate else ""
        parts = [f"{self.severity}: {state}{self.message}"]
        parts += [
            f"{name}: {value}"
            for name, value in (
                ("detail", self.detail),
                ("hint", self.hint),
                ("entry", self.entry),
                ("statement", self.statement),
            )
            if value
        ]
        return "; ".join(parts)


_SHUTDOWN_STATES = frozenset({"57P01", "57P02", "57P03"})
_LOST = re.compile(
    r"server closed the connection unexpectedly|connection to server was lost|no connection to the server"
    r"|could not (?:send|receive) data|SSL (?:SYSCALL )?error|terminating connection|the database system is"
    r"|SSL connection has been closed unexpectedly"
)


@dataclass
class _Draft:
    """A diagnostic whose lines are still coming."""

    severity: Severity
    sqlstate: str | None = None
    entry: str = ""
    line: int | None = None
    fields: dict[str, str] = field(default_factory=dict)

    def append(self, name: str, text: str) -> None:
        """A further line of a field; an unnamed field is not kept."""
        if name:
            known = self.fields.get(name)
            self.fields[name] = (text if known is None else f"{known}\n{text}")[:FIELD_LIMIT]

    def finish(self) -> Diagnostic:
        texts = {name: self.fields.get(name, "").strip() for name in ("message", "detail", "hint", "statement")}
        return Diagnostic(severity=self.severity, sqlstate=self.sqlstate, entry=self.entry, line=self.line, **texts)


_SEVERITIES = {
    "DEBUG": Severity.NOTICE,
    "LOG": Severity.NOTICE,
    "INFO": Severity.NOTICE,
    "info": Severity.NOTICE,
    "NOTICE": Severity.NOTICE,
    "WARNING": Severity.WARNING,
    "warning": Severity.WARNING,
    "ERROR": Severity.ERROR,
    "error": Severity.ERROR,
    "FATAL": Severity.FATAL,
    "fatal": Severity.FATAL,
    "PANIC": Severity.FATAL,
}
_HEADER = re.compile(r"(?P<tool>psql|pg_restore)(?::.+?:(?P<line>\d+))?: (?P<rest>.*)", re.DOTALL)
_SERVER = re.compile(r"(?P<severity>[A-Z]+):  (?:(?P<sqlstate>[0-9A-Z]{5}): )?(?P<message>.*)", re.DOTALL)
_TOOL = re.compile(r"(?P<severity>info|warning|error|fatal): (?P<message>.*)", re.DOTALL)
_CONTINUED = re.compile(r"(?P<name>detail|hint|STATEMENT): {1,2}(?P<text>.*)", re.DOTALL)
_FIELD = re.compile(
    r"(?:(?P<name>DETAIL|HINT):  |(?P<command>Command was: )|(?:CONTEXT|QUERY|LOCATION|LINE \d+): {1,2})(?P<text>.*)",
    re.DOTALL,
)
_ENTRY = re.compile(r"from TOC entry (?P<entry>.*)")
_STAGE = re.compile(r"while (?:INITIALIZING|PROCESSING TOC|FINALIZING):")
_PARALLEL = "entering main parallel loop"
_WRITTEN_OVER = re.compile(r"(?:info|warning|error|fatal): (?P<rest>from TOC entry .*|while [A-Z ]+:)")
_AGAIN = re.compile(r"(?:pg_restore: ?)+")
_FAILURE = re.compile(r"\b(?:(?:error|fatal): |(?:ERROR|FATAL|PANIC):  )")
_IGNORED = re.compile(r"errors ignored on restore: (?P<count>\d+)")


class DiagnosticReader:
    """Reads stderr of psql or pg_restore line by line; of a message's text only a bounded part is held.

    Which entry a message is about, pg_restore tells with --verbose only. The processes of a parallel pg_restore write
    over each other, also within a line; what looks like a failure in such a line is taken for one.
    """

    def __init__(self) -> None:
        self._ignored: int | None = None
        self._failures = 0
        self._spoken = False
        """Whether the tool itself has written something; what comes before is a loader's or a shell's."""
        self._draft: _Draft | None = None
        self._field = ""
        self._entry = ""
        self._in_parallel = False
        self._counted_twice: set[str] = set()
        """Entries that failed in another process: the first one counts their failures, and each of them once more."""

    @property
    def counted(self) -> bool:
        """Whether pg_restore told how many failures there were, as it does at its end after the first one."""
        return self._ignored is not None

    @property
    def missed(self) -> int:
        """How many failures pg_restore counted beyond those that were read here; a parallel one may count too few.

        Source: `mark_restore_job_done` of pg_backup_archiver.c, and `WaitForWorkers` of parallel.c.
        """
        return max(0, (self._ignored or 0) - self._failures - len(self._counted_twice))

    def feed(self, line: str) -> Diagnostic | None:
        """Take a line without its newline; answer the message before, when this line ends it."""
        header = _HEADER.fullmatch(line)
        if header is None:
            return self._body(line)
        if (continued := _CONTINUED.fullmatch(header["rest"])) and self._draft:
            self._field = continued["name"].lower()
            self._draft.append(self._field, continued["text"])
            return None
        finished = self.close()
        self._open(header)
        return finished

    def close(self) -> Diagnostic | None:
        """The last message; there are no more lines."""
        draft, self._draft, self._field = self._draft, None, ""
        if draft is None:
            return None
        finished = draft.finish()
        self._failures += finished.failed
        return finished

    def _body(self, line: str) -> Diagnostic | None:
        """A line that the tool did not put its name before."""
        if self._draft is None:
            if _FAILURE.search(line) if self._spoken else line.strip():
                self._start(_Draft(Severity.ERROR, entry=self._entry), line)
            return None
        if found := _FIELD.fullmatch(line):
            # An error's excerpt (LINE 1) and place are for people who look at the log.
            self._field = (found["name"] or ("statement" if found["command"] else "")).lower()
            self._draft.append(self._field, found["text"])
        else:
            self._draft.append(self._field, line)
        return None

    def _open(self, header: re.Match[str]) -> None:
        self._spoken = True
        rest, line = _AGAIN.sub("", header["rest"], count=1), header["line"]
        if written_over := _WRITTEN_OVER.fullmatch(rest):  # the failure itself follows on a line without a name
            rest = written_over["rest"]
        if _STAGE.fullmatch(rest):
            self._entry = ""
        elif found := _ENTRY.fullmatch(rest):
            self._entry = found["entry"]
            if self._in_parallel:
                self._counted_twice.add(self._entry)
        elif rest == _PARALLEL:
            self._in_parallel = True
        elif found := _IGNORED.search(rest):
            self._ignored = int(found["count"])
        else:
            self._message(header["tool"], rest, int(line) if line else None)

    def _message(self, tool: str, rest: str, line: int | None) -> None:
        by_tool = _TOOL.fullmatch(rest)
        # pg_restore wraps what the server said: `error: could not execute query: ERROR:  …`.
        by_server = (_SERVER.search if by_tool else _SERVER.fullmatch)(rest)
        if by_server and by_server["severity"] in _SEVERITIES and "connection to server" not in rest:
            draft = _Draft(_SEVERITIES[by_server["severity"]], by_server["sqlstate"], self._entry, line)
            self._start(draft, by_server["message"])
        elif by_tool:
            self._start(_Draft(_SEVERITIES[by_tool["severity"]], None, self._entry, line), by_tool["message"])
        elif tool == "psql":
            self._start(_Draft(Severity.ERROR, line=line), rest)
        # What else pg_restore says is progress (--verbose).

    def _start(self, draft: _Draft, message: str) -> None:
        self._draft, self._field = draft, "message"
        draft.append("message", message)


@dataclass(frozen=True)
class Harmless:
    """A class of messages that do not make a restored database different from what a managed server can hold."""

    name: str
    reason: str
    """For the report."""
    source: str
    """Who says that it is harmless."""
    message: re.Pattern[str]
    about: re.Pattern[str] | None = None
    """What the statement or the entry of the table of contents must be; None: the message alone tells."""

    def matches(self, diagnostic: Diagnostic) -> bool:
        """Whether it is such a message."""
        if not self.message.search(f"{diagnostic.message}\n{diagnostic.detail}"):
            return False
        if self.about is None:
            return True
        entry = diagnostic.entry.split(" ", 3)[-1]
        return bool(self.about.match(diagnostic.statement) or (entry and self.about.match(entry)))


def _any(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names))


_MATRIX = "Microsoft's support matrix for backup of PostgreSQL flexible server, errors that may be ignored"
_SYSTEM_ROLE = rf"(?:{_any(SYSTEM_ROLES)}|pg_\w+)"
_CATALOG_PRIVILEGES = re.compile(
    r"\s*(?:GRANT|REVOKE)\b[^;]*\bpg_catalog\b[^;]*;?\s*\Z|ACL pg_catalog ", re.IGNORECASE | re.DOTALL
)

KNOWN_HARMLESS = (
    Harmless(
        "system role exists",
        "the service makes this role on every server",
        _MATRIX,
        re.compile(rf'role "{_SYSTEM_ROLE}" already exists'),
    ),
    Harmless(
        "system role is superuser",
        "the service makes this role, and gives superuser rights to no customer",
        _MATRIX,
        re.compile(r"must be superuser to (?:create|alter) superusers|permission denied to (?:create|alter) role"),
        re.compile(rf'\s*(?:CREATE|ALTER) (?:ROLE|USER) "?{_SYSTEM_ROLE}\b', re.IGNORECASE),
    ),
    Harmless(
        "granted by a system role",
        "the grantor is the service's own role, and nobody else may grant in its name",
        _MATRIX,
        re.compile(rf'permission den(?:ied|ying)(?: to grant|granting)? privileges as role "{_SYSTEM_ROLE}"'),
    ),
    Harmless(
        "predefined role",
        "the server's admin may not grant this predefined role",
        f"{_MATRIX}; azure-docs issue 87052",
        re.compile(
            r'permission denied to grant role "pg_\w+"|must have admin option on role "pg_\w+"'
            r'|only superusers can grant role "pg_\w+"'
        ),
    ),
    Harmless(
        "comment on an extension",
        "the extension belongs to the service, and brings its own comment",
        "pgcopydb issues 8, 174 and 356",
        re.compile(r"must be owner of extension "),
        re.compile(r"\s*COMMENT ON EXTENSION |COMMENT - EXTENSION ", re.IGNORECASE),
    ),
    Harmless(
        "system extension",
        "the service itself puts this extension where it needs it",
        f"{_MATRIX}: extensions owned by azure_su",
        re.compile(
            rf'extension "(?:{_any(SYSTEM_EXTENSIONS)})" (?:is not allow-listed|is not available|does not exist)'
            rf'|extension control file ".*/(?:{_any(SYSTEM_EXTENSIONS)})\.control"'
            rf"|must be owner of extension (?:{_any(SYSTEM_EXTENSIONS)})$",
            re.MULTILINE,
        ),
    ),
    Harmless(
        "privileges on system objects",
        "privileges in pg_catalog are the service's own, and each new database has them",
        f"azure-docs issue 100198; {_MATRIX}: errors on pg_catalog",
        re.compile(r"permission denied for |must be owner of | does not exist$", re.MULTILINE),
        _CATALOG_PRIVILEGES,
    ),
    Harmless(
        "no privileges to grant",
        "the grant is one of the service's own",
        "azure-docs issue 100198",
        re.compile(r"^(?:no privileges|not all privileges) (?:were granted|could be revoked) for "),
    ),
    Harmless(
        "event trigger",
        "event triggers can be created by a superuser only, which no customer of the service is",
        "PostgreSQL documentation of CREATE EVENT TRIGGER",
        re.compile(r"permission denied to create event trigger "),
    ),
    Harmless(
        "schema public exists",
        "each new database has it",
        "PostgreSQL documentation of CREATE DATABASE",
        re.compile(r'schema "public" already exists'),
    ),
    Harmless(
        "language plpgsql exists",
        "each new database has it",
        "PostgreSQL documentation of CREATE DATABASE",
        re.compile(r'(?:language|extension) "plpgsql" already exists|must be owner of language plpgsql'),
    ),
)

_MISSING_OWNER = Harmless(
    "owner not on the target",
    "the owner is not on the target or cannot own objects there; the import's user owns the object",
    "the plan",
    re.compile(
        r'role "(?P<missing>.+)" does not exist|must be able to SET ROLE "(?P<unsettable>.+)"'
        r'|must be member of role "(?P<foreign>.+)"'
    ),
    re.compile(r"\s*ALTER\b[^;]*\bOWNER TO ", re.IGNORECASE),
)


def classify(diagnostic: Diagnostic, missing_owners: frozenset[str] = frozenset()) -> Harmless | None:
    """The class of known harmless messages that this one belongs to; None when it is to be taken seriously.

    `missing_owners` are owners that the target lacks or that its admin may not become, as was known before.
    """
    found = _MISSING_OWNER.message.search(diagnostic.message)
    if found and found[found.lastgroup or 0] in missing_owners and _MISSING_OWNER.matches(diagnostic):
        return _MISSING_OWNER
    return next((harmless for harmless in KNOWN_HARMLESS if harmless.matches(diagnostic)), None)
