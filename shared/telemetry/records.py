"""What is told: a span, a measurement. Plain values, which a thread hands to OpenTelemetry later."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

type Kind = Literal["internal", "server", "consumer"]
type Attribute = str | int | float | bool


@dataclass(frozen=True)
class Span:
    """A piece of work that has ended."""

    name: str
    kind: Kind
    began: int
    """Nanoseconds since 1970, as the next."""
    ended: int
    attributes: Mapping[str, Attribute]
    restore: str = ""
    """The restore that it belongs to; empty where it is a trace of its own."""
    linked: str = ""
    """The restore that it is about without belonging to it."""
    id: int = 0
    """0 for one by chance."""
    error: str = ""
    """The word for what went wrong; empty where nothing did."""


@dataclass(frozen=True)
class Instrument:
    """A counter, or with `bounds` a histogram."""

    name: str
    unit: str
    description: str
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Measurement:
    """A value for an instrument."""

    instrument: Instrument
    value: float
    attributes: Mapping[str, Attribute]


type Record = Span | Measurement
