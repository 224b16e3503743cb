"""Events: one published schema, ids that stay, and nothing that a reader would have to know in advance."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from shared.contracts.events import Event, FileData, FileUnknown, PhaseEntered, event_id, event_schema

SCHEMA = event_schema()
EVENTS = get_args(Event.__value__)


def test_the_published_schema_is_the_contract() -> None:
    published = Path(__file__).parents[4] / "docs" / "restore-event.schema.json"

    assert json.loads(published.read_text()) == SCHEMA


def test_the_documentation_names_every_type() -> None:
    page = (Path(__file__).parents[4] / "docs" / "events.md").read_text()

    assert len(EVENTS) == len(SCHEMA["discriminator"]["mapping"])
    for kind in SCHEMA["discriminator"]["mapping"]:
        assert f"| `{kind}` |" in page


def test_the_documentations_events_are_what_the_app_tells() -> None:
    page = (Path(__file__).parents[4] / "docs" / "events.md").read_text()
    shown = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)]

    assert [event["data"]["phase"] for event in shown] == ["Restoring", "AwaitingApproval"]
    assert [PhaseEntered.from_wire(event).to_wire() for event in shown] == shown


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_every_event_has_the_attributes_of_a_cloud_event(event: Any) -> None:
    schema = SCHEMA["$defs"][event.__name__]

    assert {"specversion", "id", "source", "subject", "time", "datacontenttype", "type", "data"} <= {
        *schema["required"]
    }
    assert all(name.islower() and name.isalnum() for name in schema["properties"])


def test_a_reader_of_today_takes_the_fields_of_tomorrow() -> None:
    assert "additionalProperties" not in {name for part in SCHEMA["$defs"].values() for name in part}


def test_the_same_facts_have_the_same_id_and_others_another_one() -> None:
    assert event_id("phase", "r.1", 2) == event_id("phase", "r.1", 2)
    assert len({event_id("a", "b/c"), event_id("a/b", "c"), event_id("a", "b", "c")}) == 3


def test_no_id_holds_the_sign_that_separates_what_is_signed() -> None:
    assert "." not in event_id("phase", "INC.4711.", 1)


def test_times_are_told_as_rfc_3339() -> None:
    event = FileUnknown(
        id="i",
        subject="c/n",
        time=datetime(2026, 4, 1, tzinfo=UTC),
        data=FileData(container="c", name="n", message="m"),
    )

    assert event.to_wire()["time"] == "2026-04-01T00:00:00Z"
