"""What of a backup's databases a request wants to have imported."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from shared.contracts.imports import Note, NoteKind
from shared.contracts.request import RestoreRequest
from shared.postgres.script import Token, TokenKind, tokens

_HEAD = 40
"""Tokens of a statement that tell its kind; an ALTER names the owner behind a routine's whole signature."""

_BRING_ROWS = frozenset({"copy", "insert", "refresh"})
_ROW_FUNCTIONS = re.compile(r"setval|lo_\w+|lowrite|pg_restore_\w+_stats")
"""Functions that a dump calls for sequences, large objects and the planner's statistics."""

_NO_OWNERS = Note(
    kind=NoteKind.CHANGED,
    subject="owners",
    reason="the request drops them: the import's user owns the database and all that is in it",
    matters=False,
)
_NO_GRANTS = Note(
    kind=NoteKind.SKIPPED,
    subject="grants",
    reason="the request drops them: rights are those of a new database and of new objects",
    matters=False,
)
_NO_ROWS = Note(
    kind=NoteKind.SKIPPED,
    subject="rows",
    reason="the request asks for definitions only: no rows, sequence values, large objects",
    matters=False,
)


@dataclass(frozen=True)
class ImportOptions:
    """What is imported of a database; all of it unless told otherwise."""

    owners: bool = True
    """Objects and the database keep their owners; else the import's user owns them."""
    grants: bool = True
    """Objects and the database keep the rights that were granted on them."""
    rows: bool = True
    """Tables have their rows, sequences their values, materialized views their contents; large objects are there."""

    @classmethod
    def of(cls, request: RestoreRequest) -> Self:
        """What the request asks for."""
        return cls(owners=request.owners == "keep", grants=request.grants == "keep", rows=not request.schema_only)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What the report says of all that is not wanted, instead of a note on each object."""
        wanted = ((self.owners, _NO_OWNERS), (self.grants, _NO_GRANTS), (self.rows, _NO_ROWS))
        return tuple(note for kept, note in wanted if not kept)

    def omit(self, statement: str) -> bool:
        """Whether a statement of a script brings what is not wanted; for COPY with its data there is `without_data`."""
        if self == EVERYTHING:
            return False
        words = tokens(statement, _HEAD)
        if not words:
            return False
        if words[0].is_word("alter"):
            words = tokens(statement)
        return (
            (not self.owners and _sets_owner(words))
            or (not self.grants and _gives_rights(words))
            or (not self.rows and _brings_rows(words))
        )


EVERYTHING = ImportOptions()


def _sets_owner(words: list[Token]) -> bool:
    if _is_session(words):
        return _is_owners_session(words)
    return words[0].is_word("alter") and _has(words, "owner", "to")


def _gives_rights(words: list[Token]) -> bool:
    if _is_session(words):
        return not _is_owners_session(words)
    return words[0].is_word("grant", "revoke") or _starts(words, "alter", "default", "privileges")


def _brings_rows(words: list[Token]) -> bool:
    if words[0].is_word("select"):
        called = next((before for before, token in pairwise(words) if token.value == "("), words[0])
        return _ROW_FUNCTIONS.fullmatch(called.value) is not None
    if words[0].is_word("alter", "comment", "grant", "revoke", "security"):
        return _has(words, "large", "object")
    return words[0].is_word(*_BRING_ROWS)


def _is_session(words: list[Token]) -> bool:
    return _starts(words, "set", "session", "authorization") or _starts(words, "reset", "session", "authorization")


def _is_owners_session(words: list[Token]) -> bool:
    """Whether objects are made in this session; pg_dump writes an owner as a literal, a grantor as a name."""
    return len(words) > 3 and (words[3].kind is TokenKind.STRING or words[3].is_word("default"))


def _starts(words: list[Token], *wanted: str) -> bool:
    return len(words) >= len(wanted) and all(map(Token.is_word, words, wanted))


def _has(words: Iterable[Token], first: str, second: str) -> bool:
    return any(before.is_word(first) and token.is_word(second) for before, token in pairwise(words))
