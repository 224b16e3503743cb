"""The flow as prose: deterministic, without I/O, clock, environment or random."""
