"""What an import does and answers: roles, one database, one plain script."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from pydantic import Field

from shared.contracts.base import Published
from shared.errors import cut

NOTES_LIMIT = 1_000
"""Notes of one file that its record and the report hold; none of them is in a history."""


class NoteKind(StrEnum):
    """How a statement or an archive entry fared that was not simply run."""

    SKIPPED = "skipped"  #: not run, on purpose
    CHANGED = "changed"  #: run in another form
    TOLERATED = "tolerated"  #: run, failed, known to be harmless
    FAILED = "failed"  #: run, failed, and that fails the file


class Note(Published):
    """One statement or archive entry that the report must mention."""

    kind: NoteKind
    subject: str
    """The archive entry or the object, for people: `EXTENSION vector`, `role "app"`."""
    reason: str
    """Why, in words; the server's own message where there is one."""
    statement: str = ""
    """The SQL, cut."""
    matters: bool = True
    """Whether something of the source is missing or different on the target because of it; what an Azure server brings
    along itself, and what existed before, does not matter."""


class Notes(Published):
    """A bounded list of notes: what fits a record and the report; all of them are in the file's log."""

    items: tuple[Note, ...] = ()
    left_out: int = 0
    """How many more there were."""

    @classmethod
    def bounded(cls, notes: Iterable[Note]) -> Self:
        """The notes, those that matter first; beyond a history's measure they are only counted."""
        ordered = sorted(notes, key=lambda note: not note.matters)
        items = tuple(note.model_copy(update={"statement": cut(note.statement, 600)}) for note in ordered[:NOTES_LIMIT])
        return cls(items=items, left_out=len(ordered) - len(items))


class LoadMethod(StrEnum):
    """How an archive became a database."""

    STAGED_PARALLEL = "staged-parallel"  #: downloaded, then pg_restore -j
    SLICED = "sliced"  #: in slices from the blob, each into a pg_restore of its own, several at once
    STREAMED = "streamed"  #: from the blob into pg_restore's stdin
    DEFINITIONS = "definitions"  #: the table of contents alone, downloaded: no rows are wanted
    SCRIPT = "script"  #: plain SQL, from the blob into psql's stdin


class ArchiveFormat(StrEnum):
    """What a database file is, told by its first bytes."""

    CUSTOM = "custom"
    TAR = "tar"
    PLAIN = "plain"


class ArchiveSummary(Published):
    """What a database file says of itself without a server."""

    format: ArchiveFormat
    size: int
    """Bytes."""
    dumped_from: str = ""
    """Server version, as the archive has it; empty for plain SQL without a header."""
    dumped_by: str = ""
    """pg_dump version."""
    archive_version: str = ""
    """Version of the archive format: `1.16`."""
    entries: int = 0
    """Entries of the table of contents."""
    extensions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    """Owners that the table of contents names."""


class DatabaseLoad(Published):
    """A database under its temporary name, loaded and not yet verified."""

    temporary_name: str
    oid: int
    method: LoadMethod
    method_reason: str
    """Why this method, in words: `local disk has 3.1 GB free, the file needs 218 MB`."""
    tool: str
    """The program that loaded it, its version, and how it was found."""
    jobs: int = Field(ge=1)
    seconds: float
    archive: ArchiveSummary
    file_version: str = ""
    """The blob's etag: a file that was written again is loaded again."""
    absent: tuple[int, ...] = ()
    """Entries of the table of contents, by dump id, whose failure was tolerated: nobody needs to look for them."""
    notes: Notes = Notes()


class Promotion(Published):
    """A loaded database under its final name."""

    name: str
    oid: int
    replaced: bool
    """Whether a database of that name was there before and is gone now."""
    skipped: bool = False
    """Whether a database of that name was there before and was kept; the loaded one is gone then."""
    notes: Notes = Notes()


class CheckResult(Published):
    """A query of the operator's and what the loaded database answered."""

    name: str
    ok: bool
    """Whether the answer was true."""
    answer: str
    """The first column of the answer, or the server's message, cut."""


class TableRows(Published):
    """The rows of one table, as loaded."""

    table: str
    """Schema and name."""
    rows: int
    exact: bool
    """Whether they were counted; else it is ANALYZE's estimate."""


TABLES_LIMIT = 1_000
"""Tables whose rows a record tells one by one."""


class Verification(Published):
    """What was compared between the archive's table of contents and the loaded database."""

    tables: int
    rows: int
    exact: bool
    """Whether every table was counted; else some are ANALYZE's estimates."""
    by_table: tuple[TableRows, ...] = ()
    """The tables with the most rows, at most 1,000."""
    objects: dict[str, int]
    """Objects found, by the table of contents' kind: `{"TABLE": 12, "INDEX": 9}`."""
    checks: tuple[CheckResult, ...] = ()
    """What the operator's queries found; one that is not true fails the database."""
    notes: Notes = Notes()


class ScriptRun(Published):
    """The import of a plain script: roles, schema or tablespaces."""

    statements: int
    """Statements that were run, by whichever attempt."""
    seconds: float
    notes: Notes = Notes()
    kept: tuple[str, ...] = ()
    """What existed on the target and was left as it is (roles)."""
    created: tuple[str, ...] = ()
    """What was created (roles)."""
    updated: tuple[str, ...] = ()
    """What existed and has what the backup says of it now (roles)."""
    without_password: tuple[str, ...] = ()
    """Login roles whose password the backup does not hold."""
