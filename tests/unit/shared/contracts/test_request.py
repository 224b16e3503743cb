"""The restore request: what is accepted, and how every error is told at once."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from shared.contracts.request import FilesSource, Mode, RestoreRequest, matches, read_request
from shared.errors import RequestRejected

MINIMAL = {"requestId": "INC-1", "source": {"backupInstance": "orders"}, "target": "drill"}
LANDED = {**MINIMAL, "source": {"container": "landing-1", "backupName": "b1"}}


def details(data: object) -> list[str]:
    with pytest.raises(RequestRejected) as caught:
        read_request(data)
    return caught.value.details


def test_a_minimal_request_asks_for_every_database_of_the_latest_point_and_overwrites_nothing() -> None:
    request = read_request(MINIMAL)

    assert request.final_name("anything") == "anything"
    assert request.on_conflict == "fail"
    assert request.to_wire()["source"] == {"backupInstance": "orders", "recoveryPoint": "latest", "atOrBefore": None}


def test_a_request_survives_the_durable_boundary() -> None:
    request = read_request(
        {
            **MINIMAL,
            "source": {"backupInstance": "orders", "atOrBefore": "2026-11-20T03:00:00Z"},
            "databases": ["bank", {"name": "at*", "as": "*_copy"}],
        }
    )

    assert read_request(json.loads(json.dumps(request.to_wire()))) == request


def test_files_that_have_landed_are_a_source_of_their_own() -> None:
    assert isinstance(read_request(LANDED).source, FilesSource)


@pytest.mark.parametrize(
    ("data", "mode"),
    [
        (MINIMAL, Mode.FULL),
        (LANDED, Mode.IMPORT_ONLY),
        ({**MINIMAL, "mode": "files-only"}, Mode.FILES_ONLY),
        ({**LANDED, "mode": "import-only"}, Mode.IMPORT_ONLY),
    ],
)
def test_landed_files_are_imported_only_and_a_backup_instance_fully_unless_told_otherwise(
    data: dict[str, object], mode: Mode
) -> None:
    request = read_request(data)

    assert request.mode is mode
    assert read_request(request.to_wire()) == request


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        ({**LANDED, "mode": "full"}, "mode: full wants a source that names a backupInstance"),
        ({**LANDED, "mode": "files-only"}, "mode: files-only wants a source that names a backupInstance"),
        (
            {**MINIMAL, "mode": "import-only"},
            "mode: import-only wants a source that names a container and a backupName",
        ),
        ({**MINIMAL, "mode": "half"}, "mode: Input should be 'full', 'files-only' or 'import-only'"),
        # What is wrong with the source says nothing of the mode.
        ({**MINIMAL, "source": {"container": "landing-1"}}, "source.backupName: is missing"),
        ({**MINIMAL, "source": {}, "mode": "import-only"}, "source.backupInstance: is missing"),
    ],
)
def test_a_mode_that_does_not_go_with_the_source_is_told_as_the_mode(data: dict[str, object], finding: str) -> None:
    assert details(data) == [finding]


def test_a_minimal_request_keeps_all_of_a_database_and_creates_the_roles_that_are_missing() -> None:
    request = read_request(MINIMAL)

    assert (request.roles, request.owners, request.grants, request.schema_only) == ("missing", "keep", "keep", False)


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"requestId": "../x"}, "requestId: String should match pattern"),
        ({"requestId": "x" * 81}, "requestId: String should match pattern"),
        ({"source": {}}, "source.backupInstance: is missing"),
        ({"source": {"backupInstance": "a", "typo": 1}}, "source.typo: is not a field of this contract"),
        ({"source": {"container": "landing-1"}}, "source.backupName: is missing"),
        ({"source": "orders"}, "source: must be a JSON object"),
        ({"source": {"backupInstance": "a", "recoveryPoint": "x", "atOrBefore": "2026-01-01T00:00:00Z"}}, "not both"),
        ({"source": {"backupInstance": "a", "atOrBefore": "2026-01-01T00:00:00"}}, "should have timezone info"),
        ({"databases": []}, "databases: is empty"),
        ({"databases": [{"nam": "x"}]}, "databases[0].name: is missing"),
        ({"databases": [{"name": "a*", "as": "b"}]}, "databases[0]: a pattern matches several"),
        ({"databases": ["a", {"name": "b", "as": "a"}]}, "several databases would get the same name: a"),
        ({"databases": [{"name": "a", "as": "postgres"}]}, "belongs to the server itself"),
        ({"databases": [{"name": "a", "as": "ü" * 32}]}, "longer than 63 bytes"),
        ({"databases": [{"name": "a", "as": "b\0"}]}, "cannot be shown"),
        ({"onConflict": "overwrite"}, "onConflict: Input should be 'fail', 'skip' or 'replace'"),
        ({"roles": "import"}, "roles: Input should be 'none', 'missing' or 'all'"),
        ({"owners": "skip"}, "owners: Input should be 'keep' or 'drop'"),
        ({"grants": False}, "grants: Input should be 'keep' or 'drop'"),
        ({"schemaOnly": "some"}, "schemaOnly: Input should be a valid boolean"),
        ({"priority": "urgent"}, "priority: Input should be 'low', 'normal' or 'high'"),
        ({"approval": "none"}, "approval: Input should be 'as-configured' or 'required'"),
        ({"reason": "x" * 1_001}, "reason: String should have at most 1000 characters"),
        ({"notify": ["a"] * 11}, "notify: Tuple should have at most 10 items"),
        ({"version": "2"}, "version: Input should be '1'"),
        ({"dropEverything": True}, "dropEverything: is not a field of this contract"),
    ],
)
def test_an_error_is_told_with_its_path(change: dict[str, object], finding: str) -> None:
    found = details({**MINIMAL, **change})

    assert any(finding in line for line in found), found


def test_all_errors_are_told_at_once() -> None:
    assert details({"typo": 1}) == [
        "requestId: is missing",
        "source: is missing",
        "target: is missing",
        "typo: is not a field of this contract",
    ]


@pytest.mark.parametrize("data", [[], "text", None, 7])
def test_what_is_no_object_is_told_as_the_whole_message(data: object) -> None:
    assert details(data) == ["(the whole message): must be a JSON object"]


@pytest.mark.parametrize(
    ("choices", "exclude", "database", "final"),
    [
        (["bank"], [], "bank", "bank"),
        (["bank"], [], "atlas", None),
        ([{"name": "bank", "as": "bank_drill"}], [], "bank", "bank_drill"),
        ([{"name": "*", "as": "*_drill"}], [], "bank", "bank_drill"),
        (["*"], ["ba*"], "bank", None),
        # a name beats a pattern, whichever comes first
        ([{"name": "*", "as": "*_x"}, {"name": "bank", "as": "kept"}], [], "bank", "kept"),
        (["BANK"], [], "bank", None),
        # only * and ? are signs
        (["a[1]"], [], "a1", None),
        (["a[1]"], [], "a[1]", "a[1]"),
    ],
)
def test_the_request_names_databases_and_their_final_names(
    choices: list[object], exclude: list[str], database: str, final: str | None
) -> None:
    request = read_request({**MINIMAL, "databases": choices, "exclude": exclude})

    assert request.final_name(database) == final


PUBLISHED = json.loads((Path(__file__).parents[4] / "docs" / "restore-request.schema.json").read_text())


def test_the_published_schema_is_the_contract() -> None:
    assert RestoreRequest.model_json_schema(by_alias=True) == PUBLISHED


@pytest.mark.parametrize(
    "data",
    [
        MINIMAL,
        LANDED,
        {**MINIMAL, "databases": ["bank", {"name": "atlas", "as": "atlas_drill"}], "roles": "all", "schemaOnly": True},
        read_request(MINIMAL).to_wire(),
    ],
)
def test_what_the_contract_takes_the_published_schema_takes(data: dict[str, object]) -> None:
    read_request(data)

    assert list(Draft202012Validator(PUBLISHED).iter_errors(data)) == []


def test_a_pattern_of_many_stars_is_matched_in_no_time() -> None:
    """With a regular expression of our own this would take longer than the universe has existed."""
    assert not matches("a" * 63, "*a" * 90 + "b")


def test_more_than_one_restore_can_import_is_refused() -> None:
    found = details({**MINIMAL, "databases": [f"d{number}" for number in range(501)], "exclude": ["x"] * 501})

    assert [line.partition(":")[0] for line in found] == ["databases", "exclude"]
