"""Events for the ticketing system: CloudEvents 1.0 in JSON."""

from typing import Any, Literal

from pydantic import Field

from shared.contracts.base import Contract


class Event(Contract):
    """A CloudEvent; `id` is stable, so that a repeated delivery can be told."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    type: str
    """`flexrestore.phase`, `flexrestore.message.rejected`, `flexrestore.file.unclaimed`."""
    source: str = "/flex-restore"
    subject: str
    """The request id, or what the event is about where there is none."""
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    data: dict[str, Any] = Field(default_factory=dict)
