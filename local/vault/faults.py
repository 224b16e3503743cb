"""Faults that tests switch on: of requests and their answers, of operations, of jobs, of recovery points and files."""

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Literal

from pydantic import Field

from local.vault.arm import ArmError, now
from local.vault.config import Frozen


class RequestFault(Frozen):
    """The next `count` requests whose path matches fail.

    Attributes:
        status: of the answer, when there is one.
        path: a regular expression, searched for without regard to case.
        retry_after: the header of that name, in seconds.
        as_date: whether it is sent as an HTTP date.
        code: of the answer's error; the status's own when empty.
        lost: instead of an answer the connection is reset, nothing is sent for a minute, or the answer ends in its
            middle.
        heard: whether the request is carried out before its answer is lost.
    """

    status: Literal[403, 404, 410, 429, 500, 502, 503] = 503
    count: int = Field(default=1, ge=1)
    path: str = ""
    retry_after: int | None = None
    as_date: bool = False
    code: str = ""
    lost: Literal["reset", "silence", "truncated"] | None = None
    heard: bool = False

    def error(self) -> ArmError:
        """The answer."""
        code, message = _ERRORS.get(self.status, ("InternalServerError", "The server has encountered an error."))
        return ArmError(self.status, self.code or code, message, self._headers())

    def _headers(self) -> dict[str, str]:
        if self.retry_after is None:
            return {}
        date = format_datetime(now() + timedelta(seconds=self.retry_after), usegmt=True)
        return {"Retry-After": date if self.as_date else str(self.retry_after)}


_ERRORS = {
    403: ("AuthorizationFailed", "The client does not have authorization to do this."),
    404: ("ResourceNotFound", "The resource was not found."),
    410: ("Gone", "The resource is not there any more."),
    429: ("TooManyRequests", "The request is being throttled."),
}


class OperationFault(Frozen):
    """What the next operation of an action does.

    Attributes:
        action: what was asked for.
        hours: how long it stays Inprogress; the job of a restore begins at once all the same.
        expired: the status of every look at it: its address is not known.
        job_id: how it writes the id of its job: as an ARM id in capitals, as a bare GUID, or not at all.
        error: code and message that it fails with; nothing is begun.
    """

    action: Literal["validateRestore", "restore"] = "restore"
    hours: float = 0.0
    expired: Literal[404, 410] | None = None
    job_id: Literal["as recorded", "capitals", "bare", "missing"] = "as recorded"
    error: tuple[str, str] | None = None


class JobFault(Frozen):
    """What the next job of an operation does instead of going well.

    Attributes:
        operation: the kind of job.
        outcome: how it ends. `Hang`: it stays InProgress until the faults are cleared. `Partial`: a backup's recovery
            point is Partial. None: well.
        after_files: how many restored files are there before it fails or hangs.
        code: of the error it fails with.
        message: of the error it fails with, or of the warning.
        action: what the service recommends.
        causes: code and message of what caused the error, of what caused that, and so on.
        status_word: what it says instead of `InProgress`.
        relapses: how many looks see it InProgress again, after one that saw its end.
        withhold: restored files whose names end so are never written, and nobody says so.
    """

    operation: Literal["Backup", "Restore"] = "Restore"
    outcome: Literal["Failed", "Cancelled", "CompletedWithWarnings", "Hang", "Partial"] | None = None
    after_files: int = Field(default=1, ge=0)
    code: str = "UserErrorInvalidRestoreRequest"
    message: str = "Restore operation failed due to invalid parameters or format of the parameters is not correct."
    action: str = "Switch the fault off."
    causes: tuple[tuple[str, str], ...] = (("InternalServerError", "Internal Server Error"),)
    status_word: str | None = None
    relapses: int = Field(default=0, ge=0)
    withhold: tuple[str, ...] = ()


class FaultRequest(Frozen):
    """The body of `POST /faults`: faults to add.

    Attributes:
        expired_points: recovery points that are not there any more, until the faults are cleared.
    """

    requests: tuple[RequestFault, ...] = ()
    operations: tuple[OperationFault, ...] = ()
    jobs: tuple[JobFault, ...] = ()
    expired_points: tuple[str, ...] = ()


class Faults:
    """The faults that are still to come."""

    def __init__(self) -> None:
        self._requests: list[RequestFault] = []
        self._operations: list[OperationFault] = []
        self._jobs: list[JobFault] = []
        self._expired: set[str] = set()
        self._relapsing: dict[str, list[bool]] = {}
        self._lock = threading.Lock()
        self.cleared = threading.Event()

    def add(self, request: FaultRequest) -> None:
        """Add faults."""
        with self._lock:
            self.cleared.clear()
            self._requests += [fault for fault in request.requests for _ in range(fault.count)]
            self._operations += request.operations
            self._jobs += request.jobs
            self._expired.update(request.expired_points)

    def clear(self) -> None:
        """Forget all faults, and let hanging jobs go on."""
        with self._lock:
            self._requests.clear()
            self._operations.clear()
            self._jobs.clear()
            self._expired.clear()
            self._relapsing.clear()
            self.cleared.set()

    def for_request(self, path: str) -> RequestFault | None:
        """The fault that this request has to meet, used up by it."""
        return self._take(self._requests, lambda fault: re.search(fault.path, path, re.IGNORECASE) is not None)

    def for_operation(self, action: str) -> OperationFault | None:
        """The fault that this operation has to meet, used up by it."""
        return self._take(self._operations, lambda fault: fault.action == action)

    def is_expired(self, point: str) -> bool:
        """Whether a recovery point is not there any more."""
        with self._lock:
            return point in self._expired

    def let_relapse(self, job: str, times: int) -> None:
        """Have looks at a job see it running again, after one that saw its end."""
        with self._lock:
            self._relapsing[job] = [False, *[True] * times]

    def relapses(self, job: str) -> bool:
        """Whether this look at a job that has ended sees it running again."""
        with self._lock:
            looks = self._relapsing.get(job)
            return looks.pop(0) if looks else False

    def for_job(self, operation: str) -> JobFault | None:
        """The fault that this job has to meet, used up by it."""
        return self._take(self._jobs, lambda fault: fault.operation == operation)

    def _take[Fault](self, faults: list[Fault], fits: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for index, fault in enumerate(faults):
                if fits(fault):
                    return faults.pop(index)
        return None
