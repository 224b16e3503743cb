"""The import of a file set across durable boundaries: what the orchestrations hand to each other and to activities."""

from functools import cached_property

from shared.contracts.base import Contract
from shared.contracts.files import FileKind, RestoredFile
from shared.contracts.progress import FileProgress, FileState
from shared.contracts.watch import Patience


class LandingRef(Contract):
    """Where a restore's files are."""

    request_id: str
    container: str
    backup_name: str = ""
    """The file set; empty where the container's only set is meant."""
    reserved: bool
    """Whether the restore owns the container; a container that it does not own is complete from the start."""


class ScriptImport(Contract):
    """One plain script of a file set: roles, schema or tablespaces."""

    request_id: str
    container: str
    file: RestoredFile


class DatabaseImport(Contract):
    """One database file and the name its database gets."""

    request_id: str
    container: str
    file: RestoredFile
    final_name: str


class SurveyedFile(FileProgress, RestoredFile):
    """A file that has landed, and what the request says about it."""

    @property
    def progress(self) -> FileProgress:
        """The part that a restore's progress shows."""
        return FileProgress.model_validate(self.model_dump(include=set(FileProgress.model_fields)))


class Survey(Contract):
    """What has landed, and what the request says about it."""

    files: tuple[SurveyedFile, ...]
    unknown: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """What the request asks for and these files cannot give; more files may, until nothing more lands."""
    closed: bool
    """Whether nothing more will land."""

    @cached_property
    def sources(self) -> dict[str, RestoredFile]:
        """The files by name."""
        return {file.name: file for file in self.files}


class Lane(Contract):
    """Databases that are imported one after the other; several lanes run side by side. Survives continue_as_new."""

    imports: tuple[DatabaseImport, ...]
    results: tuple[FileProgress, ...] = ()


class ImportSet(Patience):
    """A file set's import. Survives continue_as_new: one generation is one look at the container."""

    landing: LandingRef
    lanes: int
    """How many databases at once."""
    has_place: bool = False
    """Whether it is this import's turn at the target server."""
    files: dict[str, FileProgress] = {}  # noqa: RUF012 -- frozen model; pydantic copies defaults

    def with_files(self, *files: FileProgress) -> "ImportSet":
        """The import with newer states of some files."""
        return self.model_copy(update={"files": {**self.files, **{file.name: file for file in files}}})

    def waiting(self, kind: FileKind) -> list[FileProgress]:
        """Files of a kind that have landed and are not imported, the largest first."""
        files = [one for one in self.files.values() if one.kind is kind and one.state is FileState.LANDED]
        return sorted(files, key=lambda one: (-one.size, one.name))
