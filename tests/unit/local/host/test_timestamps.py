"""Timestamps read fast are those that the SDK would have read."""

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import azure.durable_functions as df
import pytest
from dateutil.parser import parse
from hypothesis import example, given
from hypothesis import strategies as st

from local.host import timestamps
from local.host.history import timestamp


@pytest.fixture(scope="module")
def sdk() -> Iterator[Any]:
    """The SDK's module with the fast reader in it."""
    assert df
    module: Any = sys.modules["azure.durable_functions.models.history.HistoryEvent"]
    original = module.dt_parse
    timestamps.hasten()
    assert module.dt_parse is not original
    yield module
    module.dt_parse = original


own = st.floats(0, 4e9).map(timestamp)
others = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(lambda moment: moment.isoformat() + "+02:00")  # noqa: DTZ001


@given(text=own | others)
@example(text="2024-02-29T23:59:59Z")
@example(text="2024-01-01T00:00:00.1234567Z")
@example(text="on 1 May 2024, 12:00:00 UTC")
def test_value_and_time_zone_are_those_of_dateutil(sdk: Any, text: str) -> None:
    read, expected = sdk.dt_parse(text), parse(text)
    assert (read, repr(read)) == (expected, repr(expected))
