"""Select from an archive's table of contents what can be imported without a superuser, and in which order."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from shared.contracts.imports import Note, NoteKind
from shared.errors import TargetRefused
from shared.postgres.diagnostics import SYSTEM_EXTENSIONS
from shared.postgres.notes import make_note, readable
from shared.postgres.options import EVERYTHING, ImportOptions
from shared.postgres.script import split, tokens
from shared.postgres.server import Capabilities
from shared.postgres.toc import Entry

SYSTEM_ROLE = "azuresu"
"""The superuser of a flexible server; what it owns comes with the server."""

_OWN_EXTENSIONS = SYSTEM_EXTENSIONS | {"plpgsql"}

_SYSTEM_SCHEMAS = frozenset({"pg_catalog", "information_schema"})

NOT_MANAGED = {
    "EVENT TRIGGER": "only a superuser can create event triggers, and a managed server has none for customers",
    "SUBSCRIPTION": "a restored copy must not start to replicate from the source's publisher",
    "SUBSCRIPTION TABLE": "its subscription is not restored",
    "TABLESPACE": "a managed server has no tablespaces of its own",
}
"""Kinds of entries that are left out, and why."""

_ATTACHED = frozenset({"COMMENT", "ACL", "SECURITY LABEL"})
"""Entries that say something about another entry and cannot be without it."""

_SETTINGS = frozenset({"ENCODING", "STDSTRINGS", "SEARCHPATH"})
"""Entries that pg_restore obeys whether they are listed or not."""

_FIRST = frozenset({"SCHEMA", "EXTENSION"})
_DATABASE = frozenset({"DATABASE", "DATABASE PROPERTIES"})
_PRIVILEGES = frozenset({"ACL", "DEFAULT ACL"})
_REFRESH = "MATERIALIZED VIEW DATA"
_ROWS = frozenset(
    {"TABLE DATA", "SEQUENCE SET", "BLOB", "BLOBS", "BLOB METADATA", "BLOB COMMENTS", _REFRESH, "STATISTICS DATA"}
)


@dataclass(frozen=True)
class Selection:
    """The entries of an archive, by the pass that imports them. Each pass keeps the archive's order."""

    database: tuple[Entry, ...] = ()
    """The database itself: how it is created, its settings, comment, and privileges."""
    first: tuple[Entry, ...] = ()
    """Schemas and extensions, which need preparing before anything is put into them."""
    main: tuple[Entry, ...] = ()
    trees: tuple[Entry, ...] = ()
    """What locks a partitioned table with its partitions: several jobs doing this at once run into deadlocks."""
    privileges: tuple[Entry, ...] = ()
    refreshes: tuple[Entry, ...] = ()
    """Contents of materialized views: they are computed with the privileges in place."""
    notes: tuple[Note, ...] = ()
    """What was left out, and why."""

    @property
    def objects(self) -> tuple[Entry, ...]:
        """Everything that makes something in the database."""
        return self.first + self.main + self.trees + self.refreshes

    @property
    def owners(self) -> frozenset[str]:
        """The roles that own something of it."""
        owned = (entry for entry in self.database + self.objects if entry.desc not in _PRIVILEGES)
        return frozenset(entry.owner for entry in owned if entry.owner)

    @property
    def extensions(self) -> tuple[str, ...]:
        """The extensions that it needs."""
        return tuple(entry.name for entry in self.first if entry.desc == "EXTENSION")


def select(entries: Sequence[Entry], options: ImportOptions = EVERYTHING) -> Selection:
    """Sort the entries into passes and leave out what a managed server cannot take.

    What the request does not want is left out without a note on each entry; entries of dropped owners have none.
    """
    entries = [_on_each_object(entry, entries) for entry in _wanted(entries, options)]
    left_out: dict[int, str] = {}
    for entry in entries:
        if reason := _why_not(entry, left_out):
            left_out[entry.dump_id] = reason
    passes: dict[str, list[Entry]] = defaultdict(list)
    trees: set[int] = set()
    for entry in entries:
        if entry.dump_id in left_out or entry.desc in _SETTINGS:
            continue
        where = _pass_of(entry)
        if where == "main" and (_locks_tree(entry) or not trees.isdisjoint(entry.dependencies)):
            where = "trees"
            trees.add(entry.dump_id)
        # Of privileges the owner stays: it tells the server's own from the customer's.
        owned = options.owners or entry.desc in _PRIVILEGES
        passes[where].append(entry if owned else replace(entry, owner=""))
    notes = [
        make_note(
            kind=NoteKind.SKIPPED,
            subject=str(entry),
            reason=left_out[entry.dump_id],
            matters=entry.desc in NOT_MANAGED,
        )
        for entry in entries
        if entry.dump_id in left_out
    ]
    return Selection(**{name: tuple(chosen) for name, chosen in passes.items()}, notes=tuple(notes))


def check_extensions(extensions: Iterable[str], capabilities: Capabilities, present: Iterable[str] = ()) -> None:
    """Refuse a load whose extensions the server would refuse one by one, before anything is touched.

    Raises:
        TargetRefused: names all of them, and how to allow them.
    """
    needed = {name.lower(): name for name in map(readable, extensions) if name not in {*present, *_OWN_EXTENSIONS}}
    absent = sorted(name for name in needed.values() if name not in capabilities.extensions_available)
    allowed = capabilities.extensions_allowed
    forbidden = [] if allowed is None else sorted(name for low, name in needed.items() if low not in allowed)
    details = [f'extension "{name}" is not available on the target server' for name in absent]
    details += [
        f'extension "{name}" is not allow-listed (azure.extensions)' for name in forbidden if name not in absent
    ]
    if not details:
        return
    fixable = {name.lower() for name in forbidden if name not in absent}
    every = ",".join(sorted({*(allowed or ()), *fixable}))
    fix = (
        f"; allow them with: az postgres flexible-server parameter set --resource-group GROUP --server-name SERVER "
        f"--name azure.extensions --value {every}"
        if fixable
        else ""
    )
    names = ", ".join(sorted({*absent, *forbidden}))
    raise TargetRefused(
        f"the database needs extensions that the target server does not allow: {names}{fix}", details=details
    )


def own_extension(name: str) -> bool:
    """Whether the extension is there without the import's doing, or the service keeps it to its own databases."""
    return name in _OWN_EXTENSIONS


def _wanted(entries: Iterable[Entry], options: ImportOptions) -> list[Entry]:
    """The entries without those that the request drops, and without what is about those."""
    unwanted = (frozenset() if options.rows else _ROWS) | (frozenset() if options.grants else _PRIVILEGES)
    dropped: set[int] = set()
    kept: list[Entry] = []
    for entry in entries:
        about_dropped = entry.desc in _ATTACHED and not dropped.isdisjoint(entry.dependencies)
        if entry.desc in unwanted or about_dropped:
            dropped.add(entry.dump_id)
        else:
            kept.append(entry)
    return kept


def _on_each_object(entry: Entry, entries: Sequence[Entry]) -> Entry:
    """The entry; where it grants rights on a group of large objects, it names the first one only."""
    if entry.desc != "ACL" or not entry.name.startswith("LARGE OBJECTS "):
        return entry
    groups = (one for one in entries if one.desc == "BLOB METADATA" and one.dump_id in entry.dependencies)
    oids = [oid for group in groups for oid in group.definition.split()]
    statements = [statement.text for statement in split(entry.definition)]
    copies = [_on_object(statement, oids[0], other) for other in oids[1:] for statement in statements]
    return replace(entry, definition="\n".join([*statements, *copies]))


def _on_object(statement: str, old: str, new: str) -> str:
    """The statement about a large object, about another one."""
    for before, token in pairwise(tokens(statement)):
        if before.is_word("object") and token.value == old:
            return statement[: token.start] + new + statement[token.end :]
    return statement


def _pass_of(entry: Entry) -> str:
    about_database = entry.desc in _ATTACHED and not entry.schema and entry.name.startswith("DATABASE ")
    if entry.desc in _DATABASE or about_database:
        return "database"
    if entry.desc in _FIRST:
        return "first"
    if entry.desc in _PRIVILEGES:
        return "privileges"
    return "refreshes" if entry.desc == _REFRESH else "main"


def _locks_tree(entry: Entry) -> bool:
    """Whether it locks a partitioned table or index, or a table that others inherit from, with what belongs to it.

    pg_dump writes no ONLY for such tables, nor for any table's checks.
    """
    whole = entry.definition.startswith("ALTER TABLE ") and not entry.definition.startswith("ALTER TABLE ONLY ")
    return entry.desc == "INDEX ATTACH" or (entry.desc.endswith("CONSTRAINT") and whole)


def _why_not(entry: Entry, left_out: dict[int, str]) -> str | None:
    """Why an entry is left out, in words; None when it is imported."""
    if reason := NOT_MANAGED.get(entry.desc):
        return reason
    if entry.desc == "EXTENSION" and own_extension(entry.name):
        return "the service installs this extension itself"
    if entry.desc in _ATTACHED:
        return _why_not_attached(entry, left_out)
    if entry.schema in _SYSTEM_SCHEMAS and entry.owner in {"", SYSTEM_ROLE}:
        return f"schema {entry.schema} belongs to the server"
    if entry.desc == "DEFAULT ACL" and entry.owner == SYSTEM_ROLE:
        return f"default privileges of {SYSTEM_ROLE} belong to the server"
    return None


def _why_not_attached(entry: Entry, left_out: dict[int, str]) -> str | None:
    if any(dependency in left_out for dependency in entry.dependencies):
        return "what it is about is not restored"
    kind, _, name = entry.name.partition(" ")
    if kind == "EXTENSION" and own_extension(name.strip('"')):
        return "the service installs this extension itself"
    if entry.schema in _SYSTEM_SCHEMAS or (kind == "SCHEMA" and name in _SYSTEM_SCHEMAS):
        return f"{entry.schema or name} belongs to the server"
    return None
