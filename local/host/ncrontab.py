"""NCRONTAB expressions, as the library NCrontab of the timer trigger reads them: seconds first, or without seconds.

Unlike cron, a day has to fit both of its fields; a range that is the wrong way round is turned, so that FRI-MON is
Monday to Friday; and a name may be cut short. There is no Sunday 7, no `?`, `L` or `#`, and no nickname like @daily.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

_MONTHS = "January February March April May June July August September October November December"
_DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday"
# The 29th of February is on a given weekday once in 40 years at the latest.
_HORIZON = timedelta(days=41 * 366)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: Sequence[str] = ()

    def read(self, text: str) -> frozenset[int]:
        """The values that a field's text means.

        Raises:
            ValueError: it means none; the text says which part.
        """
        return frozenset(value for part in text.split(",") for value in self._part(part))

    def _part(self, text: str) -> range:
        span, slash, step_text = text.partition("/")
        if slash and not step_text.isdecimal():
            raise ValueError(f"{text!r} has no number of steps")
        step = max(int(step_text), 1) if slash else 1
        first_text, dash, last_text = span.partition("-")
        if span == "*":
            first, last = self.low, self.high
        elif dash:
            first, last = sorted((self._value(first_text), self._value(last_text)))
        else:
            first = self._value(span)
            last = self.high if step > 1 else first
        return range(first, last + 1, step)

    def _value(self, text: str) -> int:
        value = int(text) if text.isdecimal() else self._named(text)
        if not self.low <= value <= self.high:
            raise ValueError(f"{text} is not from {self.low} to {self.high}, as a {self.name} is")
        return value

    def _named(self, text: str) -> int:
        for i, name in enumerate(self.names):
            if text and name.lower().startswith(text.lower()):
                return i + self.low
        raise ValueError(f"{text!r} is no {self.name}")


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS.split()),
    _Field("weekday", 0, 6, _DAYS.split()),
)


class Crontab:
    """A schedule by an expression of five or six fields."""

    def __init__(self, expression: str) -> None:
        """Read an expression.

        Raises:
            ValueError: it is none, or never comes; the text says why.
        """
        fields = expression.split()
        if len(fields) not in {5, 6}:
            raise ValueError(f"it has {len(fields)} fields, not 5 or 6")
        values = [field.read(text) for field, text in zip(_FIELDS, ["0", *fields][-6:], strict=True)]
        self._seconds, self._minutes, self._hours = (sorted(part) for part in values[:3])
        self._days, self._months, self._weekdays = values[3:]
        self.is_below_a_minute = len(self._seconds) > 1 and set(fields[-5:]) == {"*"}
        self.next(datetime(2000, 1, 1))  # noqa: DTZ001 - any time will do

    def next(self, after: datetime) -> datetime:
        """The first time after a time, in its time zone.

        Raises:
            ValueError: there is none.
        """
        start = after.replace(microsecond=0) + timedelta(seconds=1)
        day, from_time = start.replace(hour=0, minute=0, second=0), (start.hour, start.minute, start.second)
        while day < start + _HORIZON:
            if self._fits(day) and (time := self._time(from_time)) is not None:
                return day.replace(hour=time[0], minute=time[1], second=time[2])
            day, from_time = day + timedelta(days=1), (0, 0, 0)
        raise ValueError("it names a day that never comes")

    def _fits(self, day: datetime) -> bool:
        return day.month in self._months and day.day in self._days and day.isoweekday() % 7 in self._weekdays

    def _time(self, start: tuple[int, int, int]) -> tuple[int, int, int] | None:
        """The first time of a day from a time on."""
        times = (
            (hour, minute, second)
            for hour in self._hours
            if hour >= start[0]
            for minute in self._minutes
            if (hour, minute) >= start[:2]
            for second in self._seconds
            if (hour, minute, second) >= start
        )
        return next(times, None)
