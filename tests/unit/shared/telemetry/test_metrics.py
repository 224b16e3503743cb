"""Metrics: what is counted, by what, and not twice."""

from typing import Any

import pytest

from shared.contracts.progress import Phase, PhaseEntry, RestoreProgress
from shared.contracts.status import About
from shared.settings import settings
from shared.telemetry.metrics import PHASE_SECONDS, RESTORES, count_phases

ENDED = RestoreProgress(
    phase=Phase.COMPLETED,
    phases=(
        PhaseEntry(phase=Phase.ACCEPTED, at="2026-04-01T02:30:00+00:00"),
        PhaseEntry(phase=Phase.PLANNING, at="2026-04-01T02:30:01.500000+00:00"),
        PhaseEntry(phase=Phase.COMPLETED, at="2026-04-01T02:31:00+00:00"),
    ),
)


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    vault = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataProtection/backupVaults/v"
    monkeypatch.setenv("FLEX_RESTORE_VAULT", vault)
    monkeypatch.setenv("FLEX_RESTORE_LANDING_ACCOUNT", "/subscriptions/s/providers/x/storageAccounts/a")
    monkeypatch.setenv("FLEX_RESTORE_TARGETS", '{"drill": {"host": "h", "user": "u"}}')
    settings.cache_clear()


def test_the_end_and_the_phases_that_the_register_did_not_know_are_counted(told: list[Any]) -> None:
    count_phases(About(target="drill"), ENDED, before=1)

    assert [(one.instrument, one.value, one.attributes["flexrestore.phase"]) for one in told] == [
        (PHASE_SECONDS, 1.5, "Accepted"),
        (PHASE_SECONDS, 58.5, "Planning"),
        (RESTORES, 1, "Completed"),
    ]
    assert told[-1].attributes["flexrestore.dry_run"] is False


def test_what_the_register_knew_is_not_counted_again(told: list[Any]) -> None:
    count_phases(About(target="drill"), ENDED, before=3)

    assert told == []


def test_a_target_that_nobody_has_configured_is_no_series_of_its_own(told: list[Any]) -> None:
    """A request may say anything; the metrics' names and numbers stay bounded."""
    count_phases(About(target="drill; DROP"), ENDED, before=2)

    assert {one.attributes["flexrestore.target"] for one in told} == {"unknown"}


def test_where_the_settings_are_wrong_it_is_counted_all_the_same(
    told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLEX_RESTORE_VAULT")
    settings.cache_clear()
    count_phases(About(target="drill"), ENDED, before=2)

    assert told[-1].attributes["flexrestore.target"] == "unknown"
