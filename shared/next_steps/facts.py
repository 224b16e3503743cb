"""What steps are computed from: the databases of a report, those that stand, and those that are missing."""

from collections.abc import Iterable

from shared.contracts.files import FileKind
from shared.contracts.progress import FileState
from shared.contracts.report import FileReport, Report


def databases(report: Report) -> list[FileReport]:
    """The database files."""
    return [one for one in report.files if one.file.kind is FileKind.DATABASE]


def standing(report: Report) -> list[FileReport]:
    """The databases that stand on the target."""
    return [one for one in databases(report) if one.file.state in {FileState.IMPORTED, FileState.WARNED}]


def missing(report: Report) -> list[FileReport]:
    """The files that were asked for and did not come to where they should be."""
    return [one for one in report.files if one.file.is_missing]


def final_name(one: FileReport) -> str:
    """The name that a database has, or would have, on the target."""
    return one.promotion.name if one.promotion else one.file.final_name or one.file.database


def name_of(one: FileReport) -> str:
    """What people call a file: the database's name, or what it is."""
    return one.file.database or f"the {one.file.kind} file"


def names(files: Iterable[FileReport]) -> tuple[str, ...]:
    """What people call the files."""
    return tuple(map(name_of, files))
