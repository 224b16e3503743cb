"""The report as a contract: one published schema, described, that may grow."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from shared.contracts.progress import Phase
from shared.contracts.report import Report, StepKind, report_schema

DOCS = Path(__file__).parents[4] / "docs"
DOCUMENTATION = (DOCS / "report.md").read_text()
SCHEMA = report_schema()
YESTERDAY = {
    "version": "1",
    "requestId": "INC-1",
    "phase": "Completed",
    "message": "files: 1 imported",
    "request": {"requestId": "INC-1"},
    "plan": None,
    "backupTaken": None,
    "container": "landing-1",
    "job": "571e",
    "phases": [],
    "times": [],
    "files": [{"file": {"name": "b_roles.sql", "kind": "roles", "state": "imported"}}],
    "unknown": [],
    "warnings": [],
    "errors": [],
    "writtenAt": "2026-04-01T03:51:49+00:00",
}
"""A report as it was before it told what to do next."""


def test_the_published_schema_is_the_contract() -> None:
    assert json.loads((DOCS / "restore-report.schema.json").read_text()) == SCHEMA


def test_a_report_that_was_kept_is_still_read() -> None:
    report = Report.from_wire(YESTERDAY)

    assert (report.phase, report.summary, report.next_steps) == (Phase.COMPLETED, None, ())


def test_what_is_written_is_what_the_schema_says() -> None:
    report = Report.from_wire(YESTERDAY).to_wire()

    jsonschema.validate(report, SCHEMA)
    with pytest.raises(jsonschema.ValidationError, match="'Done'"):
        jsonschema.validate({**report, "phase": "Done"}, SCHEMA)


def test_a_reader_of_today_takes_the_fields_of_tomorrow() -> None:
    report = Report.from_wire(YESTERDAY).to_wire()

    jsonschema.validate({**report, "seal": "wax", "files": [{**report["files"][0], "color": "red"}]}, SCHEMA)


def test_every_part_of_a_report_is_described() -> None:
    models = {name: part for name, part in SCHEMA["$defs"].items() if "type" in part}

    assert [name for name, part in models.items() if not part.get("description")] == []


def test_the_documentation_names_every_kind_of_step() -> None:
    table = DOCUMENTATION.partition("| `kind` | when |")[2]

    assert set(re.findall(r"`([a-z-]+)`", table)) >= set(StepKind)


def test_the_documentation_names_every_field() -> None:
    table = DOCUMENTATION.partition("| field | what |")[2].partition("\n\n")[0]
    told = set(re.findall(r"`([A-Za-z]+)`", table))

    assert set(SCHEMA["properties"]) - told == {"version", "requestId", "container", "writtenAt"}
