"""The restore request: what is accepted, and how every error is told at once."""

import json
from pathlib import Path

import pytest

from shared.contracts.request import FilesSource, RestoreRequest, read_request
from shared.errors import RequestRejected

MINIMAL = {"requestId": "INC-1", "source": {"backupInstance": "orders"}, "target": "drill"}


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
    request = read_request({**MINIMAL, "source": {"container": "landing-1", "backupName": "b1"}})

    assert isinstance(request.source, FilesSource)


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


def test_the_published_schema_is_the_contract() -> None:
    published = Path(__file__).parents[4] / "docs" / "restore-request.schema.json"

    assert json.loads(published.read_text()) == RestoreRequest.model_json_schema(by_alias=True)
