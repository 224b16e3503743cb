"""The timer trigger: NCRONTAB schedules in UTC, whose status is kept, so that a missed run is made up for."""

import asyncio
import json
import logging
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from croniter import croniter

from local.host.config import ConfigError
from local.host.functions import Function
from local.host.invoker import INVOCATION_ERRORS
from local.host.protocol import Value
from local.host.receipts import Schedules
from local.host.triggers.services import TriggerServices

logger = logging.getLogger(__name__)

_INTERVAL = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})")
_LONGEST_SLEEP = 3600.0


class Schedule:
    """When a timer runs: five or six cron fields (seconds first), or a time span between runs."""

    def __init__(self, expression: str) -> None:
        interval = _INTERVAL.fullmatch(expression)
        self._interval: timedelta | None = None
        self._expression = expression
        if interval is not None:
            days, hours, minutes, seconds = (int(part or 0) for part in interval.groups())
            self._interval = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        elif not croniter.is_valid(expression, second_at_beginning=True):
            raise ConfigError(f"{expression!r} is no NCRONTAB expression and no time span")

    def next(self, after: datetime) -> datetime:
        """The first run after a time."""
        if self._interval is not None:
            return after + self._interval
        following: datetime = croniter(self._expression, after, second_at_beginning=True).get_next(datetime)
        return following


class TimerListener:
    """Runs one function by its schedule."""

    def __init__(self, function: Function, services: TriggerServices) -> None:
        options = function.trigger.options
        self._function = function
        self._invoker = services.invoker
        self._schedules = Schedules(services.database)
        self._runs_on_startup = bool(options.get("runOnStartup"))
        self._is_monitored = options.get("useMonitor") is not False
        try:
            self._schedule = Schedule(str(options["schedule"]))
        except ConfigError as error:
            raise ConfigError(f"function {function.name}: {error}") from None

    async def run(self) -> None:
        """Run by the schedule until cancelled; a run that is still going on when the next is due makes it wait."""
        due, is_past_due = self._first()
        while True:
            await _sleep_until(due)
            await self._call(due, is_past_due=is_past_due)
            # Noted after the run: one that a killed host did not finish is past due at the next start.
            now = datetime.now(UTC)
            due, is_past_due = self._schedule.next(max(due, now)), False
            self._note(last=now, following=due)

    def _first(self) -> tuple[datetime, bool]:
        """The first run since the host started, and whether it makes up for one that was missed."""
        now = datetime.now(UTC)
        status = self._schedules.status(self._function.name) if self._is_monitored else None
        if status is not None and datetime.fromisoformat(status["Next"]) <= now:
            return now, True
        due = now if self._runs_on_startup else self._schedule.next(now)
        if status is None:
            self._note(last=now, following=due)
        return due, False

    async def _call(self, due: datetime, *, is_past_due: bool) -> None:
        status = self._schedules.status(self._function.name) or _status(last=due, following=due)
        info = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": is_past_due}
        # What it raised is in the log; the next run is by the schedule.
        with suppress(*INVOCATION_ERRORS):
            await self._invoker.call(self._function, Value("json", json.dumps(info)))

    def _note(self, last: datetime, following: datetime) -> None:
        if self._is_monitored:
            self._schedules.put(self._function.name, _status(last, following))


def _status(last: datetime, following: datetime) -> dict[str, str]:
    """A schedule's status, by the names of the protocol."""
    now = datetime.now(UTC)
    return {"Last": last.isoformat(), "Next": following.isoformat(), "LastUpdated": now.isoformat()}


async def _sleep_until(due: datetime) -> None:
    """Sleep in pieces, so that a clock that is set meanwhile is noticed."""
    left = (due - datetime.now(UTC)).total_seconds()
    while left > 0:
        await asyncio.sleep(min(left, _LONGEST_SLEEP))
        left = (due - datetime.now(UTC)).total_seconds()
