"""What is told, as it is handed to delivery."""

from typing import Any

import pytest

from shared.telemetry import delivery


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    records: list[Any] = []
    monkeypatch.setattr(delivery, "send", records.append)
    return records
