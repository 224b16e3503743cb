"""What the HTTP API answers about restores: one in full, many in a list."""

from enum import StrEnum

from shared.contracts.base import Json, Published
from shared.contracts.decisions import Approval, Statement
from shared.contracts.loading import LoadProgress
from shared.contracts.outcome import Failure
from shared.contracts.plan import Plan
from shared.contracts.progress import FileProgress, Phase, PhaseEntry
from shared.contracts.request import Mode
from shared.errors import cut

TEXT_LIMIT = 200
"""Characters of a text that a list shows."""


class JobStatus(Published):
    """The backup job."""

    id: str
    status: str


class Action(StrEnum):
    """What can be asked of a restore as it stands."""

    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"
    RETRY = "retry"


class About(Published):
    """What a restore is about, as its request says; a rejected one may say anything."""

    target: str = ""
    source: str = ""
    """The backup instance as the request names it, or the landing container of an import."""
    mode: Mode | None = None
    """None where the request does not say it rightly."""
    dry_run: bool = False
    requested_by: str = ""
    ticket: str = ""

    @classmethod
    def of(cls, request: Json) -> "About":
        """What the request of decoded JSON is about; long texts are cut."""
        source = request.get("source")
        named = source if isinstance(source, dict) else {}
        mode = request.get("mode") or (Mode.IMPORT_ONLY if "container" in named else Mode.FULL)
        return cls(
            target=_text(request, "target"),
            source=_text(named, "backupInstance") or _text(named, "container"),
            mode=next((one for one in Mode if one == mode), None),
            dry_run=request.get("dryRun") is True,
            requested_by=_text(request, "requestedBy"),
            ticket=_text(request, "ticket"),
        )


def _text(names: Json, name: str) -> str:
    text = names.get(name)
    return cut(text, TEXT_LIMIT) if isinstance(text, str) else ""


class RestoreSummary(About):
    """One restore in the list."""

    request_id: str
    phase: Phase
    started_at: str
    """ISO, UTC."""
    updated_at: str


class RestorePage(Published):
    """Restores, the newest first."""

    restores: tuple[RestoreSummary, ...]
    next: str | None = None
    """The value of `after` that gets the following page; None on the last one."""


class FileStatus(FileProgress):
    """One restored file, and how far its load is."""

    load: LoadProgress | None = None
    """Of a database that is being loaded, or is loaded and not yet in place; null while nothing is known of it."""


class RestoreStatus(About):
    """One restore: its course, its job, and each file."""

    request_id: str
    phase: Phase
    message: str
    started_at: str
    """ISO, UTC."""
    updated_at: str
    phases: tuple[PhaseEntry, ...]
    """The timeline: when each phase was entered."""
    progress: float = 0.0
    """The share of the restored bytes that is where it should be, from 0 to 1."""
    reason: str = ""
    container: str
    job: JobStatus | None
    files: tuple[FileStatus, ...]
    report: dict[str, str] | None
    """The addresses of the report's forms in its container, `json` and `page`, when the restore has ended."""
    approval: Approval | None = None
    cancellation: Statement | None = None
    actions: tuple[Action, ...] = ()
    """What can be asked of it now."""
    errors: tuple[Failure, ...]
    plan: Plan | None = None
    """What an approver reads, and what a dry run answers."""
