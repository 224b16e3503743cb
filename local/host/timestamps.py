"""Timestamps of histories, read fast.

azure-functions-durable 1.7 reads every timestamp of a history again on each turn, and dateutil, which it asks, needs
more time for that than the rest of a turn takes. Timestamps as this host writes them are read here; all others go to
dateutil as before. The results are the same, down to the class of the time zone.
"""

import sys
from collections.abc import Callable
from datetime import datetime

_READER = "azure.durable_functions.models.history.HistoryEvent"
_LENGTH = len("2024-01-01T00:00:00.000000Z")


def hasten() -> None:
    """Let the durable SDK of this process, when the app has imported it, read timestamps as described above."""
    module = sys.modules.get(_READER)
    if module is not None:
        module.dt_parse = _reader(module.dt_parse)  # type: ignore[attr-defined]


def _reader(parse: Callable[[str], datetime]) -> Callable[[str], datetime]:
    zone = parse("2024-01-01T00:00:00.000000Z").tzinfo  # dateutil's choice depends on the time zone of the machine

    def read(text: str) -> datetime:
        if len(text) == _LENGTH and text[-1] == "Z":
            return datetime.fromisoformat(text[:-1]).replace(tzinfo=zone)
        return parse(text)

    return read
