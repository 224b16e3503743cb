"""What the app tells its operator: log lines that say what they are about, spans, and metrics (docs/telemetry.md).

Nobody who tells something waits for it: `delivery` takes it, and a thread of its own hands it to OpenTelemetry, which
is imported there and only where something is configured. What cannot be delivered is lost, and nothing else is.
"""
