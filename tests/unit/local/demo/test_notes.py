"""The report's notes are found in every part of it, under the database that they are about."""

from local.demo.comparison import SERVER
from local.demo.notes import notes_of
from shared.contracts.files import FileKind
from shared.contracts.imports import Note, NoteKind, Notes, Promotion, ScriptRun
from shared.contracts.progress import FileProgress, FileState, Phase
from shared.contracts.report import FileReport, Report


def report(*files: FileReport) -> Report:
    return Report(
        request_id="INC-1",
        phase=Phase.COMPLETED,
        message="",
        request={},
        plan=None,
        backup_taken=None,
        container="",
        job="",
        phases=(),
        times=(),
        files=files,
        written_at="",
    )


def progress(kind: FileKind, database: str = "", final_name: str = "") -> FileProgress:
    return FileProgress(name="file", kind=kind, database=database, final_name=final_name, state=FileState.IMPORTED)


def test_a_databases_notes_are_under_the_name_that_it_got() -> None:
    note = Note(kind=NoteKind.SKIPPED, subject="EVENT TRIGGER audit", reason="superusers only")
    promotion = Promotion(name="shop_copy", oid=1, replaced=False, notes=Notes(items=(note,)))
    file = FileReport(file=progress(FileKind.DATABASE, "shop", "shop_copy"), promotion=promotion)

    assert notes_of(report(file)) == {"shop_copy": [note]}


def test_a_role_whose_password_the_backup_does_not_hold_has_a_note() -> None:
    run = ScriptRun(statements=1, seconds=0.1, without_password=("app",))
    found = notes_of(report(FileReport(file=progress(FileKind.ROLES), script=run)))

    assert [note.statement for note in found[SERVER]] == ["ALTER ROLE app PASSWORD"]
