"""Metrics: every instrument there is, and what is measured with them.

What a restore is counted by, is counted where a record of it is first written, so that no repeated activity counts
twice; a worker that dies before it has delivered takes the last seconds' counts with it.
"""

from datetime import datetime
from itertools import pairwise

from shared.contracts.imports import DatabaseLoad, Verification
from shared.contracts.progress import RestoreProgress
from shared.contracts.status import About
from shared.errors import Misconfigured
from shared.settings import settings
from shared.telemetry import delivery
from shared.telemetry.records import Instrument, Measurement

_WORK = (0.01, 0.1, 1, 10, 60, 600, 3_600, 14_400)
_WAITING = (1, 10, 60, 300, 900, 3_600, 14_400, 43_200, 86_400)


RESTORES = Instrument("flexrestore.restores", "{restore}", "Restores that have ended, by terminal phase and target.")
PHASE_SECONDS = Instrument("flexrestore.phase.duration", "s", "How long phases took.", _WAITING)
BYTES = Instrument("flexrestore.import.bytes", "By", "Bytes of the files of databases that were put into place.")
ROWS = Instrument("flexrestore.import.rows", "{row}", "Rows of databases that were put into place.")
QUEUE_AGE = Instrument("flexrestore.request.queued", "s", "From a message's insertion until it was handled.", _WAITING)
ACTIVITY_SECONDS = Instrument("flexrestore.activity.duration", "s", "Each execution of each activity.", _WORK)
INSTRUMENTS = (RESTORES, PHASE_SECONDS, BYTES, ROWS, QUEUE_AGE, ACTIVITY_SECONDS)


def add(instrument: Instrument, value: float, **attributes: str | bool) -> None:
    """Count, or measure."""
    told = {f"flexrestore.{name}": text for name, text in attributes.items()}
    delivery.send(Measurement(instrument, value, told))


def count_phases(about: About, progress: RestoreProgress, before: int) -> None:
    """Count what has ended since the register knew of so many phases."""
    target = _target(about.target)
    times = [datetime.fromisoformat(entry.at) for entry in progress.phases]
    for number, (since, until) in enumerate(pairwise(times), start=1):
        if number >= before:
            phase = progress.phases[number - 1].phase
            add(PHASE_SECONDS, (until - since).total_seconds(), phase=str(phase), target=target)
    if progress.phase.is_terminal and before < len(times):
        add(RESTORES, 1, phase=str(progress.phase), target=target, dry_run=about.dry_run)


def count_database(target: str, load: DatabaseLoad, verification: Verification | None) -> None:
    """Count a database that was put into place."""
    add(BYTES, load.archive.size, target=_target(target))
    add(ROWS, verification.rows if verification else 0, target=_target(target))


def _target(alias: str) -> str:
    """The alias, where the operator has configured it: a request may say anything, and each word would be a series."""
    try:
        return alias if alias in settings().targets else "unknown"
    except Misconfigured:
        return "unknown"
