"""Figures of a burst are those of the whole burst: what stops looking says so."""

import os
import threading
from contextlib import nullcontext
from typing import Any
from unittest.mock import Mock

import pytest

from local.bench.sampling import Sampling


class Target:
    """Says how many are being imported, look by look; then it is gone."""

    def __init__(self, *imports: int) -> None:
        self._imports = iter(imports)
        self.is_gone = threading.Event()

    def connect(self, **_options: Any) -> Any:
        return nullcontext(self)

    def execute(self, *_query: Any) -> Any:
        row = next(self._imports, None)
        if row is None:
            self.is_gone.set()
            raise ConnectionError("the target is gone")
        return Mock(fetchone=lambda: (row,))


def sampling(target: Target) -> Sampling:
    return Sampling(Mock(target=target, host_pid=os.getpid()))


def test_a_look_that_fails_fails_the_measurement() -> None:
    target = Target(1, 3, 2)
    seen = sampling(target)
    with pytest.raises(ConnectionError, match="the target is gone"), seen:
        assert target.is_gone.wait(10)

    assert (seen.imports_at_once, len(seen.memory)) == (3, 3)


def test_what_failed_the_burst_itself_is_what_is_told() -> None:
    target = Target()
    with pytest.raises(ValueError, match="the burst"), sampling(target):
        fail_after(target)


def fail_after(target: Target) -> None:
    assert target.is_gone.wait(10)
    raise ValueError("the burst")
