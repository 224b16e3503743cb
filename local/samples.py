"""Samples of what an import leaves, for tests: each names what it is about, and the rest is as it mostly is."""

from typing import Any

from shared.contracts.imports import ArchiveFormat, ArchiveSummary, DatabaseLoad, LoadMethod, Note, Notes


def database_load(*notes: Note, size: int = 2_048, **known: Any) -> DatabaseLoad:
    """A database that was loaded; `size` is its archive's, in bytes, `known` are fields of it."""
    fields: dict[str, Any] = {
        "temporary_name": "t",
        "oid": 7,
        "method": LoadMethod.STAGED_PARALLEL,
        "method_reason": "there is room",
        "tool": "pg_restore 18.6",
        "jobs": 4,
        "seconds": 1.5,
        "archive": ArchiveSummary(format=ArchiveFormat.CUSTOM, size=size),
        "notes": Notes.bounded(notes),
    }
    return DatabaseLoad(**fields | known)
