"""A restore under way: a live picture on a terminal, a line for each change elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, ConsoleRenderable, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from flexrestore.phases import WAITS_FOR_APPROVAL, style_of
from flexrestore.texts import plain, text
from flexrestore.times import clock as time_of_day
from flexrestore.times import lasting, shown
from flexrestore.trouble import Json
from flexrestore.views.files import by_interest, files_table, label
from flexrestore.views.loads import load_line, load_of, loads_view

type Show = Callable[[Json], None]


@contextmanager
def showing(console: Console, clock: Callable[[], float]) -> Iterator[Show]:
    """Something to show each status with, in the way that suits the console."""
    if console.is_terminal:
        picture = _Picture(clock)
        with Live(picture, console=console, transient=True) as live:

            def draw(status: Json) -> None:
                picture.status = status
                live.refresh()

            yield draw
    else:
        shown_so_far: list[Json] = []

        def show(status: Json) -> None:
            for line in changes(shown_so_far[-1] if shown_so_far else {}, status):
                console.print(plain(line), soft_wrap=True)
            shown_so_far[:] = [status]

        yield show


def changes(before: Json, now: Json) -> list[str]:
    """What is new in a status, in lines: phases, what they wait for, the job, files."""
    phases = now.get("phases") or []
    lines = [f"{time_of_day(one['at'])} {one['phase']}" for one in phases[len(before.get("phases") or []) :]]
    if now.get("message") and now["message"] != before.get("message"):
        lines.append(f"  {now['message']}")
    if (approval := _approval(now)) and approval != _approval(before):
        lines.append(f"  {approval}")
    if (job := now.get("job")) and job != before.get("job"):
        lines.append(f"  backup job {job['id']}: {job['status']}")
    known = {one["name"]: _stage(one) for one in before.get("files") or ()}
    return lines + [_line(one) for one in now.get("files") or () if known.get(one["name"]) != _stage(one)]


def _stage(file: Json) -> tuple[Any, ...]:
    """What of a file is worth a line of its own: its state, and while it is imported what its load is at."""
    return (file["state"], *([load_of(file).get("step")] if file["state"] == "importing" else []))


def _line(file: Json) -> str:
    load = load_line(load_of(file)) if file["state"] == "importing" and load_of(file) else ""
    said = file.get("reason") or load
    return f"  {label(file)}: {file['state']}" + (f" ({said})" if said else "")


def _approval(status: Json) -> str:
    """Who is waited for, and how to answer."""
    approval = status.get("approval")
    if status.get("phase") != WAITS_FOR_APPROVAL or not approval:
        return ""
    command = f"flexrestore approve {status.get('requestId')} --reason WHY"
    return f"waits for approval until {shown(approval.get('deadline'))}: {command}"


@dataclass
class _Picture:
    """What the live display draws, several times a second; the time that has passed is the sign of life."""

    clock: Callable[[], float]
    status: Json = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._spinner = Spinner("dots")
        self._start = self.clock()

    def __rich__(self) -> ConsoleRenderable:
        status, waited = self.status, lasting(self.clock() - self._start)
        phase = status.get("phase", "asking")
        job = status.get("job")
        head = Table.grid(padding=(0, 1))
        head.add_row(self._spinner, text(phase, style_of(phase)), text(status.get("requestId")), Text(waited, "dim"))
        bar = Table.grid(padding=(0, 2))
        share = float(status.get("progress") or 0)
        bar.add_row(ProgressBar(total=1.0, completed=share, width=50), f"{share:.0%}")
        lines = [text(status.get("message")), text(_approval(status), "yellow")]
        lines += [text(f"backup job {job['id']}: {job['status']}")] if job else []
        files = by_interest(status.get("files") or ())
        return Group(head, *(line for line in lines if line.plain), bar, *loads_view(files), files_table(files))
