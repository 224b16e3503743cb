"""The report of a restore: what was restored, from when, into what, what differs from the source, what to do next.

Its JSON Schema is docs/restore-report.schema.json. Readers ignore names that they do not know, so that the schema may
grow; that is why it forbids none.
"""

from enum import StrEnum
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from shared.contracts.base import Json, Published
from shared.contracts.decisions import Approval, Statement
from shared.contracts.files import Marker
from shared.contracts.imports import DatabaseLoad, Note, Promotion, ScriptRun, Verification
from shared.contracts.outcome import Failure
from shared.contracts.plan import Plan
from shared.contracts.progress import FileProgress, Phase, PhaseEntry


class PhaseTime(Published):
    """How long a phase took."""

    phase: Phase
    seconds: float


class RequestField(Published):
    """A field of the request, in words."""

    name: str
    """As requests call it: `onConflict`."""
    label: str
    value: str
    given: bool
    """Whether the request said it; else it was left at its default."""


class Summary(Published):
    """The outcome in figures."""

    text: str
    """The outcome in a sentence or two."""
    seconds: float
    """From the first phase to this report."""
    databases: int
    """Databases that were asked for and whose files landed."""
    restored: int
    """Databases that stand on the target, verified."""
    tables: int
    rows: int
    exact: bool
    """Whether every row of every restored database was counted; else some are ANALYZE's estimates."""
    size: int
    """Bytes of the files of the restored databases."""
    matters: int
    """Differences from the source: what is lost or different."""
    expected: int
    """Differences from the source that a managed server brings along, or that were asked for."""


class Landing(Published):
    """The landing container, and what lies there when the restore has ended."""

    account: str
    container: str
    backup_name: str
    """What stands in front of `_database_` in the files' names."""
    files: int
    """How many files of the backup have landed."""
    left: bool
    """Whether they stay there: those that were imported well are deleted, as far as a restore of ours brought them."""
    reservation: str = ""
    """The address of the reservation that stays, because the vault may still write into the container."""


class Who(StrEnum):
    """Whose step it is."""

    REQUESTER = "requester"
    DATABASE_ADMIN = "database administrator"
    SERVER_ADMIN = "administrator of the target server"
    ENTRA_ADMIN = "Microsoft Entra administrator of the target server"
    BACKUP_ADMIN = "backup administrator"
    APPLICATION_OWNER = "owner of the applications"
    OPERATOR = "operator of Flex Restore"


class StepKind(StrEnum):
    """What a step is about."""

    CORRECT_REQUEST = "correct-request"
    ASK_AGAIN = "ask-again"
    CARRY_OUT = "carry-out"
    IMPORT_FILES = "import-files"
    MEND = "mend"
    ALLOW_EXTENSIONS = "allow-extensions"
    RETRY = "retry"
    SET_PASSWORDS = "set-passwords"
    CONNECT_ENTRA = "connect-entra"
    CREATE_ROLES = "create-roles"
    COMPLETE_ROLES = "complete-roles"
    CREATE_EXTENSIONS = "create-extensions"
    GIVE_OWNERS = "give-owners"
    GRANT = "grant"
    LOOK_AT_DIFFERENCES = "look-at-differences"
    SCHEDULE_JOBS = "schedule-jobs"
    REPOINT = "repoint"
    CHECK_REPLACED = "check-replaced"
    DROP_TEMPORARY = "drop-temporary"
    READ_WARNINGS = "read-warnings"
    FREE_CONTAINER = "free-container"
    DELETE_FILES = "delete-files"
    LOOK_AT_UNKNOWN = "look-at-unknown"


class Command(Published):
    """Something to run or to send, ready to be copied; what only a person knows stands in it as `<…>`."""

    text: str
    language: Literal["sql", "shell", "json", "text"]
    database: str = ""
    """Where SQL is run; empty where any database of the target server will do."""


class Step(Published):
    """Something that people have to do, because no restore can."""

    kind: StepKind
    who: Who
    what: str
    """In a sentence."""
    why: str
    how: str
    subjects: tuple[str, ...] = ()
    """The databases, roles, files or findings that it is about."""
    commands: tuple[Command, ...] = ()
    required: bool = True
    """Whether something is missing, blocked or exposed until it is done; else it is good to know."""


class FileReport(Published):
    """One restored file and everything that is known of its import."""

    file: FileProgress
    load: DatabaseLoad | None = None
    verification: Verification | None = None
    verdict: str = ""
    """Of a database: what its verification came to, in words."""
    promotion: Promotion | None = None
    script: ScriptRun | None = None
    failure: Failure | None = None
    log: str = ""
    """The log's blob in the container of reports."""

    @property
    def notes(self) -> tuple[Note, ...]:
        """The notes of every part of the import."""
        return tuple(note for part in self._parts for note in part.notes.items)

    @property
    def notes_left_out(self) -> int:
        """How many more notes there were, which only the log holds."""
        return sum(part.notes.left_out for part in self._parts)

    @property
    def _parts(self) -> list[DatabaseLoad | Verification | Promotion | ScriptRun]:
        return [part for part in (self.load, self.verification, self.promotion, self.script) if part is not None]


class Report(Published):
    """The report, as JSON; the page shows the same."""

    version: Literal["1"] = "1"
    request_id: str
    phase: Phase
    message: str
    summary: Summary | None = None
    request: dict[str, Any]
    """The request as it came, also where it was rejected."""
    request_in_words: tuple[RequestField, ...] = ()
    """Every field of the request, also those that it left at their defaults."""
    approval: Approval | None = None
    """Whether the plan had to be approved, and who approved or rejected it, when, and why."""
    cancellation: Statement | None = None
    """Who cancelled the restore, and why."""
    cancelled_at: AwareDatetime | None = None
    plan: Plan | None
    backup_taken: Marker | None
    """When the backup was taken, by the marker file."""
    container: str
    job: str
    landing: Landing | None = None
    """None where no landing container was reserved or named."""
    phases: tuple[PhaseEntry, ...]
    times: tuple[PhaseTime, ...]
    files: tuple[FileReport, ...]
    unknown: tuple[str, ...] = ()
    """Blobs of unknown names, left alone."""
    warnings: tuple[str, ...] = ()
    """What the backup job warned of."""
    errors: tuple[Failure, ...] = ()
    next_steps: tuple[Step, ...] = ()
    """What people have to do now, the most pressing first."""
    written_at: str = Field(description="ISO, UTC")


def report_schema() -> Json:
    """The JSON Schema of reports."""
    schema: Json = _open(Report.model_json_schema(mode="serialization", by_alias=True))
    return schema


def _open(schema: Any) -> Any:
    """The schema without its bans on further names."""
    if isinstance(schema, list):
        return [_open(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _open(part) for name, part in schema.items() if (name, part) != ("additionalProperties", False)}
