"""How far a restore is, as one number."""

from itertools import pairwise

import pytest

from shared.contracts.files import FileKind
from shared.contracts.progress import FileProgress, FileState, Phase
from shared.status import share


def file(state: FileState, size: int = 2_000_000) -> FileProgress:
    return FileProgress(name="x_database_bank.sql", kind=FileKind.DATABASE, database="bank", size=size, state=state)


def test_it_grows_with_each_state_of_a_file_and_is_full_when_all_are_final() -> None:
    course = (FileState.LANDED, FileState.IMPORTING, FileState.LOADED, FileState.VERIFIED, FileState.IMPORTED)
    shares = [share(Phase.IMPORTING, [file(state)]) for state in course]

    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert all(earlier < later for earlier, later in pairwise(shares))


def test_it_counts_bytes_and_not_files() -> None:
    assert share(Phase.IMPORTING, [file(FileState.IMPORTED, size=900), file(FileState.LANDED, size=100)]) == 0.9


@pytest.mark.parametrize("state", [FileState.FAILED, FileState.CANCELLED])
def test_what_did_not_come_is_no_progress(state: FileState) -> None:
    assert share(Phase.PARTIALLY_FAILED, [file(FileState.IMPORTED, size=100), file(state, size=300)]) == 0.25


def test_without_files_only_the_end_is_full() -> None:
    assert share(Phase.PLANNING, []) == 0.0
    assert share(Phase.COMPLETED, []) == 1.0
