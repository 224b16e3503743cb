"""Secrets in texts that people and servers write: what is recognised as one is not kept.

Nothing recognises every secret. The app's own ones never come into a text; this is for those that somebody pastes into
a request, and for those in a backup's statements.
"""

import re
from typing import Any

from shared.contracts.base import Json

HIDDEN = "…"
"""What stands in a secret's place."""

_WORDS = r"(?:password|passwd|passphrase|pwd|secret|token|api_?key|account_?key|access_?key|private_?key|signature|sig)"
_NAME = rf"(?<![\w.-])[\w.-]{{0,100}}{_WORDS}\w{{0,100}}+"
"""A name that speaks of a secret; bounded, so that no text takes long."""
_QUOTED = (
    r"""(?:E|U&|N)?'(?:[^'\\]|\\.|'')*'?|"(?:[^"\\]|\\.|"")*"?"""
    r"""|(?P<tag>\$\w{0,63}\$)(?s:.*?)(?:(?P=tag)|\Z)"""
)
"""A literal as SQL and JSON write it; pg_dump writes E'…' where a backslash is in it."""
_SECRETS = (
    # "password": "…" in JSON, which is said with a colon.
    (re.compile(rf'("{_NAME}"\s*:\s*)(?:{_QUOTED}|[^\s,}}\]]+)', re.IGNORECASE), rf'\1"{HIDDEN}"'),
    # password=…, AccountKey=…, ?sig=…, password => '…', SET my.token TO '…'
    (re.compile(rf'({_NAME}"?\s*:?=>?\s*)(?:{_QUOTED}|[^\s,;&]+)', re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(rf'({_NAME}"?\s+(?:TO\s+)?)(?:{_QUOTED})', re.IGNORECASE), rf"\1'{HIDDEN}'"),
    # The key of a function in an address.
    (re.compile(r"([?&]code=)[^\s&\"']+", re.IGNORECASE), rf"\1{HIDDEN}"),
    # postgres://user:…@host
    (
        re.compile(r"((?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,20}://[^\s/@:\"']*:)[^\s/\"']+@", re.IGNORECASE),
        rf"\1{HIDDEN}@",
    ),
    # What PostgreSQL keeps of a password, what webhooks are signed with, and tokens of Entra.
    (re.compile(r"SCRAM-SHA-256\$[^\s'\"]+|\bmd5[0-9a-f]{32}\b|\bwhsec_[A-Za-z0-9+/=]+"), HIDDEN),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), HIDDEN),
)
_IS_SECRET = re.compile(_NAME, re.IGNORECASE)
_NAMES_OF_DATABASES = {"databases", "exclude"}
"""Fields in which a text names a database, whatever it looks like."""


def hidden(text: str) -> str:
    """The text without what looks like a secret; what was hidden once stays as it is."""
    for _ in range(_PASSES):
        before = text
        for secret, instead in _SECRETS:
            text = secret.sub(instead, text)
        if text == before:
            break
    return text


_PASSES = 8
"""At most; what a secret leaves behind may look like one, and a second pass is seldom needed."""


def without_secrets(request: Json, known: frozenset[str]) -> Json:
    """A request as it may be kept: of what is no field of the contract only the name, of texts what `hidden` leaves."""
    return {
        name: (value if name in _NAMES_OF_DATABASES else _within(value)) if name in known else HIDDEN
        for name, value in request.items()
    }


def _within(value: Any) -> Any:
    match value:
        case str():
            return hidden(value)
        case list():
            return [_within(item) for item in value]
        case dict():
            return {name: HIDDEN if _IS_SECRET.fullmatch(name) else _within(one) for name, one in value.items()}
        case _:
            return value
