"""The survey: what the request says about each file that has landed."""

from shared.contracts.files import FileKind, Listing, RestoredFile
from shared.contracts.importing import Survey, SurveyedFile
from shared.contracts.progress import FileState
from shared.contracts.request import RestoreRequest, name_obstacle
from shared.topology import SYSTEM_DATABASES

_SKIP_REASONS = {
    FileKind.ROLES: "the request asks for no roles",
    FileKind.SCHEMA: "it repeats what the database files hold; the request can ask for it (schema: import)",
    FileKind.TABLESPACES: "flexible servers have no tablespaces of their own; the request can ask for them "
    "(tablespaces: import)",
}


def survey(listing: Listing, request: RestoreRequest) -> Survey:
    """Each file with what will become of it; databases that the request names and that have not landed."""
    files = tuple(_surveyed(file, request) for file in listing.files)
    return Survey(
        files=files,
        unknown=listing.unknown,
        problems=(*_unmet(files, request), *_clashes(files)),
        closed=listing.closed,
    )


def _unmet(files: tuple[SurveyedFile, ...], request: RestoreRequest) -> list[str]:
    """What the request names and no file answers."""
    wanted = [file.database for file in files if file.final_name]
    unmet = [choice.name for choice in request.databases if not any(choice.selects(name) for name in wanted)]
    return [f"databases: {name} is not in the backup, or left out by the request itself" for name in unmet]


def _clashes(files: tuple[SurveyedFile, ...]) -> list[str]:
    """Final names that cannot be: given twice, or too long for PostgreSQL, which would cut them."""
    finals: dict[str, list[str]] = {}
    for file in files:
        if file.final_name:
            finals.setdefault(file.final_name, []).append(file.database)
    twice = [f"databases: {', '.join(names)} would all become {final}" for final, names in finals.items() if names[1:]]
    return [*twice, *(f"databases: {name}: {reason}" for name in finals if (reason := name_obstacle(name)))]


def _surveyed(file: RestoredFile, request: RestoreRequest) -> SurveyedFile:
    final_name, reason = _fate(file, request)
    state = FileState.SKIPPED if reason else FileState.LANDED
    return SurveyedFile(**dict(file), final_name=final_name, state=state, reason=reason)


def _fate(file: RestoredFile, request: RestoreRequest) -> tuple[str, str]:
    """The final name of a database, and why the file is skipped if it is."""
    match file.kind:
        case FileKind.MARKER:
            return "", "the marker tells when the backup was taken; it is read for the report"
        case FileKind.DATABASE:
            return _database_fate(file.database, request)
        case kind:
            wanted = {
                FileKind.ROLES: request.roles,
                FileKind.SCHEMA: request.schema_file,
                FileKind.TABLESPACES: request.tablespaces,
            }[kind]
            return "", _SKIP_REASONS[kind] if wanted in {"none", "skip"} else ""


def _database_fate(database: str, request: RestoreRequest) -> tuple[str, str]:
    if database in SYSTEM_DATABASES:
        return "", "a system database: the target server has its own"
    final_name = request.final_name(database)
    return (final_name, "") if final_name is not None else ("", "the request does not ask for this database")
