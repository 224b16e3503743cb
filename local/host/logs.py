"""The log: which categories there are, and from which level on each is shown.

Workers use this too, so it imports nothing of the host's.
"""

import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass

TRACE = 5
LEVELS = {
    "trace": TRACE,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 1,
}
"""The levels of host.json as Python's logging numbers them."""

WORKER = "Worker"
"""The category of what a worker says outside of an invocation."""

_DEFAULT = "default"
_HOST = "local.host."
_DURABLE = "Host.Triggers.DurableTask"
_CATEGORIES = {
    "__main__": "Host.Startup",
    "local.host.assembly": "Host.Startup",
    "local.host.host": "Host.Startup",
    "local.host.pool": "Host.Workers",
    "local.host.engine": _DURABLE,
    "local.host.instances": _DURABLE,
    "local.host.management": _DURABLE,
    "local.host.turns": _DURABLE,
}


@dataclass(frozen=True, slots=True)
class LogLevels:
    """`logging.logLevel` of host.json: levels by the beginning of a category, in lower case, and `default`."""

    rules: Mapping[str, int]

    @property
    def lowest(self) -> int:
        """The level below which nothing is shown, whatever its category."""
        return min(self.rules.get(_DEFAULT, logging.INFO), *self.rules.values(), logging.CRITICAL)

    def of(self, category: str) -> int:
        """The level from which on a category is shown: the longest beginning that fits decides, as in .NET."""
        fitting = [rule for rule in self.rules if rule != _DEFAULT and _fits(rule, category.lower())]
        return self.rules.get(max(fitting, key=len, default=_DEFAULT), logging.INFO)

    def encode(self) -> str:
        """As the command line of a worker holds it."""
        return json.dumps(dict(self.rules))

    @classmethod
    def decode(cls, text: str) -> "LogLevels":
        """What `encode` made."""
        return cls(json.loads(text))


class CategoryFilter(logging.Filter):
    """Names each record's category, and lets pass what its level allows."""

    def __init__(self, levels: LogLevels) -> None:
        super().__init__()
        self._levels = levels
        self._known: dict[str, tuple[str, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is shown."""
        if record.name not in self._known:
            category = category_of(record.name)
            self._known[record.name] = category, self._levels.of(category)
        vars(record)["category"], level = self._known[record.name]
        return record.levelno >= level


def category_of(logger: str) -> str:
    """The category of a logger of the host's: by a table, or by the module's name; others are categories already."""
    if logger in _CATEGORIES:
        return _CATEGORIES[logger]
    if not logger.startswith(_HOST):
        return logger
    return "Host." + ".".join(part.title() for part in logger.removeprefix(_HOST).split("."))


def function_category(function: str) -> str:
    """The category of what the host says of a function's invocations."""
    return f"Function.{function}"


def user_category(function: str) -> str:
    """The category of what a function itself logs."""
    return f"Function.{function}.User"


def configure(levels: LogLevels) -> None:
    """Make standard error the log of this process."""
    # What no format here shows; gathered for every record, it would double what a record costs.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.logAsyncioTasks = False  # type: ignore[attr-defined]  # typeshed does not know it
    logging.addLevelName(TRACE, "TRACE")
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(CategoryFilter(levels))
    form = "%(asctime)s %(levelname)s %(category)s %(message)s"
    logging.basicConfig(level=levels.lowest, handlers=[handler], format=form, force=True)
    logging.getLogger("azure").setLevel(max(levels.lowest, logging.WARNING))


def _fits(rule: str, category: str) -> bool:
    beginning, _, end = rule.partition("*")
    return category.startswith(beginning) and category.endswith(end)
