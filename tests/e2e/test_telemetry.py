"""What a restore tells its operator: one trace by all its workers, counts, and lines that say whose they are."""

import json
import re
from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from local.environment import Environment
from shared.contracts.progress import Phase
from shared.telemetry.spans import root_of, trace_of

type Line = dict[str, Any]
type Series = tuple[str, ...]
IMPORTING = {"load_database", "verify_database", "promote_database"}
ACTIVITIES = IMPORTING | {
    "publish_phase", "check_running", "make_plan", "start_validation", "check_operation", "reserve_landing",
    "start_restore", "check_job", "close_landing", "open_import", "check_import", "survey_landing", "import_roles",
    "enter_target", "leave_target",
    "verify_restore", "close_restore", "write_report", "release_landing",
}  # fmt: skip
"""What the restore of one database runs."""


def lines(paths: set[Path]) -> list[Line]:
    """What the processes have written so far; the last line of a file may still be on its way."""
    texts = [path.read_text().rpartition("\n")[0] for path in paths]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def counted(paths: set[Path]) -> Counter[Series]:
    """The counters over all processes, and the counts of histograms, by name and the values of their attributes."""
    sums: Counter[Series] = Counter()
    for line in lines(paths):
        for metric in line["resource_metrics"][0]["scope_metrics"][0]["metrics"]:
            for point in metric["data"]["data_points"]:
                values = [str(point["attributes"][key]) for key in sorted(point["attributes"])]
                sums[metric["name"].removeprefix("flexrestore."), *values] += point.get("value", point.get("count"))
    return sums


def trace(folder: Path, request_id: str) -> list[Line]:
    """The spans of a restore's trace so far."""
    wanted = f"0x{trace_of(request_id):032x}"
    return [span for span in lines(set(folder.glob("spans-*"))) if span["context"]["trace_id"] == wanted]


def all_told(ticketing: Any) -> bool:
    """Whether every restore that has come to its end has told it."""
    restores = ticketing.call("GET", "restores?size=100").json()["restores"]
    open_ends = [one["requestId"] for one in restores if not Phase(one["phase"]).is_terminal]
    return not any(ticketing.status(request_id).phase.is_terminal for request_id in open_ends)


def moment(span: Line, name: str) -> datetime:
    return datetime.fromisoformat(span[f"{name}_time"])


def test_restores_rows_and_bytes_are_counted_as_the_reports_tell_them(
    environment: Environment, ticketing: Any, telemetry_folder: Path
) -> None:
    """Processes of their own, so that nothing of other tests is counted."""
    ticketing.wait(lambda: all_told(ticketing), "the ends of other tests")
    environment.restart_host()
    others = set(telemetry_folder.glob("metrics-*"))

    both = [{"name": name, "as": f"{name}_m1"} for name in ("shop", "brittle")]
    for ticket in (
        ticketing.ticket("m1", databases=both),
        ticketing.ticket("m2", dryRun=True),
        ticketing.ticket("m3", target="nobody-knows-it"),
    ):
        ticketing.send(ticket)
    done = ticketing.ended("m1")
    ticketing.send(ticketing.ticket("m1"))
    summary = ticketing.report("m1").summary
    expected = {
        ("restores", "False", done.phase, "drill"): 1,
        ("restores", "True", "Completed", "drill"): 1,
        ("restores", "False", "Rejected", "unknown"): 1,
        ("phase.duration", "Accepted", "drill"): 2,
        ("phase.duration", "Planning", "drill"): 2,
        ("phase.duration", "AwaitingLanding", "drill"): 1,
        ("phase.duration", "Restoring", "drill"): 1,
        ("phase.duration", "Importing", "drill"): 1,
        ("phase.duration", "Verifying", "drill"): 1,
        ("phase.duration", "Accepted", "unknown"): 1,
        ("phase.duration", "Planning", "unknown"): 1,
        ("request.queued", "started"): 3,
        ("request.queued", "duplicate"): 1,
        ("import.rows", "drill"): summary.rows,
        ("import.bytes", "drill"): summary.size,
        ("activity.duration", "load_database", "ok"): 1,
        ("activity.duration", "load_database", "failed"): 1,
    }

    def seen() -> Counter[Series] | None:
        found = counted(set(telemetry_folder.glob("metrics-*")) - others)
        return found if all(found[series] >= count for series, count in expected.items()) else None

    found = ticketing.wait(seen, "the counts of three restores")
    assert (summary.restored, summary.rows) == (1, 200_200)
    activities = {series for series in found if series[0] == "activity.duration"}
    assert {series: count for series, count in found.items() if series not in activities - expected.keys()} == expected


def test_the_work_of_all_workers_is_one_trace_and_every_line_says_what_it_is_about(
    environment: Environment, ticketing: Any, telemetry_folder: Path
) -> None:
    ticketing.wait(lambda: all_told(ticketing), "the ends of other tests")
    log = environment._host._log
    said_before = log.stat().st_size
    status = ticketing.restore("m4")

    expected = {*ACTIVITIES, *_phases(status)[:-1], "restore", "request_queued", "file_landed"}

    def delivered() -> dict[str, Line] | None:
        found = {span["name"]: span for span in trace(telemetry_folder, "m4")}
        return found if expected <= found.keys() else None

    by_name = ticketing.wait(delivered, "a span of every activity")
    spans = trace(telemetry_folder, "m4")
    assert by_name.keys() == expected
    whole = by_name["restore"]
    assert whole["context"]["span_id"] == f"0x{root_of('m4'):016x}"
    assert {span["parent_id"] for span in spans if span is not whole} - {whole["context"]["span_id"]} <= {None}
    assert {span["attributes"]["flexrestore.restore"] for span in spans} == {"m4"}
    assert {span["resource"]["attributes"]["service.name"] for span in spans} == {"flex-restore"}

    ended = [span for span in spans if span["name"] in set(Phase)]
    ended.sort(key=lambda span: moment(span, "start"))
    assert [span["name"] for span in ended] == _phases(status)[:-1]
    assert all(moment(one, "end") == moment(following, "start") for one, following in pairwise(ended))
    assert (moment(whole, "start"), moment(whole, "end")) == (moment(ended[0], "start"), moment(ended[-1], "end"))

    about = [by_name[name]["attributes"] for name in IMPORTING]
    assert {(one["flexrestore.database"], one["flexrestore.phase"]) for one in about} == {("shop", "Importing")}
    assert all(one["flexrestore.file"].endswith("_database_shop.sql") for one in about)

    said = log.read_bytes()[said_before:].decode().splitlines()
    by_activities = [
        (found[1], line)
        for line in said
        if (found := re.search(r" Function\.(\w+)\.User ", line)) and found[1] in ACTIVITIES
    ]
    assert {"publish_phase", "promote_database"} <= {name for name, _ in by_activities}
    assert [line for _, line in by_activities if "[restore=m4" not in line] == []
    for name, line in by_activities:
        if name in IMPORTING:
            assert re.search(r" \[restore=m4 phase=Importing file=\S+_database_shop\.sql database=shop\]$", line)


def _phases(status: Any) -> list[str]:
    return [str(entry.phase) for entry in status.phases]
