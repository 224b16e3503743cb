"""Live progress: a line for what is new and nothing else, or a bar and a table."""

import io

from rich.console import Console

from local.demo.progress import changes, showing
from shared.contracts.files import FileKind
from shared.contracts.progress import FileState, Phase, PhaseEntry
from shared.contracts.status import FileStatus, JobStatus, RestoreStatus


def file(state: FileState, database: str = "bank", size: int = 2_000_000) -> FileStatus:
    return FileStatus(
        name=f"x_database_{database}.sql", kind=FileKind.DATABASE, database=database, size=size, state=state
    )


def status(*phases: Phase, job: str = "", files: tuple[FileStatus, ...] = (), progress: float = 0.0) -> RestoreStatus:
    return RestoreStatus(
        request_id="INC-1",
        phase=phases[-1],
        message="",
        started_at="",
        updated_at="",
        phases=tuple(PhaseEntry(phase=phase, at=f"2024-01-01T10:00:0{n}+00:00") for n, phase in enumerate(phases)),
        container="",
        job=JobStatus(id="571e", status=job) if job else None,
        files=files,
        progress=progress,
        report=None,
        errors=(),
    )


def test_the_first_look_tells_everything() -> None:
    now = status(Phase.ACCEPTED, Phase.RESTORING, job="InProgress", files=(file(FileState.LANDED),))

    assert changes(None, now) == [
        "10:00:00 Accepted",
        "10:00:01 Restoring",
        "  backup job 571e: InProgress",
        "  database bank (2.0 MB): landed",
    ]


def test_a_later_look_tells_what_is_new() -> None:
    before = status(Phase.ACCEPTED, job="InProgress", files=(file(FileState.LANDED), file(FileState.LANDED, "atlas")))
    now = status(
        Phase.ACCEPTED,
        Phase.IMPORTING,
        job="InProgress",
        files=(file(FileState.IMPORTING), file(FileState.LANDED, "atlas")),
    )

    assert changes(before, now) == ["10:00:01 Importing", "  database bank (2.0 MB): importing"]
    assert changes(now, now) == []


def test_where_there_is_no_terminal_each_change_is_one_line() -> None:
    console = Console(width=40, record=True, force_terminal=False, file=io.StringIO())
    with showing(console) as show:
        show(status(Phase.ACCEPTED))
        show(status(Phase.ACCEPTED))
        show(status(Phase.ACCEPTED, Phase.RESTORING, job="InProgress"))

    assert console.export_text().splitlines() == [
        "  10:00:00 Accepted",
        "  10:00:01 Restoring",
        "    backup job 571e: InProgress",
    ]


def test_on_a_terminal_phase_job_and_files_are_in_the_picture() -> None:
    console = Console(width=100, record=True, force_terminal=True, file=io.StringIO())
    with showing(console) as show:
        show(status(Phase.IMPORTING, job="Completed", files=(file(FileState.VERIFIED),), progress=0.9))

    text = console.export_text()
    assert "Importing   backup job 571e Completed" in text
    assert "database bank (2.0 MB)" in text
    assert "verified" in text
    assert "90%" in text
