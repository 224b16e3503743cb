"""Every exception of the app.

FlexRestoreError
├── PermanentError              trying again changes nothing: activities answer it as a value
│   ├── Misconfigured           an app setting is missing or wrong
│   ├── RequestRejected         the request itself is wrong
│   ├── NotSignedIn             nobody vouches for who calls
│   ├── NotAllowed              who calls may not do this
│   ├── WrongMediaType          a body is not said to be JSON
│   ├── NotFound                what is asked about does not exist
│   ├── Conflict                what is asked for does not fit where the restore stands
│   ├── ApprovalDenied          nobody approved the plan: it was rejected, or its deadline passed
│   ├── PreflightFailed         the plan cannot be carried out as things stand
│   ├── VaultRefused            the backup service said no
│   ├── DatasourceBusy          another job runs on the datasource, and the operator does not want to wait
│   ├── OperationGone           the status address of an operation has expired; its outcome is not known
│   ├── BackupJobFailed         the vault's job ended without restored files
│   ├── DeadlinePassed          something did not happen in the time that was given to it
│   ├── LandingFailed           the landing container does not hold what is to be imported
│   ├── FileChanged             a restored file was written again while it was read
│   ├── RestoreEnded            the restore that this is done for has ended
│   │   └── RestoreCancelled    somebody cancelled it
│   ├── ToolMissing             psql or pg_restore was not found
│   ├── ToolTooOld              the tool cannot read the archive
│   ├── UnreadableFile          a restored file is not what its name says
│   ├── TargetRefused           the target server does not allow what the import needs
│   ├── DatabaseExists          the final name is taken and the request does not say replace
│   ├── ImportFailed            statements failed that are not known to be harmless
│   └── VerificationFailed      what was loaded is not what the archive holds
└── TransientError              try again
    ├── ServiceBusy             the service throttles or does not answer
    │   └── VaultBusy           another job of the datasource is in the way; nothing was started
    ├── TargetUnavailable       the target server does not answer
    └── LoadInterrupted         a load ended without an answer of its own

Exceptions of libraries that reach an activity's edge mean *try again* too; retry options bound it.
"""

from collections.abc import Sequence

TEXT_LIMIT = 4_000
"""Characters of error text that may cross a durable boundary; the full text belongs into a log blob."""
DETAILS_LIMIT = 50
"""Findings that may cross a durable boundary."""


def cut(text: str, limit: int = TEXT_LIMIT) -> str:
    """The text, or its beginning and its end with a word between them on how much is missing."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} […{len(text) - 2 * half} characters left out…] {text[-half:]}"


class FlexRestoreError(Exception):
    """Something went wrong in a restore."""

    def __init__(self, message: str | None = None, *, details: Sequence[str] = ()) -> None:
        self.text = cut(message or (type(self).__doc__ or "").strip())
        self.details = bounded(details)
        super().__init__(self.text)


def bounded(details: Sequence[str]) -> list[str]:
    """The findings, each cut, with a last line on how many more there are."""
    kept = [cut(line, 600) for line in details[:DETAILS_LIMIT]]
    more = len(details) - len(kept)
    return [*kept, f"and {more} more"] if more > 0 else kept


class PermanentError(FlexRestoreError):
    """Trying again changes nothing."""

    @property
    def code(self) -> str:
        """The word for programs."""
        return type(self).__name__


class Misconfigured(PermanentError):
    """An app setting is missing or wrong."""


class RequestRejected(PermanentError):
    """The request itself is wrong."""


class NotSignedIn(PermanentError):
    """Nobody vouches for who calls."""


class NotAllowed(PermanentError):
    """Who calls may not do this."""


class WrongMediaType(PermanentError):
    """A body is not said to be JSON."""


class NotFound(PermanentError):
    """What is asked about does not exist."""


class Conflict(PermanentError):
    """What is asked for does not fit where the restore stands."""


class ApprovalDenied(PermanentError):
    """Nobody approved the plan: it was rejected, or its deadline passed."""


class PreflightFailed(PermanentError):
    """The plan cannot be carried out as things stand."""


class VaultRefused(PermanentError):
    """The backup service said no."""


class DatasourceBusy(PermanentError):
    """Another job runs on the datasource, and the operator does not want to wait."""


class OperationGone(PermanentError):
    """The status address of an operation has expired; its outcome is not known."""


class BackupJobFailed(PermanentError):
    """The vault's job ended without restored files."""


class DeadlinePassed(PermanentError):
    """Something did not happen in the time that was given to it."""


class LandingFailed(PermanentError):
    """The landing container does not hold what is to be imported."""


class FileChanged(PermanentError):
    """A restored file was written again while it was read."""


class RestoreEnded(PermanentError):
    """The restore that this is done for has ended."""


class RestoreCancelled(RestoreEnded):
    """Somebody cancelled it."""


class ToolMissing(PermanentError):
    """psql or pg_restore was not found."""


class ToolTooOld(PermanentError):
    """The tool cannot read the archive."""


class UnreadableFile(PermanentError):
    """A restored file is not what its name says."""


class TargetRefused(PermanentError):
    """The target server does not allow what the import needs."""


class DatabaseExists(PermanentError):
    """The final name is taken and the request does not say replace."""


class ImportFailed(PermanentError):
    """Statements failed that are not known to be harmless."""


class VerificationFailed(PermanentError):
    """What was loaded is not what the archive holds."""


class TransientError(FlexRestoreError):
    """Try again."""


class ServiceBusy(TransientError):
    """The service throttles or does not answer.

    Attributes:
        retry_after: seconds that it asks to wait; 0 when it says nothing.
    """

    def __init__(self, message: str | None = None, *, details: Sequence[str] = (), retry_after: float = 0) -> None:
        super().__init__(message, details=details)
        self.retry_after = retry_after


class VaultBusy(ServiceBusy):
    """Another job of the datasource is in the way; nothing was started."""


class TargetUnavailable(TransientError):
    """The target server does not answer."""


class LoadInterrupted(TransientError):
    """A load ended without an answer of its own."""
