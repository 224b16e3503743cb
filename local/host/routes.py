"""Route templates of HTTP functions, in ASP.NET's syntax: `orders/{id:int:min(1)}/{part?}/{*rest}`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from local.host.config import ConfigError

_PARAMETER = re.compile(r"\{(?P<all>\*{0,2})(?P<name>[^:?*={}/]+)(?P<constraints>(?::.+?)?)(?P<optional>\??)\}")
_CONSTRAINT = re.compile(r":(\w+)(?:\((.*?)\))?(?=:|$)")
# In a template a brace that is none of its own is doubled, as in `{code:regex(^\d{{3}}$)}`.
_DOUBLED = {"{{": "\ue000", "}}": "\ue001"}
_GUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}"
_LITERAL, _REST, _END = -100, 1, 2
_INT, _LONG = 31, 63

Check = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a route: its value has to pass all checks."""

    name: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """A compiled template.

    The smaller `rank` is tried first: literals before parameters, parameters with more constraints before others, and
    longer routes before shorter ones, as WebJobsRouteBuilder.cs of the HTTP extension sorts them.
    """

    template: str
    rank: tuple[int, ...]
    pattern: re.Pattern[str]
    parameters: tuple[Parameter, ...]

    @classmethod
    def compile(cls, template: str) -> "Route":
        """Read a template; a slash or `~/` at its beginning is as if left out.

        Raises:
            ConfigError: it is none, or it uses what is not supported; the text says what.
        """
        template = re.sub("^~?/", "", template)
        if template.startswith("/") or "//" in template:
            raise ConfigError(
                f"the route {template!r} has two slashes in a row: let the function's route begin without one, "
                'or set extensions.http.routePrefix in host.json to ""'
            )
        text, rank, parameters = "", [], []
        masked = re.sub(r"\{\{|\}\}", lambda match: _DOUBLED[match.group()], template)
        for segment in _segments(masked.rstrip("/")):
            match = _PARAMETER.fullmatch(segment)
            if match is None:
                if "{" in segment or "}" in segment:
                    raise ConfigError(f"the route {template!r} has the segment {segment!r}, which is not supported")
                text += "/" + re.escape(_unmasked(segment))
                rank.append(_LITERAL)
                continue
            checks = _checks(template, match["constraints"])
            parameters.append(Parameter(match["name"], checks))
            rank.append(_REST if match["all"] else -len(checks))
            value = ".*" if match["all"] else "[^/]+"
            text += f"(?:/({value}))?" if match["optional"] or match["all"] else f"/({value})"
        return cls(template, (*rank, _END), re.compile(text, re.IGNORECASE | re.DOTALL), tuple(parameters))

    def match(self, path: str) -> dict[str, str] | None:
        """The route's parameters for a path that starts with a slash, or None when it does not fit."""
        match = self.pattern.fullmatch(path.rstrip("/"))
        if match is None:
            return None
        given = [pair for pair in zip(self.parameters, match.groups(), strict=True) if pair[1]]
        if not all(check(value) for parameter, value in given for check in parameter.checks):
            return None
        return {parameter.name: value for parameter, value in given}


def _segments(template: str) -> list[str]:
    """The parts between slashes; a slash within braces divides nothing."""
    return re.findall(r"(?:\{[^{}]*\}|[^/])+", template)


def _unmasked(text: str) -> str:
    for doubled, mask in _DOUBLED.items():
        text = text.replace(mask, doubled[0])
    return text


def _checks(template: str, text: str) -> tuple[Check, ...]:
    found = list(_CONSTRAINT.finditer(text))
    if "".join(match.group() for match in found) != text:
        raise ConfigError(f"the route {template!r} has the constraints {text!r}, which cannot be read")
    return tuple(_check(template, match[1], _unmasked(match[2]) if match[2] is not None else None) for match in found)


def _check(template: str, name: str, argument: str | None) -> Check:
    """The check of one constraint."""
    try:
        if name == "regex" and argument is not None:
            return partial(_finds, re.compile(argument, re.IGNORECASE))
        numbers = [int(part) for part in (argument or "").split(",") if part.strip()]
        return _CONSTRAINTS[name, len(numbers)](*numbers)
    except re.error as error:
        raise ConfigError(f"the route {template!r} has a regular expression that cannot be read: {error}") from None
    except (KeyError, ValueError):
        shown = name if argument is None else f"{name}({argument})"
        raise ConfigError(f"the route {template!r} uses the constraint {shown!r}, which is not supported") from None


def _finds(pattern: re.Pattern[str], value: str) -> bool:
    return pattern.search(value) is not None


def _is(pattern: str) -> Callable[[], Check]:
    return lambda: lambda value: re.fullmatch(pattern, value, re.IGNORECASE) is not None


def _whole(bits: int) -> Callable[[], Check]:
    return lambda: partial(_between, -(1 << bits), (1 << bits) - 1)


def _between(low: int, high: int, value: str) -> bool:
    return re.fullmatch(r"[+-]?\d+", value, re.ASCII) is not None and low <= int(value) <= high


def _long(low: int, high: int, value: str) -> bool:
    return low <= len(value) <= high


def _is_time(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


_NUMBER = _is(r"[+-]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[+-]?\d+)?")
_LIMIT = 1 << _LONG

# By name and number of arguments, as the classes in Microsoft.AspNetCore.Routing.Constraints.
_CONSTRAINTS: dict[tuple[str, int], Callable[..., Check]] = {
    ("int", 0): _whole(_INT),
    ("long", 0): _whole(_LONG),
    ("min", 1): lambda low: partial(_between, low, _LIMIT),
    ("max", 1): lambda high: partial(_between, -_LIMIT, high),
    ("range", 2): lambda low, high: partial(_between, low, high),
    ("minlength", 1): lambda low: partial(_long, low, _LIMIT),
    ("maxlength", 1): lambda high: partial(_long, 0, high),
    ("length", 1): lambda size: partial(_long, size, size),
    ("length", 2): lambda low, high: partial(_long, low, high),
    ("decimal", 0): _is(r"[+-]?(?:\d[\d,]*\.?\d*|\.\d+)"),
    ("float", 0): _NUMBER,
    ("double", 0): _NUMBER,
    ("alpha", 0): _is(r"[a-z]*"),
    ("bool", 0): _is(r"true|false"),
    ("guid", 0): _is(_GUID),
    ("datetime", 0): lambda: _is_time,
    ("required", 0): _is(r".+"),
}
