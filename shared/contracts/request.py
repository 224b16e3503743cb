"""The restore request: what a ticket asks for. Version 1; its JSON Schema is docs/restore-request.schema.json."""

from collections import Counter
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StrictBool,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from shared.contracts.base import Contract, Moment, Published
from shared.contracts.reading import read
from shared.redaction import hidden
from shared.topology import SYSTEM_DATABASES

REQUEST_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"
"""A request id names blobs, orchestration instances and vault jobs, so it keeps to what all of them allow."""


class BackupSource(Published):
    """A recovery point of a backup instance."""

    backup_instance: Annotated[str, Field(min_length=1)]
    """An alias that the operator configured, the backup instance's ARM id or name, or the server's name."""
    recovery_point: Annotated[str, Field(max_length=200)] = "latest"
    """`latest`, or a recovery point's id."""
    at_or_before: Moment | None = None
    """The newest recovery point not after this time, instead of `recoveryPoint`."""

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if self.at_or_before is not None and self.recovery_point != "latest":
            raise ValueError("give recoveryPoint or atOrBefore, not both")
        return self


class FilesSource(Published):
    """Files that have landed already, from a restore made elsewhere or an earlier one of ours."""

    container: Annotated[str, Field(min_length=3, max_length=63)]
    backup_name: Annotated[str, Field(min_length=1)]
    """What stands in front of `_database_` in the files' names."""


def _source_kind(value: Any) -> str:
    names = value if isinstance(value, dict) else vars(value) if isinstance(value, Contract) else {}
    return "files" if "container" in names else "backup"


type Source = Annotated[
    Annotated[BackupSource, Tag("backup")] | Annotated[FilesSource, Tag("files")], Discriminator(_source_kind)
]


CHOICES = 500
"""Databases and patterns that a request may name; one restore imports as many files."""
PATTERN_LENGTH = 200

Pattern = Annotated[str, Field(min_length=1, max_length=PATTERN_LENGTH)]
"""A database's name, or a pattern with `*` and `?`."""


def _from_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class DatabaseChoice(Published):
    """Databases to import, and the name that they get; a plain string means its name alone."""

    name: Pattern
    """A database's name, or a pattern with `*` and `?`."""
    final_name: Annotated[str | None, Field(alias="as", min_length=1, max_length=PATTERN_LENGTH)] = None
    """The name on the target; a `*` in it stands for the database's own name."""

    @property
    def is_pattern(self) -> bool:
        """Whether the name may match several databases."""
        return any(sign in self.name for sign in "*?")

    def selects(self, database: str) -> bool:
        """Whether the database is meant."""
        return matches(database, self.name)

    @model_validator(mode="after")
    def _pattern_needs_star(self) -> Self:
        if self.is_pattern and self.final_name is not None and "*" not in self.final_name:
            raise ValueError("a pattern matches several databases: put a * into 'as' for their own names")
        if not self.is_pattern and (problem := name_obstacle(self.final(self.name))):
            raise ValueError(f"the final name {problem}")
        return self

    def final(self, database: str) -> str:
        """The name that `database` gets on the target."""
        return database if self.final_name is None else self.final_name.replace("*", database)


NAME_BYTES = 63
"""Longest name of a database; PostgreSQL cuts longer ones."""

type Choice = Annotated[DatabaseChoice, BeforeValidator(_from_name, json_schema_input_type=Pattern | DatabaseChoice)]


class Mode(StrEnum):
    """How much of a restore is made."""

    FULL = "full"  #: the vault restores files, and they are imported
    FILES_ONLY = "files-only"  #: the vault restores files, and they stay in their landing container
    IMPORT_ONLY = "import-only"  #: files that have landed already are imported


class Priority(StrEnum):
    """Who is served first where restores wait."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class RestoreRequest(Published):
    """What a ticket asks for; `requestId` is the idempotency key."""

    version: Literal["1"] = "1"
    request_id: Annotated[str, Field(pattern=REQUEST_ID_PATTERN)]
    """Names the restore; sent twice it is one restore."""
    source: Source
    """A recovery point of a backup instance, or files that have landed already."""
    target: Annotated[str, Field(min_length=1)]
    """Alias of the target server."""
    mode: Mode = Mode.FULL
    """How much is made: `full`; `files-only` of a backup instance; `import-only` of landed files, their only mode."""
    databases: Annotated[tuple[Choice, ...], Field(max_length=CHOICES)] = (DatabaseChoice(name="*"),)
    """What is imported: names, patterns of `*` and `?`, or either with the name that the database gets."""
    exclude: Annotated[tuple[Pattern, ...], Field(max_length=CHOICES)] = ()
    """Names or patterns of databases that are left out."""
    on_conflict: Literal["fail", "skip", "replace"] = "fail"
    """What happens to a database whose final name is taken; `replace` keeps it until the new one is verified."""
    roles: Literal["none", "missing", "all"] = "missing"
    """Roles of the backup: none, those that the target lacks, or all: those that exist get the backup's attributes."""
    owners: Literal["keep", "drop"] = "keep"
    """Whether objects keep their owners; else the import's user owns them."""
    grants: Literal["keep", "drop"] = "keep"
    """Whether objects and databases keep the rights that were granted on them."""
    schema_only: StrictBool = False
    """Import definitions without rows."""
    schema_file: Annotated[Literal["skip", "import"], Field(alias="schema")] = "skip"
    """The schema file repeats what the database files hold; Microsoft advises against running it."""
    tablespaces: Literal["skip", "import"] = "skip"
    """Flexible servers have no tablespaces of their own."""
    dry_run: StrictBool = False
    """Answer the plan and stop."""
    approval: Literal["as-configured", "required"] = "as-configured"
    """Whether somebody must approve the plan even where the target does not ask for it."""
    priority: Priority = Priority.NORMAL
    """Who is served first where restores wait."""
    requested_by: Annotated[str, Field(max_length=200), AfterValidator(hidden)] = ""
    """A person or a system, for the report."""
    reason: Annotated[str, Field(max_length=1_000), AfterValidator(hidden)] = ""
    """Why, for approvers and auditors."""
    ticket: Annotated[str, Field(max_length=200), AfterValidator(hidden)] = ""
    """What the ticketing system calls it."""
    notify: Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=10)] = ()
    """Names of webhooks that the operator configured; each gets this restore's events."""

    @model_validator(mode="before")
    @classmethod
    def _landed_files_are_only_imported(cls, data: Any) -> Any:
        """Landed files have one mode, so it need not be said."""
        if isinstance(data, dict) and "mode" not in data and _source_kind(data.get("source")) == "files":
            return {**data, "mode": Mode.IMPORT_ONLY}
        return data

    @field_validator("mode")
    @classmethod
    def _mode_fits_source(cls, mode: Mode, earlier: ValidationInfo) -> Mode:
        source = earlier.data.get("source")
        if source is not None and isinstance(source, FilesSource) != (mode is Mode.IMPORT_ONLY):
            needed = "a container and a backupName" if mode is Mode.IMPORT_ONLY else "a backupInstance"
            raise ValueError(f"{mode} wants a source that names {needed}")
        return mode

    @field_validator("databases")
    @classmethod
    def _something_is_asked_for(cls, databases: tuple[DatabaseChoice, ...]) -> tuple[DatabaseChoice, ...]:
        if not databases:
            raise ValueError("is empty: leave it out to import every database")
        finals = Counter(choice.final(choice.name) for choice in databases if not choice.is_pattern)
        twice = sorted(name for name, count in finals.items() if count > 1)
        if twice:
            raise ValueError(f"several databases would get the same name: {', '.join(twice)}")
        return databases

    def final_name(self, database: str) -> str | None:
        """The name that a database of the backup gets on the target; None when it was not asked for."""
        if any(matches(database, pattern) for pattern in self.exclude):
            return None
        exact = [choice for choice in self.databases if choice.name == database]
        matching = exact or [choice for choice in self.databases if choice.selects(database)]
        return matching[0].final(database) if matching else None


def matches(database: str, pattern: str) -> bool:
    """Whether a database's name matches a pattern of `*` and `?`; brackets stand for themselves."""
    return fnmatchcase(database, pattern.replace("[", "[[]"))


def name_obstacle(name: str) -> str:
    """Why no restored database can have this name; empty when it can."""
    if len(name.encode("utf-8", "surrogatepass")) > NAME_BYTES:
        return f"is longer than {NAME_BYTES} bytes"
    if "\0" in name or not name.isprintable():
        return "holds characters that cannot be shown"
    return "belongs to the server itself" if name in SYSTEM_DATABASES else ""


FIELDS = frozenset(field.alias or name for name, field in RestoreRequest.model_fields.items())
"""The names on the wire."""


def read_request(data: Any) -> RestoreRequest:
    """The request of decoded JSON.

    Raises:
        RequestRejected: with every error and its path in `details`.
    """
    return read(RestoreRequest, data, "The restore request")
