"""The survey: what the request says about each file that has landed."""

import pytest

from shared.contracts.files import Listing, RestoredFile
from shared.contracts.importing import Survey
from shared.contracts.progress import FileState
from shared.contracts.request import read_request
from shared.storage.landing import classify
from shared.survey import survey

NAMES = ["backupstarttimestamp", "b_database_bank.sql", "b_database_postgres.sql", "b_roles.sql", "b_schema.sql"]


def surveyed(names: list[str], **options: object) -> Survey:
    files: list[RestoredFile] = [file for name in names if (file := classify(name))]
    listing = Listing(container="landing-1", backup_name="b", files=tuple(files), closed=True)
    request = read_request({"requestId": "r", "source": {"backupInstance": "x"}, "target": "t", **options})
    return survey(listing, request)


def state(found: Survey, name: str) -> FileState:
    return next(file.state for file in found.files if file.name == name)


@pytest.mark.parametrize(
    ("options", "name", "expected"),
    [
        ({}, "b_database_bank.sql", FileState.LANDED),
        ({}, "b_database_postgres.sql", FileState.SKIPPED),
        ({"databases": [{"name": "postgres", "as": "copy"}]}, "b_database_postgres.sql", FileState.SKIPPED),
        ({}, "b_roles.sql", FileState.LANDED),
        ({"roles": "missing"}, "b_roles.sql", FileState.LANDED),
        ({"roles": "all"}, "b_roles.sql", FileState.LANDED),
        ({"roles": "none"}, "b_roles.sql", FileState.SKIPPED),
        ({}, "b_schema.sql", FileState.SKIPPED),
        ({"schema": "import"}, "b_schema.sql", FileState.LANDED),
        ({}, "backupstarttimestamp", FileState.SKIPPED),
        ({"exclude": ["bank"]}, "b_database_bank.sql", FileState.SKIPPED),
    ],
)
def test_each_kind_of_file_has_its_fate(options: dict[str, object], name: str, expected: FileState) -> None:
    assert state(surveyed(NAMES, **options), name) is expected


def test_every_skipped_file_says_why() -> None:
    skipped = [file for file in surveyed(NAMES).files if file.state is FileState.SKIPPED]

    assert skipped
    assert all(file.reason for file in skipped)


def test_a_database_that_the_request_names_and_that_is_not_there_is_missing() -> None:
    (problem,) = surveyed(NAMES, databases=["bank", "nowhere"]).problems

    assert problem.startswith("databases: nowhere is not in the backup")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"databases": ["no*"]}, "databases: no* is not in the backup"),
        ({"databases": ["bank"], "exclude": ["bank"]}, "databases: bank is not in the backup, or left out"),
        ({"exclude": ["*"]}, "databases: * is not in the backup, or left out"),
        ({"databases": [{"name": "postgres", "as": "copy"}]}, "databases: postgres is not in the backup"),
        ({"databases": [{"name": "other", "as": "bank"}, "*"]}, "databases: bank, other would all become bank"),
        ({"databases": [{"name": "*", "as": "*" + "x" * 60}]}, "is longer than 63 bytes"),
    ],
)
def test_what_the_request_asks_for_and_the_files_cannot_give_is_a_problem(
    options: dict[str, object], problem: str
) -> None:
    found = surveyed([*NAMES, "b_database_other.sql"], **options).problems

    assert any(problem in line for line in found), found


def test_a_database_gets_the_name_that_the_request_gives_it() -> None:
    found = surveyed(NAMES, databases=[{"name": "*", "as": "*_drill"}])

    assert next(file.final_name for file in found.files if file.database == "bank") == "bank_drill"
