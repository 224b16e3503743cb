"""What the work at hand is about: the restore, the phase, the file and the database, as far as each is known.

It goes with the context (contextvars): into coroutines, and into threads that `asyncio.to_thread` starts; a thread that
is started otherwise is given a copy.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from shared.errors import cut

FIELDS = ("restore", "phase", "file", "database")
"""What lines and spans are found by."""
_LIMIT = 300
"""Characters of a value: some come from outside."""
_nothing: Mapping[str, str] = {}
_known: ContextVar[Mapping[str, str]] = ContextVar("about", default=_nothing)
_learners: ContextVar[tuple[dict[str, str], ...]] = ContextVar("learners", default=())


def known() -> Mapping[str, str]:
    """What is known here, in the order of `FIELDS`."""
    return _known.get()


@contextmanager
def about(restore: str = "", phase: str = "", file: str = "", database: str = "") -> Iterator[None]:
    """Within the block this is known as well; empty values change nothing."""
    values = (restore, phase, file, database)
    found = {name: cut(value, _LIMIT) for name, value in zip(FIELDS, values, strict=True) if value}
    merged = {**_known.get(), **found}
    for learner in _learners.get():
        learner.update(found)
    token = _known.set({name: merged[name] for name in FIELDS if name in merged})
    try:
        yield
    finally:
        _known.reset(token)


@contextmanager
def learning() -> Iterator[Mapping[str, str]]:
    """What is known here, and what becomes known within the block: a span is about what was found out in it."""
    learned = dict(_known.get())
    token = _learners.set((*_learners.get(), learned))
    try:
        yield learned
    finally:
        _learners.reset(token)
