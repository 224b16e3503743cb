"""Phases, states of files, and where a restore and an import stand."""

import json
from enum import StrEnum

from shared.contracts.base import Contract, Published
from shared.contracts.decisions import Approval, Decision, Statement
from shared.contracts.files import FileKind
from shared.contracts.outcome import Failure
from shared.errors import cut


class Phase(StrEnum):
    """Where a restore stands."""

    ACCEPTED = "Accepted"
    PLANNING = "Planning"
    AWAITING_APPROVAL = "AwaitingApproval"
    AWAITING_LANDING = "AwaitingLanding"
    RESTORING = "Restoring"
    IMPORTING = "Importing"
    VERIFYING = "Verifying"
    COMPLETED = "Completed"
    COMPLETED_WITH_WARNINGS = "CompletedWithWarnings"
    PARTIALLY_FAILED = "PartiallyFailed"
    FAILED = "Failed"
    REJECTED = "Rejected"
    CANCELLED = "Cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more happens."""
        return self in _TERMINAL


_TERMINAL = {
    Phase.COMPLETED,
    Phase.COMPLETED_WITH_WARNINGS,
    Phase.PARTIALLY_FAILED,
    Phase.FAILED,
    Phase.REJECTED,
    Phase.CANCELLED,
}


RETRIED = frozenset({Phase.FAILED, Phase.PARTIALLY_FAILED})
"""Ends after which what is missing can be imported again, for the restored files stay."""


class FileState(StrEnum):
    """Where a restored file stands."""

    LANDED = "landed"
    IMPORTING = "importing"
    LOADED = "loaded"
    VERIFIED = "verified"
    IMPORTED = "imported"
    WARNED = "imported-with-warnings"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the file needs no more work."""
        return self in _FINAL


_FINAL = {FileState.IMPORTED, FileState.WARNED, FileState.SKIPPED, FileState.FAILED, FileState.CANCELLED}


class FileProgress(Published):
    """One restored file in the live status and in the result of an import."""

    name: str
    kind: FileKind
    database: str = ""
    final_name: str = ""
    size: int = 0
    state: FileState
    reason: str = ""
    """Why it was skipped or failed, in a sentence."""

    @property
    def is_missing(self) -> bool:
        """Whether it was asked for and did not come to where it should be."""
        return self.state not in {FileState.IMPORTED, FileState.WARNED, FileState.SKIPPED}

    @property
    def can_come_again(self) -> bool:
        """Whether a retry can bring it.

        The schema file cannot: its sections run in databases that the same restore has put into place.
        """
        return self.is_missing and self.kind is not FileKind.SCHEMA


class PhaseEntry(Published):
    """When a phase was entered."""

    phase: Phase
    at: str


class RestoreProgress(Contract):
    """The custom status of a restore."""

    phase: Phase
    message: str = ""
    phases: tuple[PhaseEntry, ...] = ()
    container: str = ""
    job: str = ""
    report: dict[str, str] | None = None
    """The addresses of the report's forms, `json` and `page`."""
    warnings: tuple[str, ...] = ()
    """What the backup job warned of."""
    approval: Approval | None = None
    """Until when somebody must approve the plan, and what was decided."""
    cancellation: Statement | None = None
    """Who cancelled the restore, and why."""
    errors: tuple[Failure, ...] = ()

    def shown(self) -> "RestoreProgress":
        """The part that a custom status has room for: Azure keeps 16 KB of it, in UTF-16."""
        versions = (self._cut(limit) for limit in _LIMITS)
        return next(filter(_fits, versions), self._cut(_LIMITS[-1]))

    def _cut(self, limit: int) -> "RestoreProgress":
        """The same with texts of so many characters, and the first of its findings."""
        errors = tuple(
            Failure(
                code=error.code,
                message=cut(error.message, limit),
                details=tuple(cut(detail, limit // 2) for detail in error.details[:5]),
            )
            for error in self.errors[:2]
        )
        changes: dict[str, object] = {
            "errors": errors,
            "warnings": tuple(cut(warning, limit // 2) for warning in self.warnings[:3]),
            "message": cut(self.message, limit),
        }
        if self.cancellation is not None:
            changes["cancellation"] = _shortened(self.cancellation, limit)
        if self.approval is not None and self.approval.decision is not None:
            decision = _shortened(self.approval.decision, limit)
            changes["approval"] = self.approval.model_copy(update={"decision": decision})
        return self.model_copy(update=changes)


def _shortened[S: (Statement, Decision)](said: S, limit: int) -> S:
    return said.model_copy(update={"by": cut(said.by, limit), "reason": cut(said.reason, limit)})


def _fits(progress: RestoreProgress) -> bool:
    return len(json.dumps(progress.to_wire()).encode("utf-16")) <= _STATUS_BYTES


_STATUS_BYTES = 15_000
_LIMITS = (500, 200, 80, 20)
"""Characters of a text in a custom status; the longest that fit are taken."""


class SetResult(Contract):
    """What came of the import of a file set; the details are in the ledger."""

    files: tuple[FileProgress, ...] = ()
    unknown: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """What the request asks for and the backup cannot give: nothing was imported."""
