"""The report of a restore: what was restored, from when, into what, and what is different from the source."""

from typing import Any, Literal

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.files import Marker
from shared.contracts.imports import DatabaseLoad, Promotion, ScriptRun, Verification
from shared.contracts.outcome import Failure
from shared.contracts.plan import Plan
from shared.contracts.progress import FileProgress, Phase, PhaseEntry


class PhaseTime(Contract):
    """How long a phase took."""

    phase: Phase
    seconds: float


class FileReport(Contract):
    """One restored file and everything that is known of its import."""

    file: FileProgress
    load: DatabaseLoad | None = None
    verification: Verification | None = None
    promotion: Promotion | None = None
    script: ScriptRun | None = None
    failure: Failure | None = None
    log: str = ""
    """The log's blob in the container of reports."""


class Report(Contract):
    """The report, as JSON; the page shows the same."""

    version: Literal["1"] = "1"
    request_id: str
    phase: Phase
    message: str
    request: dict[str, Any]
    """The request as it came, also where it was rejected."""
    plan: Plan | None
    backup_taken: Marker | None
    """When the backup was taken, by the marker file."""
    container: str
    job: str
    phases: tuple[PhaseEntry, ...]
    times: tuple[PhaseTime, ...]
    files: tuple[FileReport, ...]
    unknown: tuple[str, ...] = ()
    """Blobs of unknown names, left alone."""
    warnings: tuple[str, ...] = ()
    """What the backup job warned of."""
    errors: tuple[Failure, ...] = ()
    written_at: str = Field(description="ISO, UTC")
