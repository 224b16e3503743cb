"""All that the service knows, on disk."""

from pathlib import Path

from local.vault.documents import Documents
from local.vault.jobs import Job
from local.vault.operations import Operation
from local.vault.recovery_points import RecoveryPoint


class State:
    """Jobs, operations and recovery points of one vault, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.jobs = Documents(folder / "jobs", Job)
        self.operations = Documents(folder / "operations", Operation)
        self.points = Documents(folder / "points", RecoveryPoint)

    def files(self, point: str) -> Path:
        """The folder of a recovery point's files."""
        return self._folder / "files" / point

    def points_of(self, instance: str) -> list[RecoveryPoint]:
        """The recovery points of a backup instance."""
        return [point for point in self.points if point.instance == instance]

    def running_jobs(self) -> list[Job]:
        """The jobs that have not ended."""
        return [job for job in self.jobs if job.end is None]
