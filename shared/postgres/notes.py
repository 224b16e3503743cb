"""Notes and other texts for people, made of what files from outside hold."""

from shared.contracts.imports import Note, NoteKind
from shared.redaction import hidden


def readable(text: str) -> str:
    r"""The text as valid Unicode: a byte of the file that was not UTF-8, a lone surrogate here, is written `\udce9`.

    JSON holds no lone surrogates, so that an answer with one would never arrive.
    """
    return text.encode("utf-8", "backslashreplace").decode()


def make_note(*, kind: NoteKind, subject: str, reason: str, statement: str = "", matters: bool = True) -> Note:
    """A note, whatever the bytes in the names and statements that it mentions."""
    return Note(
        kind=kind,
        subject=readable(subject),
        reason=hidden(readable(reason)),
        statement=hidden(readable(statement)),
        matters=matters,
    )
