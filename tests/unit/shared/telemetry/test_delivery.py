"""Delivery: to files, to Application Insights, to nobody; and a restore never notices."""

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from shared.settings import TelemetrySettings
from shared.telemetry.delivery import Delivery
from shared.telemetry.metrics import BYTES, QUEUE_AGE
from shared.telemetry.records import Measurement, Span
from shared.telemetry.spans import root_of, trace_of

ROOT = Path(__file__).parents[4]
BEGAN = 1_775_010_600_000_000_000
SPAN = Span("load_database", "internal", BEGAN, BEGAN + 2_500_000_000, {"flexrestore.database": "shop"}, restore="r")
WORKER = """
from shared.telemetry import delivery, metrics, spans
from shared.telemetry.about import about
with about(restore="r", database="shop"), spans.working("load_database", spans.Work()):
    pass
assert delivery.delivery().flush(30)
metrics.add(metrics.BYTES, 7, target="drill")
"""


def deliver(folder: Path, *records: Span | Measurement) -> None:
    delivery = Delivery(TelemetrySettings(telemetry_folder=str(folder), telemetry_seconds=300), "")
    for record in records:
        delivery.take(record)
    delivery.close(30)


def lines(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [json.loads(line) for path in folder.glob(f"{kind}-*.jsonl") for line in path.read_text().splitlines()]


def points(folder: Path, name: str) -> list[dict[str, Any]]:
    return [
        point
        for line in lines(folder, "metrics")
        for metric in line["resource_metrics"][0]["scope_metrics"][0]["metrics"]
        if metric["name"] == name
        for point in metric["data"]["data_points"]
    ]


def worker(environment: Mapping[str, str], program: str = WORKER) -> str:
    """A process of its own, to its end; its log."""
    settings = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, env=settings, cwd=ROOT, check=True, capture_output=True, text=True).stderr


def test_spans_become_lines_of_a_file(tmp_path: Path) -> None:
    deliver(
        tmp_path,
        SPAN,
        Span("restore", "consumer", BEGAN, BEGAN, {}, restore="r", id=root_of("r"), error="Failed"),
        Span("get_restore", "server", BEGAN, BEGAN, {}, linked="r"),
    )
    load, restore, look = lines(tmp_path, "spans")

    assert (load["start_time"], load["end_time"]) == ("2026-04-01T02:30:00.000000Z", "2026-04-01T02:30:02.500000Z")
    assert load["attributes"] == {"flexrestore.database": "shop"}
    assert load["context"]["trace_id"] == restore["context"]["trace_id"] == f"0x{trace_of('r'):032x}"
    assert load["parent_id"] == restore["context"]["span_id"] == f"0x{root_of('r'):016x}"
    assert restore["parent_id"] is None
    assert restore["status"] == {"status_code": "ERROR", "description": "Failed"}
    assert look["context"]["trace_id"] != load["context"]["trace_id"]
    assert [link["context"]["span_id"] for link in look["links"]] == [restore["context"]["span_id"]]


def test_measurements_are_summed_up(tmp_path: Path) -> None:
    drill = {"flexrestore.target": "drill"}
    deliver(tmp_path, Measurement(BYTES, 5, drill), Measurement(BYTES, 6, drill), Measurement(QUEUE_AGE, 2.5, {}))

    assert [(point["attributes"], point["value"]) for point in points(tmp_path, BYTES.name)] == [(drill, 11)]
    [age] = points(tmp_path, QUEUE_AGE.name)
    assert (age["count"], age["sum"]) == (1, 2.5)


def test_processes_do_not_mix_their_lines_and_deliver_at_their_end(tmp_path: Path) -> None:
    """What was counted after the last delivery of a process that ends by itself is not lost."""
    settings = {"FLEX_RESTORE_TELEMETRY_FOLDER": str(tmp_path), "FLEX_RESTORE_TELEMETRY_SECONDS": "300"}
    logs = [worker(settings) for _ in range(2)]

    assert logs == ["", ""]
    assert len(list(tmp_path.glob("spans-*.jsonl"))) == 2
    assert {line["context"]["trace_id"] for line in lines(tmp_path, "spans")} == {f"0x{trace_of('r'):032x}"}
    assert sum(point["value"] for point in points(tmp_path, BYTES.name)) == 14


def test_where_nothing_is_configured_nothing_is_loaded() -> None:
    """A cold start pays nothing for what nobody has asked for."""
    program = """
import sys, threading
import function_app
from shared.telemetry import metrics, spans
with spans.working("x", spans.Work()):
    metrics.add(metrics.BYTES, 7, target="drill")
assert not [name for name in sys.modules if name.startswith(("opentelemetry.sdk", "azure.monitor"))]
assert "telemetry" not in [thread.name for thread in threading.enumerate()]
"""
    worker({"FLEX_RESTORE_TELEMETRY_FOLDER": "", "APPLICATIONINSIGHTS_CONNECTION_STRING": ""}, program)


@pytest.fixture
def ingestion() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A service that takes what Application Insights takes: its connection string, and the envelopes that came."""
    envelopes: list[dict[str, Any]] = []

    class Track(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told = json.loads(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            envelopes.extend(told)
            answer = json.dumps({"itemsReceived": len(told), "itemsAccepted": len(told), "errors": []}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Track) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        key = "00000000-0000-0000-0000-000000000001"
        yield f"InstrumentationKey={key};IngestionEndpoint=http://127.0.0.1:{server.server_port}/", envelopes
        server.shutdown()
        thread.join()


def to_application_insights(connection: str, folder: Path) -> dict[str, str]:
    return {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": connection,
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",  # what Microsoft's exporter tells Microsoft of itself
        "FLEX_RESTORE_TELEMETRY_SECONDS": "300",
        "TMPDIR": str(folder),
    }


def test_application_insights_receives_spans_and_metrics(
    ingestion: tuple[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    """By Microsoft's exporter, over HTTP, in Application Insights' own terms."""
    connection, envelopes = ingestion
    log = worker(to_application_insights(connection, tmp_path))

    assert log == ""
    [span] = [one for one in envelopes if one["data"]["baseType"] == "RemoteDependencyData"]
    assert span["tags"]["ai.cloud.role"] == "flex-restore"
    assert span["tags"]["ai.operation.id"] == f"{trace_of('r'):032x}"
    assert span["data"]["baseData"]["name"] == "load_database"
    assert span["data"]["baseData"]["properties"]["flexrestore.database"] == "shop"
    metrics = [metric for one in envelopes for metric in one["data"]["baseData"].get("metrics", ())]
    assert [metric["value"] for metric in metrics if metric["name"] == BYTES.name] == [7]


def test_a_receiver_that_does_not_answer_fails_nothing(tmp_path: Path) -> None:
    nobody = "InstrumentationKey=00000000-0000-0000-0000-000000000002;IngestionEndpoint=http://127.0.0.1:1/"

    worker(to_application_insights(nobody, tmp_path), WORKER.replace("assert ", ""))


def test_a_folder_that_cannot_be_written_is_told_once_and_fails_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    deliver(tmp_path / "file", SPAN, SPAN)

    assert [record.getMessage() for record in caplog.records] == [
        "Spans and metrics do not go to the telemetry folder; docs/telemetry.md tells of its settings."
    ]


def test_a_place_that_cannot_be_reached_keeps_nothing_from_the_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = Delivery(TelemetrySettings(telemetry_folder=str(tmp_path), telemetry_seconds=300), "no such thing")
    delivery.take(SPAN)
    delivery.close(30)

    assert [span["name"] for span in lines(tmp_path, "spans")] == ["load_database"]
    assert [record.getMessage() for record in caplog.records] == [
        "Spans and metrics do not go to Application Insights; docs/telemetry.md tells of its settings."
    ]


def test_a_record_that_cannot_be_told_keeps_none_of_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Span("broken", "internal", BEGAN, BEGAN, {}, restore="r", id=-1)
    deliver(tmp_path, Measurement(BYTES, "seven", {}), broken, SPAN)  # type: ignore[arg-type]

    assert "load_database" in [span["name"] for span in lines(tmp_path, "spans")]
    assert any(record.levelname == "ERROR" for record in caplog.records)
