"""The timer trigger: schedules in UTC, whose status is kept, so that a missed run is made up for."""

import asyncio
import json
import logging
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from local.host.config import ConfigError
from local.host.functions import Function
from local.host.invoker import INVOCATION_ERRORS
from local.host.ncrontab import Crontab
from local.host.protocol import Value
from local.host.receipts import Schedules
from local.host.triggers.services import TriggerServices

logger = logging.getLogger(__name__)

_INTERVAL = re.compile(r"(?:(\d+)\.)?(\d{1,2}):([0-5]\d)(?::([0-5]\d))?")
_LONGEST_SLEEP = 3600.0
_MINUTE = timedelta(minutes=1)
_NEVER = datetime(1, 1, 1, tzinfo=UTC).isoformat()


class Schedule:
    """When a timer runs: an NCRONTAB expression, or a time span between runs."""

    def __init__(self, expression: str) -> None:
        match = _INTERVAL.fullmatch(expression)
        self._interval: timedelta | None = None
        if match is not None:
            days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
            if hours >= 24:  # .NET then reads days, hours and minutes
                days, hours, minutes, seconds = hours, minutes, seconds, 0
            self._interval = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
            if not self._interval:
                raise ConfigError(f"the schedule {expression!r} is no time at all")
            return
        try:
            self._crontab = Crontab(expression)
        except ValueError as error:
            raise ConfigError(f"{expression!r} is no NCRONTAB expression and no time span: {error}") from None

    @property
    def is_below_a_minute(self) -> bool:
        """Whether it runs more often than each minute. Azure keeps no status of such a schedule."""
        return self._crontab.is_below_a_minute if self._interval is None else self._interval < _MINUTE

    def next(self, after: datetime) -> datetime:
        """The first run after a time."""
        return self._crontab.next(after) if self._interval is None else after + self._interval


@dataclass(frozen=True, slots=True)
class _Status:
    """When a timer ran last and is to run next, by the names of the protocol, as ISO 8601 texts."""

    Last: str
    Next: str
    LastUpdated: str


class TimerListener:
    """Runs one function by its schedule.

    The status is kept and compared as TimerListener.cs and ScheduleMonitor.cs of the timer extension do.
    """

    def __init__(self, function: Function, services: TriggerServices) -> None:
        options = function.trigger.options
        self._function = function
        self._invoker = services.invoker
        self._schedules = Schedules(services.database)
        self._runs_on_startup = bool(options.get("runOnStartup"))
        try:
            self._schedule = Schedule(str(options["schedule"]))
        except ConfigError as error:
            raise ConfigError(f"function {function.name}: {error}") from None
        self._is_monitored = options.get("useMonitor") is not False and not self._schedule.is_below_a_minute

    async def run(self) -> None:
        """Run by the schedule until cancelled; a run that is still going on when the next is due makes it wait."""
        status = self._first(datetime.now(UTC))
        following = datetime.fromisoformat(status.Next)
        is_past_due = following < datetime.now(UTC)
        is_extra = is_past_due or self._runs_on_startup
        while True:
            if not is_extra:
                await _sleep_until(following)
            began = datetime.now(UTC)
            await self._call(status, is_past_due=is_past_due)
            # Noted after the run: one that a killed host did not finish is past due at the next start.
            last = began if is_extra else max(began, following)
            following = self._schedule.next(last)
            status = self._note(_Status(last.isoformat(), following.isoformat(), last.isoformat()))
            is_past_due = is_extra = False

    def _first(self, now: datetime) -> _Status:
        """The status to begin with: the one of the last time, unless the schedule has changed since."""
        kept = self._schedules.status(self._function.name) if self._is_monitored else None
        if kept is None:
            return self._note(_Status(_NEVER, self._schedule.next(now).isoformat(), now.isoformat()))
        status = _Status(**kept)
        since = datetime.fromisoformat(status.LastUpdated if status.Last == _NEVER else status.Last)
        expected = self._schedule.next(since)
        if datetime.fromisoformat(status.Next) == expected:
            return status
        if expected < now:
            since, expected = now, self._schedule.next(now)
        return self._note(_Status(_NEVER, expected.isoformat(), since.isoformat()))

    async def _call(self, status: _Status, *, is_past_due: bool) -> None:
        info = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": asdict(status) if self._is_monitored else None,
            "IsPastDue": is_past_due,
        }
        # What it raised is in the log; the next run is by the schedule.
        with suppress(*INVOCATION_ERRORS):
            await self._invoker.call(self._function, Value("json", json.dumps(info)))

    def _note(self, status: _Status) -> _Status:
        if self._is_monitored:
            self._schedules.put(self._function.name, asdict(status))
        return status


async def _sleep_until(due: datetime) -> None:
    """Sleep in pieces, so that a clock that is set meanwhile is noticed."""
    left = (due - datetime.now(UTC)).total_seconds()
    while left > 0:
        await asyncio.sleep(min(left, _LONGEST_SLEEP))
        left = (due - datetime.now(UTC)).total_seconds()
