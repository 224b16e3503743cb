"""What differs between source and target, and which note of the restore's report explains it."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from shared.contracts.imports import Note, NoteKind


class Area(StrEnum):
    """Where a difference was found."""

    DATABASE = "database"  #: there or not there
    PROPERTY = "property"  #: owner, locale, settings, rights, comment of a database
    SCHEMA = "schema"  #: pg_dump's statements for one object
    ROWS = "rows"  #: count and checksum of one table
    SEQUENCE = "sequence"  #: the value that one stands at
    LARGE_OBJECT = "large object"  #: content, owner, rights, comment
    ROLE = "role"  #: attributes, memberships, settings, comments


@dataclass(frozen=True, order=True)
class Item:
    """One thing that both servers should have alike.

    Attributes:
        area: where it was read.
        subject: kind, schema and name, `TABLE atlas event`, as reports name entries of an archive; for properties and
            roles the head of the statement that would set it, `ALTER ROLE app SET work_mem`.
    """

    area: Area
    subject: str


type Inventory = Mapping[Item, str]
"""What a server, or one of its databases, has: a text for each item."""


@dataclass(frozen=True)
class Difference:
    """An item that is not the same on both servers.

    Attributes:
        item: which.
        source: its text on the source; None where the source does not have it.
        target: likewise.
        reason: why the restore could not or would not keep it; empty when its report does not say.
    """

    item: Item
    source: str | None
    target: str | None
    reason: str = ""

    @property
    def explained(self) -> bool:
        """Whether the restore's report says why."""
        return bool(self.reason)

    def unified(self) -> str:
        """Both texts as a unified diff."""
        before, after = ((text or "").splitlines() for text in (self.source, self.target))
        return "\n".join(difflib.unified_diff(before, after, "source", "target", lineterm=""))


def differences(source: Inventory, target: Inventory) -> Iterator[Difference]:
    """The items that are missing on one side, or there with another text."""
    for item in sorted({*source, *target}):
        if source.get(item) != target.get(item):
            yield Difference(item, source.get(item), target.get(item))


def explained(difference: Difference, notes: Iterable[Note]) -> Difference:
    """The difference with its reason, where the notes account for all of it.

    A statement of the source that the target lacks must be in a note, by its text or, when the whole object is
    missing, by its subject. The target may have at most as many other statements in their place.
    """
    notes = tuple(notes)
    before, after = _statements(difference.source), _statements(difference.target)
    lost = [statement for statement in before if statement not in after]
    added = [statement for statement in after if statement not in before]
    if not lost or len(added) > len(lost):
        return difference
    reasons = [_reason(difference, statement, notes) for statement in lost]
    if not all(reasons):
        return difference
    return replace(difference, reason="; ".join(dict.fromkeys(reasons)))


def _statements(text: str | None) -> list[str]:
    """The statements of an entry; a function's body is cut too, on both sides at the same places."""
    return re.split(r"(?<=;)\n+", text.strip()) if text else []


def _reason(difference: Difference, statement: str, notes: tuple[Note, ...]) -> str:
    for note in notes:
        if (
            _names_statement(note, difference, statement)
            or _names_object(note, difference)
            or _names_owner(note, statement)
        ):
            return note.reason
    return ""


def _names_statement(note: Note, difference: Difference, statement: str) -> bool:
    """Whether the note holds this statement, or one of which the item's subject is the head."""
    if note.kind is NoteKind.FAILED:
        return False
    noted = [_plain(one) for one in _statements(note.statement)]
    if difference.item.area is Area.SCHEMA:
        return _plain(statement) in noted
    head = f"{_plain(difference.item.subject)} "
    return note.kind is not NoteKind.CHANGED and any(f"{one} ".startswith(head) for one in noted)


def _names_object(note: Note, difference: Difference) -> bool:
    """Whether the note says of this very object that it was left out."""
    left_out = note.kind in {NoteKind.SKIPPED, NoteKind.TOLERATED}
    return left_out and difference.target is None and _plain(note.subject) == _plain(difference.item.subject)


def _names_owner(note: Note, statement: str) -> bool:
    """Whether the note says of the owner that this statement names that it cannot own anything there."""
    owner = re.fullmatch(r"ALTER .* OWNER TO (.+)", _plain(statement))
    return owner is not None and note.kind is NoteKind.CHANGED and _plain(note.subject) == f"owner {owner[1]}"


def _plain(text: str) -> str:
    """One line, single blanks, no end mark; and no quotes, which people's texts and SQL set in different places."""
    return " ".join(text.replace('"', "").split()).rstrip("; ")
