"""Delivery: spans and measurements on their way to OpenTelemetry, in a thread that nobody waits for."""

import atexit
import logging
import os
import threading
from functools import cache
from queue import SimpleQueue

from pydantic import ValidationError

from shared.settings import TelemetrySettings
from shared.telemetry.records import Record

_log = logging.getLogger(__name__)
_starting = threading.Lock()
_AT_EXIT = 5
"""Seconds that a process gives its last deliveries."""


class Delivery:
    """The thread, which sets OpenTelemetry up and hands on what it is given."""

    def __init__(self, chosen: TelemetrySettings, application_insights: str) -> None:
        self._chosen = chosen
        self._application_insights = application_insights
        self._given: SimpleQueue[Record | threading.Event | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._thread.start()
        atexit.register(self.close, _AT_EXIT)

    def take(self, record: Record) -> None:
        """Take what was told; nobody waits."""
        self._given.put(record)

    def flush(self, seconds: float) -> bool:
        """Wait until what was given before is delivered; whether that was done in this time."""
        done = threading.Event()
        self._given.put(done)
        return done.wait(seconds)

    def close(self, seconds: float) -> None:
        """Deliver what was given before, and nothing more; wait so long for it."""
        self._given.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            # Here, because the import takes time for which no start and no restore shall wait.
            from shared.telemetry.pipeline import pipelines  # noqa: PLC0415

            ready = pipelines(self._chosen, self._application_insights)
        except Exception:  # noqa: BLE001 -- of whatever kind: a restore needs none of this
            _log.exception("Spans and metrics go nowhere; docs/telemetry.md tells of their settings.")
            ready = []
        while (given := self._given.get()) is not None:
            for pipeline in ready:
                try:
                    pipeline.flush() if isinstance(given, threading.Event) else pipeline.take(given)
                except Exception:  # noqa: BLE001 -- the next record may be delivered
                    _log.exception("A record was not told to %s.", pipeline.name)
            if isinstance(given, threading.Event):
                given.set()
        for pipeline in ready:
            pipeline.close()


@cache
def delivery() -> Delivery | None:
    """The delivery of this process; None where nothing is configured, or not rightly, of which `settings()` tells."""
    try:
        chosen = TelemetrySettings()
    except ValidationError:
        return None
    connection = os.environ.get("APPLICATIONINSIGHTS_CONNECTION_STRING", "")  # the Functions host's own setting
    return Delivery(chosen, connection) if chosen.telemetry_folder or connection else None


def send(record: Record) -> None:
    """Tell it where something is configured; never raises, never waits."""
    with _starting:
        standing = delivery()
    if standing is not None:
        standing.take(record)
