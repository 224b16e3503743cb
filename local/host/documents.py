"""JSON files as the Functions host and Core Tools read them: with comments, trailing commas and a byte order mark."""

import json
import re
from pathlib import Path
from typing import Any

_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_COMMA = re.compile(r'"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])')


def read_document(path: Path) -> Any:
    """What a file holds; a number with a fraction stays the text that it is.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no such file.
        ValueError: it is not JSON; the text says where.
    """
    text = path.read_text("utf-8-sig")
    for noise in (_COMMENT, _COMMA):
        text = noise.sub(_blank_unless_string, text)
    return json.loads(text, parse_float=str)


def member(document: dict[str, Any], name: str) -> Any:
    """A key's value, or None; keys are compared without case."""
    return document.get(spelling(document, name))


def spelling(document: dict[str, Any], name: str) -> str:
    """A key as the document spells it, or as given when it is not there; of two that differ by case the later."""
    return next((key for key in reversed(document) if key.lower() == name.lower()), name)


def _blank_unless_string(match: re.Match[str]) -> str:
    """Blanks in place of noise, so that lines and columns in an error are those of the file."""
    text = match.group()
    return text if text.startswith('"') else re.sub(r"[^\n]", " ", text)
