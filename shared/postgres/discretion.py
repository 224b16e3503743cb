"""What psql and pg_restore said, without the secrets of the statement that it is about."""

from dataclasses import replace

from shared.postgres.diagnostics import Diagnostic
from shared.postgres.script import TokenKind, redact, tokens
from shared.redaction import HIDDEN, hidden

_SHORTEST = 4
"""Characters of a part of a secret that is looked for in what the server says; shorter ones are words of its own."""


def discreet(said: Diagnostic) -> Diagnostic:
    """The diagnostic without literals that speak of a password or of a connection, the server's quotations included."""
    statement = redact(said.statement)
    secrets = _secrets(said.statement) if statement != said.statement.strip() else []
    message, detail, hint = (_without(text, secrets) for text in (said.message, said.detail, said.hint))
    return replace(said, statement=statement, message=message, detail=detail, hint=hint)


def _secrets(statement: str) -> list[str]:
    """The literals and their words, the longest first; a server quotes the word that it stumbled over."""
    literals = [token.value for token in tokens(statement) if token.kind is TokenKind.STRING]
    parts = {part for literal in literals for word in [literal, *literal.split()] for part in [word, *word.split("=")]}
    return sorted((part for part in parts if len(part) >= _SHORTEST), key=len, reverse=True)


def _without(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return hidden(text)
