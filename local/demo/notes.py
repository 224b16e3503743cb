"""The notes of a restore's report, by the database that they are about."""

from collections import defaultdict
from collections.abc import Iterator

from local.demo.comparison import SERVER, NotesByDatabase
from shared.contracts.imports import Note, NoteKind
from shared.contracts.report import FileReport, Report


def notes_of(report: Report) -> NotesByDatabase:
    """Every note of the report; those of the scripts, of which roles are one, are about the server."""
    found: defaultdict[str, list[Note]] = defaultdict(list)
    for file in report.files:
        found[file.file.final_name or file.file.database or SERVER].extend(_notes(file))
    return found


def _notes(file: FileReport) -> Iterator[Note]:
    for part in (file.load, file.verification, file.promotion, file.script):
        if part is not None:
            yield from part.notes.items
    for role in file.script.without_password if file.script else ():
        yield Note(
            kind=NoteKind.SKIPPED,
            subject=f'role "{role}"',
            reason="the backup holds no passwords; the report names the roles that need one",
            statement=f"ALTER ROLE {role} PASSWORD",
        )
