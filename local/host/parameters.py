"""Binding expressions: `{name}` in the paths and queue names of outputs, filled with what the trigger knows."""

import json
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

_GUIDS, _TIMES = {"rand-guid", "sys.randguid"}, {"datetime", "sys.utcnow"}
BUILT_IN = _GUIDS | _TIMES
"""The expressions that need no trigger, in lower case."""

_EXPRESSION = re.compile(r"\{([^{}]+)\}")
_DEEPEST = 5


class MissingParameterError(Exception):
    """An expression has no value; the text names it."""


def members(content: bytes | str) -> dict[str, str]:
    """The members of a JSON object by name, those of objects within it by dotted name; of anything else nothing."""
    try:
        document = json.loads(content)
    except ValueError:
        return {}
    found: dict[str, str] = {}

    def note(prefix: str, value: object, depth: int) -> None:
        if isinstance(value, dict) and depth < _DEEPEST:
            for name, item in value.items():
                note(f"{prefix}.{name}" if prefix else name, item, depth + 1)
        elif prefix and isinstance(value, str | int | float):
            found[prefix] = value if isinstance(value, str) else json.dumps(value)

    note("", document, 0)
    return found


def expressions(template: str) -> list[str]:
    """The names that a template asks for."""
    return _EXPRESSION.findall(template)


def fill(template: str, parameters: Mapping[str, str]) -> str:
    """A template with its expressions replaced; names are compared without case.

    Raises:
        MissingParameterError: one has no value.
    """
    known = {name.lower(): value for name, value in parameters.items()}

    def value(match: re.Match[str]) -> str:
        name = match[1].lower()
        if name in _GUIDS:
            return str(uuid.uuid4())
        if name in _TIMES:
            return datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
        if name not in known:
            raise MissingParameterError(f"{match[0]} in {template!r} has no value; the trigger gives {sorted(known)}")
        return known[name]

    return _EXPRESSION.sub(value, template)
