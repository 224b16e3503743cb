"""Versions of orchestrations: the one that a new instance gets, and those that this app may run.

The rules are those of TaskOrchestrationDispatcher.cs and VersioningSettings.cs of the Durable Task Framework.
"""

import re
from dataclasses import dataclass

_NUMBERS = re.compile(r"\d+(\.\d+){1,3}")


@dataclass(frozen=True, slots=True)
class Versions:
    """The app's version and what it does with instances of others; `match` and `failure` as in host.json."""

    default: str | None = None
    match: str = "CurrentOrOlder"
    failure: str = "Reject"

    def accepts(self, version: str | None) -> bool:
        """Whether the app may run an instance of a version."""
        if self.match == "Strict":
            return (version or "") == (self.default or "")
        return self.match == "None" or not _is_newer(version, self.default)


UNVERSIONED = Versions()


def _is_newer(version: str | None, than: str | None) -> bool:
    if not version or not than:
        return bool(version) and not than
    if _NUMBERS.fullmatch(version) and _NUMBERS.fullmatch(than):
        return _numbers(version) > _numbers(than)
    return version.upper() > than.upper()


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
