"""Restored files, and what a landing container holds."""

from enum import StrEnum

from shared.contracts.base import Contract, Published


class FileKind(StrEnum):
    """What a restored file is."""

    DATABASE = "database"
    ROLES = "roles"
    SCHEMA = "schema"
    TABLESPACES = "tablespaces"
    MARKER = "marker"


class RestoredFile(Contract):
    """A blob of a known kind."""

    name: str
    kind: FileKind
    backup_name: str = ""
    """What stands in front of the kind in the name; empty for the marker, which belongs to its container."""
    database: str = ""
    size: int = 0
    etag: str = ""


class Marker(Published):
    """What the marker file says."""

    text: str
    taken_at: str
    """When the backup was taken, ISO and UTC; empty when the text tells no time."""


class Listing(Contract):
    """A landing container as it stands, for one file set."""

    container: str
    backup_name: str
    """The file set's name; empty while nothing of it has landed."""
    files: tuple[RestoredFile, ...]
    unknown: tuple[str, ...] = ()
    """Blobs that are none of ours: left alone and reported."""
    closed: bool
    """Whether nothing more will land."""

    def of(self, kind: FileKind) -> RestoredFile | None:
        """The file of a kind that a set has once."""
        return next((file for file in self.files if file.kind is kind), None)

    @property
    def databases(self) -> tuple[RestoredFile, ...]:
        """The database files."""
        return tuple(file for file in self.files if file.kind is FileKind.DATABASE)


class Reservation(Contract):
    """Who owns a landing container while the vault writes into it."""

    container: str
    request_id: str
    closed: bool = False
    """Set when the backup job has ended: what is not there now will not come."""
    imported: bool = True
    """Whether the files are imported as they land; else they only stay."""
    datasource: str = ""
    """The ARM id of the server whose backup lands, in lower case."""
    final: bool = False
    """Set when no other restore had reserved for the same datasource: until then it may be withdrawn."""
