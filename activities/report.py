"""Write the report of a restore that has ended."""

from typing import Any

from activities.answers import answering
from shared.contracts.base import Json
from shared.contracts.progress import FileProgress, RestoreProgress
from shared.reporting import build, write


@answering
def write_report(subject: dict[str, Any]) -> Json:
    """The report's addresses; a repeated activity writes it again."""
    files = tuple(FileProgress.from_wire(file) for file in subject["files"])
    progress = RestoreProgress.from_wire(subject["progress"])
    landing = {"brought": subject["brought"], "reserved": subject["reserved"]}
    report = build(subject["requestId"], subject["request"], progress, files, **landing)
    return dict(write(report))
