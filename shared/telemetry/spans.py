"""Spans: one trace for each restore, whichever workers its activities ran in.

The ids of the trace and of its root follow from the request's id, so that nobody has to hand them on.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from shared.contracts.base import Json
from shared.contracts.progress import Phase, RestoreProgress
from shared.telemetry import delivery
from shared.telemetry.about import learning
from shared.telemetry.records import Attribute, Kind, Span

_FAILED = {Phase.PARTIALLY_FAILED, Phase.FAILED}


def trace_of(restore: str) -> int:
    """The id of a restore's trace."""
    return _number(16, "trace", restore)


def root_of(restore: str) -> int:
    """The id of a restore's own span, which the others stand under."""
    return _number(8, "restore", restore)


def _number(size: int, *facts: str) -> int:
    """A number of so many bytes that follows from the facts; 0, which is no id, cannot be met in practice."""
    return int.from_bytes(hashlib.sha256(json.dumps(facts).encode()).digest()[:size])


@dataclass
class Work:
    """A piece of work at hand, and what is told of it when it ends."""

    attributes: dict[str, Attribute] = field(default_factory=dict)
    outcome: str = "ok"
    code: str = ""

    def failed(self, code: str) -> None:
        """It has answered that it cannot be done."""
        self.outcome, self.code = "failed", code

    def answered(self, answer: Json) -> None:
        """It has answered an outcome."""
        if not answer["ok"]:
            self.failed(answer["error"]["code"])


@contextmanager
def working(name: str, work: Work, kind: Kind = "internal", *, own_trace: bool = False) -> Iterator[None]:
    """The block is a span, about what is known at its beginning and found out within it.

    It belongs to the restore's trace, or only points at it: looks at a restore are no part of it. An exception is told
    by its type, for its text may say anything.
    """
    began = time.time_ns()
    with learning() as fields:
        try:
            yield
        except BaseException as error:
            work.outcome, work.code = "raised", type(error).__name__
            raise
        finally:
            restore = fields.get("restore", "")
            delivery.send(
                Span(
                    name=name,
                    kind=kind,
                    began=began,
                    ended=time.time_ns(),
                    attributes={**_attributes(fields), "flexrestore.outcome": work.outcome, **work.attributes},
                    restore="" if own_trace else restore,
                    linked=restore if own_trace else "",
                    error=work.code,
                )
            )


def tell_phases(restore: str, progress: RestoreProgress, before: int) -> None:
    """Tell what has ended since the register knew of so many phases: those phases, and at its end the restore."""
    for number, (entry, following) in enumerate(pairwise(progress.phases), start=1):
        if number >= before:
            span = Span(
                name=str(entry.phase),
                kind="internal",
                began=_nanoseconds(entry.at),
                ended=_nanoseconds(following.at),
                attributes=_attributes({"restore": restore, "phase": entry.phase}),
                restore=restore,
            )
            delivery.send(span)
    if progress.phase.is_terminal:
        delivery.send(_whole(restore, progress))


def _whole(restore: str, progress: RestoreProgress) -> Span:
    codes = [error.code for error in progress.errors]
    return Span(
        name="restore",
        kind="consumer",
        began=_nanoseconds(progress.phases[0].at),
        ended=_nanoseconds(progress.phases[-1].at),
        attributes=_attributes({"restore": restore, "phase": progress.phase}),
        restore=restore,
        id=root_of(restore),
        error=(codes or [str(progress.phase)])[0] if progress.phase in _FAILED else "",
    )


def _attributes(fields: Mapping[str, str]) -> dict[str, Attribute]:
    return {f"flexrestore.{name}": str(text) for name, text in fields.items()}


def _nanoseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1_000_000) * 1_000
