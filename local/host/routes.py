"""Route templates of HTTP functions, in ASP.NET's syntax: `orders/{id:int}/{part?}/{*rest}`."""

import re
from dataclasses import dataclass

from local.host.config import ConfigError

_PARAMETER = re.compile(r"\{(?P<all>\*?)(?P<name>[^:?}*]+)(?::(?P<constraint>[^?}]+))?(?P<optional>\??)\}")
_CONSTRAINTS = {
    "int": r"-?\d+",
    "long": r"-?\d+",
    "alpha": r"[A-Za-z]+",
    "bool": r"true|false",
    "guid": r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
}
_LITERAL, _CONSTRAINED, _FREE, _REST = range(4)


@dataclass(frozen=True, slots=True)
class Route:
    """A compiled template. The smaller `rank` is tried first: literals before parameters, as ASP.NET does."""

    template: str
    rank: tuple[int, ...]
    pattern: re.Pattern[str]
    names: tuple[str, ...]

    @classmethod
    def compile(cls, template: str) -> "Route":
        """Read a template.

        Raises:
            ConfigError: it uses a constraint that is not supported.
        """
        text, rank, names = "", [], []
        for segment in template.strip("/").split("/"):
            parameter = _PARAMETER.fullmatch(segment)
            if parameter is None:
                pieces = _PARAMETER.split(segment)
                if len(pieces) > 1:
                    raise ConfigError(f"the route {template!r} mixes text and a parameter in one segment")
                text += "/" + re.escape(segment)
                rank.append(_LITERAL)
                continue
            names.append(parameter["name"])
            pattern, weight = _segment(template, parameter)
            rank.append(weight)
            text += f"(?:/({pattern}))?" if parameter["optional"] or parameter["all"] else f"/({pattern})"
        return cls(template, tuple(rank), re.compile(text, re.IGNORECASE), tuple(names))

    def match(self, path: str) -> dict[str, str] | None:
        """The route's parameters for a path that starts with a slash, or None when it does not fit."""
        match = self.pattern.fullmatch(path.rstrip("/"))
        if match is None:
            return None
        return {name: value for name, value in zip(self.names, match.groups(), strict=True) if value is not None}


def _segment(template: str, parameter: re.Match[str]) -> tuple[str, int]:
    if parameter["all"]:
        return ".*", _REST
    constraint = parameter["constraint"]
    if constraint is None:
        return "[^/]+", _FREE
    if constraint not in _CONSTRAINTS:
        raise ConfigError(f"the route {template!r} uses the constraint {constraint!r}, which is not supported")
    return _CONSTRAINTS[constraint], _CONSTRAINED
