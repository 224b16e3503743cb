"""What an archive says of the database itself: how to create it, its settings, and what waits for its final name."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise, takewhile

from shared.postgres.script import Token, TokenKind, quote_identifier, split, tokens
from shared.postgres.toc import Entry

_NOT_COPIED = frozenset({"template", "tablespace", "owner", "oid", "strategy", "connection limit", "is_template"})
"""Options of CREATE DATABASE that the import decides itself, or that the closing statements set."""

_CLOSING = frozenset({"connection", "is_template", "allow_connections", "owner"})
"""What follows the name in an ALTER DATABASE that must not act on a load."""


NOT_ITS_OWN = "it is about another database"
"""Why a statement is left out that `renamed` does not take."""


@dataclass(frozen=True)
class Properties:
    """A database's own properties."""

    name: str
    """What the statements call it."""
    options: str
    """For CREATE DATABASE, as SQL: encoding and locale; empty for the server's defaults."""
    settings: tuple[str, ...] = ()
    """Statements for its settings, which hold for the load as they did on the source."""
    closing: tuple[str, ...] = ()
    """Statements that would be in the load's way: owner, connection limit, comment."""
    privileges: tuple[Entry, ...] = ()


def read_properties(name: str, entries: Iterable[Entry]) -> Properties:
    """The properties from the entries about the database, by whose own name the statements call it; `name` is a guess.

    The archive's head has the name in the encoding of whoever called pg_dump, the entry in that of the dump.
    """
    options, settings, closing, privileges = "", list[str](), list[str](), list[Entry]()
    entries = list(entries)
    name = next((entry.name for entry in entries if entry.desc == "DATABASE"), name)
    for entry in entries:
        if entry.desc == "DATABASE":
            options = creation_options(entry.definition)
            if entry.owner:
                closing.insert(0, f"ALTER DATABASE {quote_identifier(name)} OWNER TO {quote_identifier(entry.owner)}")
        elif entry.desc == "ACL":
            privileges.append(entry)
        else:
            for statement in split(entry.definition):
                text = statement.text.strip()
                (closing if is_closing(tokens(text)) else settings).append(text)
    return Properties(name, options, tuple(settings), tuple(closing), tuple(privileges))


def creation_options(statement: str) -> str:
    """The options of a CREATE DATABASE that describe the database and not the server it was on.

    `ENCODING = 'UTF8' LOCALE_PROVIDER = libc` of `CREATE DATABASE x WITH TEMPLATE = template0 ENCODING = …`.
    """
    found = list(takewhile(lambda token: not _is_sign(token, ";"), tokens(statement)))
    signs = [index for index, token in enumerate(found) if _is_sign(token, "=")]
    starts = [sign - 2 if _follows(found, sign - 1, "connection") else sign - 1 for sign in signs]
    kept = []
    for start, sign, end in zip(starts, signs, [*starts, len(found)][1:], strict=True):
        key = " ".join(token.value for token in found[start:sign])
        value = found[sign + 1 : end]
        if key not in _NOT_COPIED and value:
            kept.append(f"{key.upper()} = {statement[value[0].start : value[-1].end]}")
    return " ".join(kept)


def renamed(statement: str, old: str, new: str) -> str | None:
    """The statement about database `old`, about database `new`; None when it is not about `old`."""
    found = tokens(statement)
    for before, token in pairwise(found):
        if before.is_word("database") and token.is_identifier and token.value == old:
            return statement[: token.start] + quote_identifier(new) + statement[token.end :]
    return None


def _is_sign(token: Token, sign: str) -> bool:
    return token.kind is TokenKind.PUNCTUATION and token.value == sign


def _follows(found: list[Token], index: int, word: str) -> bool:
    return index > 0 and found[index - 1].is_word(word)


def is_closing(found: list[Token]) -> bool:
    """Whether it is a COMMENT or an ALTER DATABASE that closes the load out or hinders it."""
    if not found[0].is_word("alter"):
        return True
    return len(found) > 3 and found[1].is_word("database") and found[3].is_word(*_CLOSING)
