"""Grants of an archive: those that this server cannot take are left out one by one, never the whole entry."""

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg

from shared.contracts.imports import Note, NoteKind
from shared.errors import cut
from shared.postgres.contents import SYSTEM_ROLE
from shared.postgres.diagnostics import is_system_role
from shared.postgres.notes import make_note
from shared.postgres.script import Token, quote_identifier, split, tokens
from shared.postgres.server import Connection, Roles, message
from shared.postgres.toc import Entry

_ABOUT = frozenset({"ACL", "DEFAULT ACL"})


@dataclass(frozen=True)
class Grants:
    """Statements that set privileges, in order, each with the entry it is from."""

    statements: tuple[tuple[Entry, str], ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Adapted:
    """A statement as this server can take it, and what was changed about it."""

    statement: str | None
    """None: it is left out."""
    note: Note | None = None


def grantors(entries: Iterable[Entry]) -> frozenset[str]:
    """The roles in whose name these entries grant or change default privileges."""
    statements = (statement for entry in entries if entry.desc in _ABOUT for statement in split(entry.definition))
    return frozenset(role for statement in statements for role in _acting(tokens(statement.text)))


def named_roles(words: list[Token]) -> list[str]:
    """The roles that a statement about privileges names."""
    return [*_acting(words), *_grantees(words)]


def plan_grants(entries: Iterable[Entry], roles: Roles) -> Grants:
    """What to run of these entries on a server with these roles."""
    statements: list[tuple[Entry, str]] = []
    notes: list[Note] = []
    for entry in entries:
        for statement in split(entry.definition):
            adapted = adapt_grant(str(entry), entry.owner, statement.text.strip(), roles)
            statements += [(entry, adapted.statement)] if adapted.statement else []
            notes += [adapted.note] if adapted.note else []
    return Grants(tuple(statements), tuple(notes))


def adapt_grant(subject: str, owner: str, text: str, roles: Roles) -> Adapted:
    """A statement about privileges on something of that owner, or of an owner unknown.

    Grants that another role than the owner made are made in that role's name where possible, else in the owner's:
    pg_dump writes SET SESSION AUTHORIZATION for them, which takes a superuser.
    """
    words = tokens(text)
    if words[0].is_word("reset"):
        return Adapted("RESET ROLE")
    acting = _acting(words)
    refusal = next(filter(None, map(roles.why_not, acting)), None)
    if _is_session_role(words):
        if refusal is None:
            return Adapted(f"SET ROLE {quote_identifier(acting[0])}")
        reason = f"granted in the name of the owner: {refusal}"
        return Adapted(None, make_note(kind=NoteKind.CHANGED, subject=subject, reason=reason, statement=text))
    for role in _grantees(words):
        if role not in roles.existing:
            refusal = refusal or f'there is no role "{role}" on the target server'
        elif owner == SYSTEM_ROLE and is_system_role(role):
            reason = "the server sets its own roles' privileges"
            return Adapted(
                None, make_note(kind=NoteKind.SKIPPED, subject=subject, reason=reason, statement=text, matters=False)
            )
    if refusal:
        return Adapted(None, make_note(kind=NoteKind.SKIPPED, subject=subject, reason=refusal, statement=text))
    return Adapted(text)


def run_grants(connection: Connection, grants: Grants) -> tuple[list[Note], list[Note]]:
    """Run them one by one; answers what was tolerated, and what failed and may not be tolerated.

    Raises:
        psycopg.OperationalError: the connection was lost.
    """
    tolerated: list[Note] = []
    failed: list[Note] = []
    warnings: list[str] = []
    connection.add_notice_handler(lambda diagnostic: warnings.append(diagnostic.message_primary or ""))
    for entry, statement in grants.statements:
        warnings.clear()
        try:
            connection.execute(statement.encode("utf-8", "surrogateescape"))
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidGrantOperation) as error:
            tolerated.append(_note(NoteKind.TOLERATED, entry, message(error), statement))
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            failed.append(_note(NoteKind.FAILED, entry, message(error), statement))
        else:
            tolerated += [_note(NoteKind.TOLERATED, entry, warning, statement) for warning in warnings]
    return tolerated, failed


def describe(note: Note) -> str:
    """A failed grant in a line."""
    return f"{note.subject} | {note.reason} | statement: {cut(note.statement, 300)}"


def _note(kind: NoteKind, entry: Entry, reason: str, statement: str) -> Note:
    matters = entry.owner != SYSTEM_ROLE
    return make_note(kind=kind, subject=str(entry), reason=reason, statement=cut(statement, 600), matters=matters)


def _is_session_role(words: list[Token]) -> bool:
    """Whether it is SET SESSION AUTHORIZATION."""
    return len(words) > 3 and words[0].is_word("set") and words[1].is_word("session")


def _acting(words: list[Token]) -> list[str]:
    """The roles that a statement acts for: `app` of SET SESSION AUTHORIZATION app, ALTER DEFAULT … FOR ROLE app."""
    if _is_session_role(words):
        return [words[3].value]
    if len(words) > 2 and words[0].is_word("alter") and words[1].is_word("default"):
        return _after(words, "role", "user")
    return []


def _grantees(words: list[Token]) -> list[str]:
    """The roles behind the last TO or FROM; PUBLIC is none."""
    keyword = next((index for index in reversed(range(len(words))) if words[index].is_word("to", "from")), None)
    if keyword is None:
        return []
    return [token.value for token in _list(words[keyword + 1 :]) if not token.is_word("public")]


def _after(words: list[Token], *keywords: str) -> list[str]:
    """The names behind the first such keyword."""
    start = next((index for index, token in enumerate(words) if token.is_word(*keywords)), len(words))
    return [token.value for token in _list(words[start + 1 :])]


def _list(words: list[Token]) -> list[Token]:
    """The names of a list with commas, up to what is no longer part of it."""
    found: list[Token] = []
    expects_name = True
    for token in words:
        if expects_name and token.is_word("group"):
            continue
        if expects_name and token.is_identifier:
            found.append(token)
        elif expects_name or token.value != ",":
            break
        expects_name = not expects_name
    return found
