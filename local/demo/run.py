"""The demo from start to end, and the environment that stays."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from local.demo.backup import take_backup
from local.demo.clock import Clock
from local.demo.comparison import Comparison, compare, snapshot
from local.demo.data import fill
from local.demo.invitation import invitation
from local.demo.notes import notes_of
from local.demo.outcome import Outcome
from local.demo.progress import showing
from local.demo.restore import follow, read_reports, request_for, send
from local.environment import Environment
from shared.contracts.report import Report
from shared.contracts.status import RestoreStatus

_RESTORE_SECONDS = 600


def run(directory: Path, console: Console) -> Outcome:
    """Start everything, fill, back up, restore, compare, stop everything."""
    clock = Clock(console)
    with _environment(directory, clock) as environment:
        request_id = _request_id()
        with clock.step("restore", f"put the message of ticket {request_id} on the queue and watch it"):
            send(environment, request_for(request_id))
            status = _watch(environment, request_id, console)
        report = _fetch_report(environment, status, directory)
        with clock.step("compare", "compare source and target"):
            comparison = _compare(environment, report)
        clock.say("stop everything")
    clock.say("done")
    phases = {time.phase.value: time.seconds for time in report.times}
    return Outcome(
        phase=status.phase,
        message=status.message,
        errors=status.errors,
        comparison=comparison,
        seconds={**clock.seconds, **phases},
        report=directory / "report.html",
    )


def stay(directory: Path, console: Console) -> None:
    """Start everything, fill, back up, say how to use it, and wait for a signal."""
    with _environment(directory, Clock(console)) as environment:
        console.print(invitation(environment, _request_id()), markup=False, highlight=False, soft_wrap=True)
        signal.pause()


@contextmanager
def _environment(directory: Path, clock: Clock) -> Iterator[Environment]:
    """The embedded Azure with data in its source and a backup in its vault."""
    with clock.step("start", "start Azurite, two PostgreSQL servers, the backup vault and the functions host"):
        environment = Environment.start(directory)
    with environment:
        with clock.step("fill", f"fill {environment.source.name}"):
            fill(environment.source)
        with clock.step("backup", f"back {environment.source.name} up into the vault"):
            take_backup(environment)
        yield environment


def _request_id() -> str:
    return f"INC-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def _watch(environment: Environment, request_id: str, console: Console) -> RestoreStatus:
    with showing(console) as show:
        for status in follow(environment, request_id, _RESTORE_SECONDS):
            show(status)
    return status


def _fetch_report(environment: Environment, status: RestoreStatus, directory: Path) -> Report:
    """Copy both forms of the report onto the disk."""
    reports = read_reports(environment, status)
    (directory / "report.html").write_bytes(reports["page"])
    (directory / "report.json").write_bytes(reports["json"])
    return Report.model_validate_json(reports["json"])


def _compare(environment: Environment, report: Report) -> Comparison:
    administrators = (environment.source.admin, environment.target.admin)
    source, target = (snapshot(server, administrators) for server in (environment.source, environment.target))
    return compare(source, target, notes_of(report))
