"""The survey: what the request says about each file that has landed."""

from shared.contracts.files import FileKind, Listing, RestoredFile
from shared.contracts.importing import Survey
from shared.contracts.progress import FileProgress, FileState
from shared.contracts.request import RestoreRequest

SYSTEM_DATABASES = frozenset({"postgres", "template0", "template1", "azure_sys", "azure_maintenance"})
"""Databases that every flexible server has of its own; their files come with each restore."""

_SKIP_REASONS = {
    FileKind.ROLES: "the request skips roles",
    FileKind.SCHEMA: "it repeats what the database files hold; the request can ask for it (schema: import)",
    FileKind.TABLESPACES: "flexible servers have no tablespaces of their own; the request can ask for them "
    "(tablespaces: import)",
}


def survey(listing: Listing, request: RestoreRequest) -> Survey:
    """Each file with what will become of it; databases that the request names and that have not landed."""
    landed = {file.database for file in listing.databases}
    return Survey(
        files=tuple(_progress(file, request) for file in listing.files),
        sources={file.name: file for file in listing.files},
        unknown=listing.unknown,
        missing=tuple(name for name in request.named_databases if name not in landed),
        closed=listing.closed,
    )


def _progress(file: RestoredFile, request: RestoreRequest) -> FileProgress:
    final_name, reason = _fate(file, request)
    return FileProgress(
        name=file.name,
        kind=file.kind,
        database=file.database,
        final_name=final_name,
        size=file.size,
        state=FileState.SKIPPED if reason else FileState.LANDED,
        reason=reason,
    )


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
            return "", "" if wanted == "import" else _SKIP_REASONS[kind]


def _database_fate(database: str, request: RestoreRequest) -> tuple[str, str]:
    if database in SYSTEM_DATABASES:
        return "", "a system database: the target server has its own"
    final_name = request.final_name(database)
    return (final_name, "") if final_name is not None else ("", "the request does not ask for this database")
