"""Times and errors are written as the service writes them."""

from datetime import UTC, datetime, timedelta

import pytest

from local.vault.arm import UserError, duration, timestamp, whole_seconds


def test_a_time_has_seven_fractional_digits() -> None:
    moment = datetime(2024, 4, 10, 10, 30, 46, 230387, tzinfo=UTC)

    assert timestamp(moment) == "2024-04-10T10:30:46.2303877Z"
    assert datetime.fromisoformat(timestamp(moment)) == moment
    assert whole_seconds(moment) == "2024-04-10T10:30:46Z"


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=0.5), "PT0.5000000S"),
        (timedelta(minutes=2, seconds=5, microseconds=650351), "PT2M5.6503510S"),
        (timedelta(hours=26, seconds=1), "PT26H1.0000000S"),
        (timedelta(hours=1, minutes=1), "PT1H1M0.0000000S"),
    ],
)
def test_a_duration_leaves_out_what_is_zero(span: timedelta, text: str) -> None:
    assert duration(span) == text


def test_a_refusal_has_its_cause_inside_in_operations_and_jobs() -> None:
    error = UserError("UserErrorX", "It is wrong.", "Make it right.", ("Inner", "Because."))

    operation, [job] = error.as_operation_error(), error.as_job_errors()

    info = operation["additionalInfo"][0]["info"]
    assert (operation["code"], info["innerError"]["code"]) == ("UserErrorX", "Inner")
    assert (job["code"], job["details"][0]["code"], job["details"][0]["message"]) == ("UserErrorX", "Inner", "Because.")
