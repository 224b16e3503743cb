"""Running jobs: each in a thread of its own, resumed after the service's death."""

import logging
import threading
import time
import uuid

from local.vault.arm import UserError, now
from local.vault.backup import take_backup
from local.vault.config import VaultConfig
from local.vault.faults import Faults
from local.vault.jobs import Job, RestoreTarget
from local.vault.recovery_points import RecoveryPoint
from local.vault.restore import copy_file
from local.vault.restore_request import account_of, check_reachable, check_role
from local.vault.state import State
from local.vault.storage import container_client

_log = logging.getLogger(__name__)


class JobRunner:
    """Runs the jobs of one vault. Backups wait for each other; a restore begins at once."""

    def __init__(self, config: VaultConfig, state: State, faults: Faults) -> None:
        self._config = config
        self._state = state
        self._faults = faults
        self._one_backup = threading.Lock()

    def resume(self) -> None:
        """Start what was running when the service died."""
        for job in self._state.running_jobs():
            self._start(job)

    def submit(self, job: Job) -> None:
        """Write a new job down, then start it."""
        self._save(job)
        self._start(job)

    def _start(self, job: Job) -> None:
        # A daemon: what a job has not done when the service ends is done after its next start.
        threading.Thread(target=self._run, args=(job,), name=f"job-{job.id}", daemon=True).start()

    def _run(self, job: Job) -> None:
        _log.info("%s %s of %s runs", job.operation, job.id, job.instance)
        try:
            job = self._back_up(job) if job.target is None else self._restore(job, job.target)
        except UserError as error:
            word = "Cancelled" if job.fault is not None and job.fault.outcome == "Cancelled" else "Failed"
            job = self._ended(job, status=word, errors=error.as_job_errors())
        except Exception as error:  # noqa: BLE001 - whatever happened, a job ends with a status that tells it
            _log.exception("job %s failed", job.id)
            internal = UserError(
                "InternalServerError", "Internal Server Error", "Retry the operation.", ("", str(error))
            )
            job = self._ended(job, status="Failed", errors=internal.as_job_errors())
        self._save(job)
        _log.info("%s %s of %s: %s", job.operation, job.id, job.instance, job.status)

    def _back_up(self, job: Job) -> Job:
        instance = next(instance for instance in self._config.instances if instance.name == job.instance)
        with self._one_backup:
            name, files = take_backup(instance.server, self._state.files(job.point), job.point_time)
        self._meet_fault(job, 0, last=True)
        self._wait(job)
        partial = job.fault is not None and job.fault.outcome == "Partial"
        point = RecoveryPoint(
            id=job.point,
            instance=job.instance,
            backup_name=name,
            data_store_id=str(uuid.uuid4()),
            time=job.point_time,
            created=now(),
            state="Partial" if partial else "Completed",
            files=files,
        )
        self._state.points.put(point.id, point)
        return self._well_ended(job, sum(file.size for file in files))

    def _restore(self, job: Job, target: RestoreTarget) -> Job:
        account = account_of(self._config, target)
        check_role(self._config, account)
        check_reachable(account)
        point = self._state.points.get(job.point)
        if point is None or self._faults.is_expired(job.point):
            raise UserError("UserErrorRecoveryPointNotFound", "The recovery point is gone.", "Choose another one.")
        withheld = job.fault.withhold if job.fault else ()
        files = [file for file in point.files if not file.blob.endswith(withheld)]
        with container_client(account, target.container) as container:
            for number, file in enumerate(files):
                self._meet_fault(job, number)
                begun = file.blob in job.begun
                if not begun:
                    job = self._save(job.changed_to(begun=(*job.begun, file.blob)))
                copy_file(container, self._state.files(point.id), file, begun=begun)
                time.sleep(self._config.pacing.file)
        self._meet_fault(job, len(files), last=True)
        self._wait(job)
        return self._well_ended(job, sum(file.size for file in files))

    def _meet_fault(self, job: Job, files: int, *, last: bool = False) -> None:
        """Fail or hang, when that is this job's fault and its time has come."""
        fault = job.fault
        if fault is None or not (files == fault.after_files or (last and files < fault.after_files)):
            return
        if fault.outcome in {"Failed", "Cancelled"}:
            raise UserError(fault.code, fault.message, fault.action, *fault.causes)
        if fault.outcome == "Hang":
            self._faults.cleared.wait()

    def _wait(self, job: Job) -> None:
        """Let a job last as long as jobs do."""
        time.sleep(max(0.0, self._config.pacing.job - (now() - job.start).total_seconds()))

    def _well_ended(self, job: Job, transferred: int) -> Job:
        if job.fault is not None and job.fault.outcome == "CompletedWithWarnings":
            return self._ended(job, status="CompletedWithWarnings", transferred=transferred, warning=job.fault.message)
        return self._ended(job, status="Completed", transferred=transferred)

    def _ended(self, job: Job, **values: object) -> Job:
        return job.changed_to(end=now(), **values)

    def _save(self, job: Job) -> Job:
        self._state.jobs.put(job.id, job)
        return job
