"""The live progress of a restore: a bar and a table on a terminal, a line for each change elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from shared.contracts.progress import FileProgress
from shared.contracts.status import RestoreStatus

type Show = Callable[[RestoreStatus], None]


@contextmanager
def showing(console: Console) -> Iterator[Show]:
    """Something to show each status with, in the way that suits the console."""
    if console.is_terminal:
        with Live(console=console) as live:
            yield lambda status: live.update(_picture(status))
    else:
        shown: list[RestoreStatus] = []

        def show(status: RestoreStatus) -> None:
            for line in changes(shown[-1] if shown else None, status):
                console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
            shown[:] = [status]

        yield show


def changes(before: RestoreStatus | None, now: RestoreStatus) -> list[str]:
    """What is new in a status, in lines: phases, the job, files."""
    phases = len(before.phases) if before else 0
    lines = [f"{entry.at[11:19]} {entry.phase}" for entry in now.phases[phases:]]
    if now.job is not None and (before is None or before.job != now.job):
        lines.append(f"  backup job {now.job.id}: {now.job.status}")
    known = {file.name: file.state for file in before.files} if before else {}
    lines += [f"  {label(file)}: {file.state}" for file in now.files if known.get(file.name) != file.state]
    return lines


def label(file: FileProgress) -> str:
    """The file for people: its database, or what it is, and its size."""
    return f"{file.kind} {file.database}".strip() + f" ({file.size / 1e6:.1f} MB)"


def _picture(status: RestoreStatus) -> Group:
    job = f"   backup job {status.job.id[:8]} {status.job.status}" if status.job else ""
    bar = Table.grid(padding=(0, 2))
    bar.add_row(ProgressBar(total=1.0, completed=status.progress, width=60), f"{status.progress:.0%}")
    files = Table(box=None, show_header=False, padding=(0, 2))
    for file in status.files:
        files.add_row(escape(label(file)), file.state.value)
    return Group(Text(f"{status.phase}{job}   {status.message}"), bar, files)
