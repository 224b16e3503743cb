"""OpenTelemetry: the SDK's processors and exporters. Only the thread that delivers imports this."""

import logging
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ConsoleMetricExporter,
    MetricExporter,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator

from shared.settings import TelemetrySettings
from shared.telemetry.metrics import INSTRUMENTS
from shared.telemetry.records import Instrument, Measurement, Record, Span
from shared.telemetry.spans import root_of, trace_of

_log = logging.getLogger(__name__)
_SERVICE = "flex-restore"
_KINDS = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "consumer": trace.SpanKind.CONSUMER,
}
_DELTA: dict[type, AggregationTemporality] = dict.fromkeys((Counter, Histogram), AggregationTemporality.DELTA)
"""Each line tells what came since the last one: the sum over all lines of all processes is the whole."""


def pipelines(chosen: TelemetrySettings, application_insights: str) -> "list[Pipeline]":
    """One for each place that is configured; one that cannot be reached is told and keeps none of the others."""
    resource = Resource.create(
        {"service.name": _SERVICE, "service.instance.id": f"{socket.gethostname()}-{os.getpid()}"}
    )
    wanted: dict[str, Callable[[], Place]] = {}
    if chosen.telemetry_folder:
        wanted["the telemetry folder"] = lambda: _to_files(Path(chosen.telemetry_folder))
    if application_insights:
        wanted["Application Insights"] = lambda: _to_application_insights(application_insights, resource)
    found = []
    for name, place in wanted.items():
        try:
            found.append(Pipeline(name, place(), resource, chosen.telemetry_seconds))
        except Exception:  # noqa: BLE001 -- of whatever kind: a folder that cannot be written, a text that is no address
            _log.exception("Spans and metrics do not go to %s; docs/telemetry.md tells of its settings.", name)
    return found


@dataclass(frozen=True)
class Place:
    """Where spans and metrics go."""

    spans: SpanExporter
    metrics: MetricExporter
    files: tuple[TextIO, ...] = ()
    """What is to be closed at the end."""


class Pipeline:
    """The way of spans and measurements to one place. Used by one thread."""

    def __init__(self, name: str, place: Place, resource: Resource, seconds: float) -> None:
        self.name = name
        self._files = place.files
        self._ids = _ChosenIds()
        self._spans = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._spans.add_span_processor(BatchSpanProcessor(place.spans, schedule_delay_millis=seconds * 1_000))
        self._tracer = self._spans.get_tracer(_SERVICE)
        reader = PeriodicExportingMetricReader(place.metrics, export_interval_millis=seconds * 1_000)
        self._metrics = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        self._recorders = {instrument.name: self._recorder(instrument) for instrument in INSTRUMENTS}

    def take(self, record: Record) -> None:
        """Hand it on."""
        if isinstance(record, Measurement):
            self._recorders[record.instrument.name](record.value, record.attributes)
        else:
            self._take_span(record)

    def flush(self) -> None:
        """Export what was handed on."""
        self._spans.force_flush()
        self._metrics.force_flush()

    def close(self) -> None:
        """Export what was handed on, and nothing more."""
        self._spans.shutdown()
        self._metrics.shutdown()
        for file in self._files:
            file.close()

    def _take_span(self, told: Span) -> None:
        self._ids.span_id = told.id
        self._ids.trace_id = trace_of(told.restore) if told.restore else 0
        under = told.restore and told.id != root_of(told.restore)
        span = self._tracer.start_span(
            told.name,
            context=trace.set_span_in_context(_root(told.restore)) if under else Context(),
            kind=_KINDS[told.kind],
            attributes=dict(told.attributes),
            links=[trace.Link(_root(told.linked).get_span_context())] if told.linked else [],
            start_time=told.began,
        )
        if told.error:
            span.set_status(trace.Status(trace.StatusCode.ERROR, told.error))
        span.end(told.ended)

    def _recorder(self, instrument: Instrument) -> Callable[..., None]:
        meter = self._metrics.get_meter(_SERVICE)
        about = {"unit": instrument.unit, "description": instrument.description}
        if instrument.bounds:
            bounds = instrument.bounds
            return meter.create_histogram(instrument.name, **about, explicit_bucket_boundaries_advisory=bounds).record
        return meter.create_counter(instrument.name, **about).add


class _ChosenIds(IdGenerator):
    """Ids as they were chosen for the next span; 0 leaves one to chance."""

    def __init__(self) -> None:
        self._chance = RandomIdGenerator()
        self.trace_id = self.span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id or self._chance.generate_trace_id()

    def generate_span_id(self) -> int:
        return self.span_id or self._chance.generate_span_id()


def _root(restore: str) -> trace.NonRecordingSpan:
    """The span of a restore, which ends after those that stand under it."""
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    return trace.NonRecordingSpan(
        trace.SpanContext(trace_of(restore), root_of(restore), is_remote=True, trace_flags=flags)
    )


def _to_files(folder: Path) -> Place:
    """JSON lines, in files of this process's own: several processes would mix their lines in one."""
    folder.mkdir(parents=True, exist_ok=True)
    process = f"{os.getpid()}-{secrets.token_hex(4)}"
    spans, metrics = (
        (folder / f"{kind}-{process}.jsonl").open("a", encoding="utf-8", buffering=1) for kind in ("spans", "metrics")
    )
    return Place(
        ConsoleSpanExporter(out=spans, formatter=lambda span: f"{span.to_json(indent=None)}\n"),
        ConsoleMetricExporter(
            out=metrics, formatter=lambda data: f"{data.to_json(indent=None)}\n", preferred_temporality=_DELTA
        ),
        (spans, metrics),
    )


def _to_application_insights(connection: str, resource: Resource) -> Place:
    """The exporters sign in with a managed identity when APPLICATIONINSIGHTS_AUTHENTICATION_STRING says so."""
    from azure.monitor.opentelemetry.exporter import (  # noqa: PLC0415 -- heavy, and needed in Azure only
        AzureMonitorMetricExporter,
        AzureMonitorTraceExporter,
    )

    return Place(
        AzureMonitorTraceExporter(
            connection_string=connection,
            # The global one otherwise, which is not set; it is asked for its resource only.
            tracer_provider=TracerProvider(resource=resource, shutdown_on_exit=False),
        ),
        AzureMonitorMetricExporter(connection_string=connection),
    )
