"""Load a plain SQL dump of one database into an empty database."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise

from shared.contracts.imports import Note, NoteKind
from shared.errors import ImportFailed, cut
from shared.postgres.archive import Archive
from shared.postgres.archive_load import Loaded
from shared.postgres.contents import NOT_MANAGED, check_extensions, own_extension
from shared.postgres.destination import Destination
from shared.postgres.notes import make_note
from shared.postgres.options import ImportOptions
from shared.postgres.privileges import Adapted, adapt_grant, named_roles
from shared.postgres.properties import NOT_ITS_OWN, Properties, creation_options, is_closing, renamed
from shared.postgres.psql import run_script
from shared.postgres.schemas import open_schemas, to_close
from shared.postgres.script import (
    Backslash,
    Blank,
    CopyData,
    Event,
    Statement,
    Statements,
    Token,
    quote_identifier,
    redact,
    tokens,
    whole,
    without_data,
)
from shared.postgres.server import Capabilities, Connection, Roles, ensure_can_set, read_capabilities
from shared.postgres.staging import Route
from shared.postgres.tolerance import describe, sort_out

_BEGINNING = 200
"""Events among which a script made with --create has its CREATE DATABASE."""
_HEAD = 40
"""Tokens of a statement that tell its kind; only of the kinds that are short, more is read."""

_OF_PG_DUMP = frozenset({"\\connect", "\\encoding"})
"""psql's commands in a script made with --create: the connection is there already."""

_NOT_MANAGED = {
    ("event", "trigger"): NOT_MANAGED["EVENT TRIGGER"],
    ("subscription",): NOT_MANAGED["SUBSCRIPTION"],
    ("tablespace",): NOT_MANAGED["TABLESPACE"],
    ("role",): "roles are imported from the roles file",
    ("user",): "roles are imported from the roles file",
}


@dataclass(frozen=True)
class ScriptLoad:
    """One plain SQL dump on its way into one server."""

    archive: Archive
    properties: Properties
    connection: Connection
    """To the server's maintenance database."""
    capabilities: Capabilities
    options: ImportOptions

    @classmethod
    def prepare(cls, archive: Archive, connection: Connection, options: ImportOptions) -> "ScriptLoad":
        """Read the script's beginning; what it needs further on is met as it comes."""
        capabilities = read_capabilities(connection)
        for event in islice(Statements(archive.source.chunks()), _BEGINNING):
            if isinstance(event, Statement):
                words = tokens(event.text, _HEAD)
                if len(words) > 2 and words[0].is_word("create") and words[1].is_word("database"):
                    properties = Properties(words[2].value, creation_options(event.text))
                    return cls(archive, properties, connection, capabilities, options)
        return cls(archive, Properties("", ""), connection, capabilities, options)

    def fill(self, destination: Destination, route: Route) -> Loaded:
        """Run the script, without what this server cannot take and with what owners need on the way.

        Raises:
            ImportFailed: statements failed that are not known to be harmless.
            TargetRefused: the script creates an extension that is not allowed.
            FlexRestoreError: as `run_script`.
        """
        with destination.connect() as connection:
            opened = open_schemas(connection)
        if self.options.grants:
            opened = to_close(opened, self.archive.summary.dumped_by)
        adapter = _Adapter(self, destination, [schema for schema, privilege in opened if privilege == "CREATE"])
        result = run_script(
            destination.server,
            self.archive.toolbox,
            destination.dbname,
            adapter.events(whole(Statements(self.archive.source.chunks()))),
            log=destination.log,
            on_error="go on",
            settings=destination.settings,
            timeout_seconds=destination.deadline.left(),
            still_wanted=destination.still_wanted,
        )
        findings = sort_out(result.failures, options=self.options)
        if not result.complete:
            failures = [describe(failure) for failure in result.failures]
            raise ImportFailed("psql did not come to the end of the script", details=failures)
        notes = (*adapter.all_notes(), *result.notes, *findings.notes)
        return Loaded(route, notes, closing=tuple(adapter.closing))


@dataclass
class _Adapter:
    """Changes a script's statements on their way to psql."""

    load: ScriptLoad
    destination: Destination
    opened: list[str]
    """Schemas that everyone may create in until the first grant."""
    closing: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    without_owner: Counter[str] = field(default_factory=Counter)
    roles: Roles = field(default_factory=lambda: Roles(frozenset(), frozenset()))
    asked: set[str] = field(default_factory=set)
    open: bool = True
    """Whether the first grant is still to come."""

    def events(self, script: Iterable[Event]) -> Iterator[Event]:
        """The script as it is run; what is left out keeps its lines, so that messages name the script's own."""
        if not self.load.properties.name:
            reason = "the dump does not say how the database was created: encoding and locale are the server's defaults"
            self.notes.append(make_note(kind=NoteKind.CHANGED, subject="the database", reason=reason))
        cut_off = False
        for event in script if self.load.options.rows else without_data(script):
            if isinstance(event, Statement) and event.complete and not event.takes_data:
                yield from self._statement(event)
            elif isinstance(event, Backslash) and event.name in _OF_PG_DUMP and not cut_off:
                yield Blank(b"")
            else:
                yield event
            cut_off = _is_open(event) or (cut_off and isinstance(event, CopyData))
        if not cut_off:  # else that the script breaks off would go unnoticed
            yield from self._close_schemas()

    def all_notes(self) -> list[Note]:
        """What was changed and left out."""
        user = self.destination.server.user
        owners = [
            make_note(
                kind=NoteKind.CHANGED,
                subject=f'owner "{role}"',
                reason=f"{self.roles.why_not(role)}: {user} owns {count} objects instead",
            )
            for role, count in sorted(self.without_owner.items())
        ]
        return [*self.notes, *owners]

    def _statement(self, event: Statement) -> Iterator[Event]:
        if self.load.options.omit(event.text):
            yield _blank(event)
            return
        words = tokens(event.text, _HEAD)
        if not words:
            yield event
            return
        handler = self._handler(words)
        if handler is None:
            yield event
        else:
            yield from handler(event, tokens(event.text))

    def _handler(self, words: list[Token]) -> Callable[[Statement, list[Token]], Iterator[Event]] | None:
        """Who takes care of a statement that begins with these words."""
        verb, rest = words[0].value, [token.value for token in words[1:4] if token.is_identifier]
        if verb in {"create", "alter", "drop", "comment"}:
            if "database" in rest[:1] or rest[:2] == ["on", "database"]:
                return self._database
            if _why_not(rest) and not _tells_database(words, "in"):
                return self._not_managed
        if verb == "alter" and rest[:1] == ["role"]:
            return self._database
        return self._by_verb(verb, rest)

    def _by_verb(self, verb: str, rest: list[str]) -> Callable[[Statement, list[Token]], Iterator[Event]] | None:
        if verb in {"grant", "revoke"} or (verb, rest[:2]) == ("alter", ["default", "privileges"]):
            return self._grant
        if (verb, rest[:2]) == ("set", ["session", "authorization"]) or (verb, rest[:1]) == ("reset", ["session"]):
            return self._grant
        if verb == "refresh":
            return self._refresh
        if verb == "alter":
            return self._owner
        if verb == "create" and rest[:1] in (["schema"], ["extension"]):
            return self._schema if rest[0] == "schema" else self._extension
        return None

    def _database(self, event: Statement, words: list[Token]) -> Iterator[Event]:
        """About the database: creating it is done, some of it waits for its name, its settings hold from now on."""
        name = self.load.properties.name
        statement = event.text.strip().removesuffix(";")
        own = renamed(statement, name, self.destination.dbname)
        if own is None or words[0].is_word("drop"):
            yield self._leave_out(event, f"{NOT_ITS_OWN}, or drops this one")
        elif words[0].is_word("create"):
            yield _blank(event)
        elif is_closing(words):
            self.closing.append(statement)
            yield _blank(event)
        else:
            yield _replaced(event, own)

    def _not_managed(self, event: Statement, words: list[Token]) -> Iterator[Event]:
        yield self._leave_out(event, _why_not([token.value for token in words[1:4]]))

    def _extension(self, event: Statement, words: list[Token]) -> Iterator[Event]:
        name = next(
            token.value for token in words[2:] if token.is_identifier and not token.is_word("if", "not", "exists")
        )
        if own_extension(name):
            yield self._leave_out(event, "the service installs this extension itself", matters=False)
            return
        check_extensions([name], self.load.capabilities)
        yield event

    def _schema(self, event: Statement, words: list[Token]) -> Iterator[Event]:
        yield event
        names = [token.value for token in words[2:] if token.is_identifier and not token.is_word("if", "not", "exists")]
        if self.open and names and not words[2].is_word("authorization"):
            self.opened.append(names[0])
            yield _injected(f"GRANT USAGE, CREATE ON SCHEMA {quote_identifier(names[0])} TO PUBLIC", event)

    def _refresh(self, event: Statement, words: list[Token]) -> Iterator[Event]:  # noqa: ARG002 -- one of the handlers
        """A view's owner computed it under the policies that hold for the owner; pg_dump turns them to errors."""
        yield _injected("SET row_security = on", event)
        yield event

    def _owner(self, event: Statement, words: list[Token]) -> Iterator[Event]:
        owner = next(
            (
                words[i + 2].value
                for i in range(len(words) - 2)
                if words[i].is_word("owner") and words[i + 1].is_word("to")
            ),
            None,
        )
        if owner is None or self._know([owner]).why_not(owner) is None:
            yield event
            return
        self.without_owner[owner] += 1
        yield _blank(event)

    def _grant(self, event: Statement, words: list[Token]) -> Iterator[Event]:
        statement = event.text.strip().removesuffix(";")
        if renamed(statement, self.load.properties.name, self.destination.dbname):
            self.closing += [text for text in [self._adapt(statement, words).statement] if text]
            yield _blank(event)
            return
        if _tells_database(words, "on"):
            yield self._leave_out(event, NOT_ITS_OWN)
            return
        yield from self._close_schemas()
        adapted = self._adapt(statement, words)
        yield _replaced(event, adapted.statement) if adapted.statement else _blank(event)

    def _adapt(self, statement: str, words: list[Token]) -> Adapted:
        roles = self._know(named_roles(words))
        adapted = adapt_grant(cut(statement, 80), "", statement, roles)
        self.notes += [adapted.note] if adapted.note else []
        return adapted

    def _know(self, roles: list[str]) -> Roles:
        if not self.asked.issuperset(roles):
            self.asked.update(roles)
            self.roles = ensure_can_set(self.load.connection, self.asked)
        return self.roles

    def _close_schemas(self) -> Iterator[Event]:
        """Take back, before the script grants, what was granted to everyone."""
        if self.open:
            self.open = False
            for schema in self.opened:
                rights = "CREATE" if schema == "public" else "USAGE, CREATE"
                yield _injected(f"REVOKE {rights} ON SCHEMA {quote_identifier(schema)} FROM PUBLIC")

    def _leave_out(self, event: Statement, reason: str, *, matters: bool = True) -> Blank:
        text = cut(redact(event.text), 600)
        self.notes.append(
            make_note(
                kind=NoteKind.SKIPPED, subject=f"line {event.line}", reason=reason, statement=text, matters=matters
            )
        )
        return _blank(event)


def _is_open(event: Event) -> bool:
    """Whether it is a statement that needs more than itself."""
    return isinstance(event, Statement) and (event.takes_data or not event.complete)


def _why_not(words: list[str]) -> str:
    """Why what these words name is left out; empty when it is not."""
    if words[:2] == ["user", "mapping"]:
        return ""
    return next((reason for kind, reason in _NOT_MANAGED.items() if tuple(words[: len(kind)]) == kind), "")


def _tells_database(words: list[Token], word: str) -> bool:
    """Whether a database is told behind this word: ALTER ROLE … IN DATABASE, GRANT … ON DATABASE."""
    return any(first.is_word(word) and then.is_word("database") for first, then in pairwise(words))


def _blank(event: Statement) -> Blank:
    return Blank(b"\n" * event.source.count(b"\n"))


def _replaced(event: Statement, statement: str) -> Statement:
    lines = event.source.count(b"\n") - statement.count("\n")
    return Statement(b"\n" * lines + statement.encode("utf-8", "surrogateescape") + b";", event.line)


def _injected(statement: str, after: Statement | None = None) -> Statement:
    return Statement(f" {statement};".encode("utf-8", "surrogateescape"), after.line if after else 0)
