"""The steps of the demo, announced as they begin and timed."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console


class Clock:
    """Announces steps and remembers how long each took, in seconds."""

    def __init__(self, console: Console) -> None:
        self.seconds: dict[str, float] = {}
        self._console = console
        self._start = monotonic()

    @contextmanager
    def step(self, name: str, what: str) -> Iterator[None]:
        """Announce a step, and time it."""
        self.say(what)
        began = monotonic()
        yield
        self.seconds[name] = monotonic() - began

    def say(self, what: str) -> None:
        """A line with the seconds since the start."""
        self._console.print(
            f"{monotonic() - self._start:6.1f} s  {what}", markup=False, highlight=False, soft_wrap=True
        )
