"""What is kept for how long, and how long a restore may be in a phase."""

from datetime import timedelta
from typing import Any

import pytest

from shared.contracts.progress import Phase
from shared.settings import Settings

NEEDED = {
    "vault": "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataProtection/backupVaults/v",
    "landing_account": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a",
}


def settings(**changes: Any) -> Settings:
    return Settings.model_validate({**NEEDED, **changes})


@pytest.mark.parametrize(("histories", "records"), [(30, 29), (0, 90)])
def test_records_are_kept_for_at_least_as_long_as_histories(histories: float, records: float) -> None:
    """Without either a request id is free, and the same message again would be a second restore."""
    with pytest.raises(ValueError, match="is less than FLEX_RESTORE_KEEP_HISTORIES_DAYS"):
        settings(keep_histories_days=histories, keep_records_days=records)


@pytest.mark.parametrize(("histories", "records"), [(30, 30), (30, 0), (0, 0)])
def test_nothing_is_said_of_records_that_are_kept_long_enough(histories: float, records: float) -> None:
    assert settings(keep_histories_days=histories, keep_records_days=records).keep_records_days == records


def test_the_limit_of_a_phase_follows_its_deadline_unless_the_operator_sets_it() -> None:
    one = settings(job_deadline_hours=48, phase_limits_hours={"Verifying": 3})

    assert one.phase_limit(Phase.RESTORING) == timedelta(hours=49)
    assert one.phase_limit(Phase.VERIFYING) == timedelta(hours=3)
    assert one.phase_limit(Phase.ACCEPTED) == timedelta(hours=1)


def test_a_phase_that_there_is_not_has_no_limit() -> None:
    with pytest.raises(ValueError, match="phase_limits_hours"):
        settings(phase_limits_hours={"Sleeping": 1})
