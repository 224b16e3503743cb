"""The published schemas, tried with a validator that is not ours: what they take, and what they refuse."""

import copy
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from shared.contracts.decisions import Verdict
from shared.contracts.events import (
    ApprovalData,
    CancellationData,
    DecisionData,
    DuplicateData,
    Event,
    FileData,
    FileUnclaimed,
    FileUnknown,
    HousekeepingData,
    HousekeepingDone,
    MessageRejected,
    NotRemovedData,
    PhaseData,
    PhaseEntered,
    Problem,
    RejectionData,
    RemovedData,
    RequestDuplicate,
    RestoreStuck,
    StuckData,
)
from shared.contracts.progress import Phase
from shared.contracts.request import read_request
from shared.errors import RequestRejected

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 4, 1, 2, 30, tzinfo=UTC)
FILE = FileData(container="landing-1", name="n", message="m")
PHASE = PhaseData(
    phase=Phase.REJECTED,
    message="m",
    started_at=NOW,
    errors=(Problem(code="c", message="m", details=("d",)),),
    container="landing-1",
    job="j",
    report={"json": "https://x/report.json", "page": "https://x/report.html"},
    approval=ApprovalData(
        deadline=NOW, decision=DecisionData(verdict=Verdict.REJECTED, by="dba", reason="not tonight", at=NOW)
    ),
    cancelled=CancellationData(by="dba", reason="wrong server"),
)
STUCK = StuckData(phase=Phase.IMPORTING, since=NOW, ended=Phase.FAILED, message="m")
KEPT = HousekeepingData(
    removed=(RemovedData(kind="files", name="n", restore="r", why="w", count=2),),
    failed=(NotRemovedData(kind="database", name="n", message="m"),),
)
EVENTS: tuple[Event, ...] = (
    PhaseEntered(id="i", subject="r", time=NOW, sequence="000002", data=PHASE),
    PhaseEntered(id="i", subject="r", time=NOW, sequence="000001", data=PHASE.model_copy(update={"approval": None})),
    RequestDuplicate(id="i", subject="r", time=NOW, data=DuplicateData(phase=Phase.RESTORING, message="m")),
    MessageRejected(id="i", subject="m", time=NOW, data=RejectionData(message="m", errors=("e",), body="b")),
    FileUnclaimed(id="i", subject="c/n", time=NOW, data=FILE),
    FileUnknown(id="i", subject="c/n", time=NOW, data=FILE),
    RestoreStuck(id="i", subject="r", time=NOW, data=STUCK),
    HousekeepingDone(id="i", subject="delete_files", time=NOW, data=KEPT),
)
type Place = tuple[str | int, ...]


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    """Where each member of an object lies, at whatever depth."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        if isinstance(name, str):
            yield (*above, name)
        yield from places(member, (*above, name))


def changed(event: dict[str, Any], place: Place, value: Any = None, *, gone: bool = False) -> dict[str, Any]:
    mutant = copy.deepcopy(event)
    holder: Any = mutant
    for step in place[:-1]:
        holder = holder[step]
    if gone:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return mutant


def examples(page: Path) -> list[dict[str, Any]]:
    shown = re.findall(r"^```json\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [json.loads(block) for block in shown]


def requests_shown() -> list[Any]:
    shown = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        requests = [example for example in examples(page) if {"requestId", "source"} <= example.keys()]
        shown += [pytest.param(request, id=f"{page.name}-{request['requestId']}") for request in requests]
    return shown


def test_each_type_of_event_is_tried() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(Event.__value__))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
class TestEvents:
    def test_an_event_is_taken(self, event: Event, event_schema: Draft202012Validator) -> None:
        event_schema.validate(event.to_wire())

    def test_none_that_lacks_a_field_is_taken(self, event: Event, event_schema: Draft202012Validator) -> None:
        told = event.to_wire()
        needed = [place for place in places(told) if "report" not in place[:-1]]

        assert needed
        assert [place for place in needed if event_schema.is_valid(changed(told, place, gone=True))] == []

    @pytest.mark.parametrize("wrong", [7.5, ["text", 7]], ids=str)
    def test_none_with_a_field_of_another_type_is_taken(
        self, event: Event, event_schema: Draft202012Validator, wrong: object
    ) -> None:
        told = event.to_wire()

        assert [place for place in places(told) if event_schema.is_valid(changed(told, place, wrong))] == []

    def test_a_field_of_tomorrow_is_taken(self, event: Event, event_schema: Draft202012Validator) -> None:
        event_schema.validate(changed(changed(event.to_wire(), ("new",), 7), ("data", "new"), 7))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("specversion",), "2.0"),
        (("source",), "/elsewhere"),
        (("type",), "flexrestore.something"),
        (("type",), "flexrestore.request.duplicate.more"),
        (("datacontenttype",), "text/plain"),
        (("time",), "2026-04-01 02:30:00Z"),
        (("time",), "2026-04-01T02:30:00"),
        (("time",), "2026-13-01T02:30:00Z"),
        (("sequence",), "2"),
        (("sequence",), "0000002"),
        (("data", "phase"), "Sleeping"),
        (("data", "startedAt"), "yesterday"),
        (("data", "approval", "deadline"), "tomorrow"),
        (("data", "approval", "decision", "verdict"), "maybe"),
        (("data", "approval", "decision", "at"), ""),
    ],
)
def test_no_value_is_taken_that_a_reader_would_not_know(
    event_schema: Draft202012Validator, place: Place, value: str
) -> None:
    assert not event_schema.is_valid(changed(EVENTS[0].to_wire(), place, value))


def test_the_documentations_events_are_taken(event_schema: Draft202012Validator) -> None:
    shown = [event for event in examples(ROOT / "docs" / "events.md") if "specversion" in event]

    assert shown
    for event in shown:
        event_schema.validate(event)


def test_the_documentation_shows_requests() -> None:
    assert requests_shown()


@pytest.mark.parametrize("request_shown", requests_shown())
def test_a_request_of_the_documentation_is_taken(
    request_schema: Draft202012Validator, request_shown: dict[str, Any]
) -> None:
    request_schema.validate(request_shown)
    read_request(request_shown)


REQUEST = {"requestId": "INC-1", "source": {"backupInstance": "orders"}, "target": "drill"}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"source": {"backupInstance": "orders", "atOrBefore": "2026-04-01T02:30:00+02:00"}},
        {"source": {"container": "landing-1", "backupName": "b"}},
        {"databases": ["bank", "at*", {"name": "atlas", "as": "atlas_drill"}]},
        {"notify": ["audit"], "onConflict": "replace", "dryRun": True},
    ],
    ids=str,
)
def test_a_right_request_is_taken_by_the_schema_and_by_the_app(
    request_schema: Draft202012Validator, change: dict[str, Any]
) -> None:
    request_schema.validate({**REQUEST, **change})
    read_request({**REQUEST, **change})


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        [],
        {name: value for name, value in REQUEST.items() if name != "target"},
        {**REQUEST, "requestId": "INC 1"},
        {**REQUEST, "version": "2"},
        {**REQUEST, "source": "orders"},
        {**REQUEST, "source": {}},
        {**REQUEST, "source": {"container": "landing-1"}},
        {**REQUEST, "source": {"backupInstance": "orders", "container": "landing-1", "backupName": "b"}},
        {**REQUEST, "source": {"backupInstance": "orders", "atOrBefore": "2026-04-01T02:30:00"}},
        {**REQUEST, "databases": "bank"},
        {**REQUEST, "databases": [""]},
        {**REQUEST, "databases": [7]},
        {**REQUEST, "databases": [{"as": "atlas_drill"}]},
        {**REQUEST, "onConflict": "overwrite"},
        {**REQUEST, "notify": "audit"},
        {**REQUEST, "notify": [str(number) for number in range(11)]},
        {**REQUEST, "dropEverything": True},
    ],
    ids=str,
)
def test_a_wrong_request_is_refused_by_the_schema_and_by_the_app(
    request_schema: Draft202012Validator, wrong: Any
) -> None:
    assert not request_schema.is_valid(wrong)
    with pytest.raises(RequestRejected):
        read_request(wrong)
