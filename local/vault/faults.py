"""Faults that tests switch on: requests that fail, jobs that end badly or not at all, files that never land."""

import re
import threading
from collections.abc import Callable
from typing import Literal

from pydantic import Field

from local.vault.arm import ArmError
from local.vault.config import Frozen


class RequestFault(Frozen):
    """The next `count` requests whose path matches fail."""

    status: Literal[403, 429, 500, 503]
    count: int = Field(default=1, ge=1)
    path: str = Field(default="", description="a regular expression, searched for without regard to case")
    retry_after: int | None = None

    def error(self) -> ArmError:
        """The answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == 429:
            return ArmError(429, "TooManyRequests", "The request is being throttled.", headers)
        if self.status == 403:
            return ArmError(403, "AuthorizationFailed", "The client does not have authorization to do this.", headers)
        return ArmError(self.status, "InternalServerError", "The server has encountered an error.", headers)


class JobFault(Frozen):
    """What the next job of an operation does instead of going well.

    Attributes:
        operation: the kind of job.
        outcome: how it ends. `Hang`: it stays InProgress until the faults are cleared. `Partial`: a backup's recovery
            point is Partial. None: well.
        after_files: how many restored files are there before it fails or hangs.
        code: of the error it fails with.
        message: of the error it fails with, or of the warning.
        status_word: what it says instead of `InProgress`.
        withhold: restored files whose names end so are never written, and nobody says so.
    """

    operation: Literal["Backup", "Restore"] = "Restore"
    outcome: Literal["Failed", "CompletedWithWarnings", "Hang", "Partial"] | None = None
    after_files: int = Field(default=1, ge=0)
    code: str = "UserErrorInvalidRestoreRequest"
    message: str = "Restore operation failed due to invalid parameters or format of the parameters is not correct."
    status_word: str | None = None
    withhold: tuple[str, ...] = ()


class FaultRequest(Frozen):
    """The body of `POST /faults`: faults to add."""

    requests: tuple[RequestFault, ...] = ()
    jobs: tuple[JobFault, ...] = ()


class Faults:
    """The faults that are still to come."""

    def __init__(self) -> None:
        self._requests: list[RequestFault] = []
        self._jobs: list[JobFault] = []
        self._lock = threading.Lock()
        self.cleared = threading.Event()

    def add(self, request: FaultRequest) -> None:
        """Add faults."""
        with self._lock:
            self.cleared.clear()
            self._requests += [fault for fault in request.requests for _ in range(fault.count)]
            self._jobs += request.jobs

    def clear(self) -> None:
        """Forget all faults, and let hanging jobs go on."""
        with self._lock:
            self._requests.clear()
            self._jobs.clear()
            self.cleared.set()

    def for_request(self, path: str) -> RequestFault | None:
        """The fault that this request has to meet, used up by it."""
        return self._take(self._requests, lambda fault: re.search(fault.path, path, re.IGNORECASE) is not None)

    def for_job(self, operation: str) -> JobFault | None:
        """The fault that this job has to meet, used up by it."""
        return self._take(self._jobs, lambda fault: fault.operation == operation)

    def _take[Fault](self, faults: list[Fault], fits: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for index, fault in enumerate(faults):
                if fits(fault):
                    return faults.pop(index)
        return None
