"""Resource ids and errors of Azure Resource Manager."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from azure.core.exceptions import DecodeError, HttpResponseError, ServiceRequestError

from shared.arm import ResourceId, arm_errors, describe, last_segment, retry_after, same_id
from shared.errors import ServiceBusy, VaultBusy, VaultRefused

JOB = "/subscriptions/s/resourcegroups/rg/providers/Microsoft.DataProtection/BackupVaults/v/backupJobs/571e2403"


def test_an_id_is_taken_apart_in_any_casing() -> None:
    parsed = ResourceId.parse(JOB)

    assert (parsed.subscription, parsed.resource_group, parsed.names) == ("s", "rg", ("v", "571e2403"))
    assert parsed.name == last_segment(JOB) == "571e2403"


def test_what_is_no_id_is_refused() -> None:
    with pytest.raises(ValueError, match="not an ARM id"):
        ResourceId.parse("orders")


def test_ids_are_compared_without_case() -> None:
    assert same_id(JOB, JOB.replace("resourcegroups", "resourceGroups").replace("BackupVaults", "backupVaults"))
    assert not same_id(JOB, JOB + "x")
    assert not same_id(None, None)


def test_a_validation_error_tells_what_the_service_recommends() -> None:
    """The shape of a recorded failed validation: the user-facing part lies in additionalInfo."""
    error = {
        "code": "UserErrorMSIMissingPermissions",
        "message": "Backup vault is missing the necessary permissions. ",
        "additionalInfo": [
            {
                "type": "UserFacingError",
                "info": {
                    "message": "Backup vault is missing the necessary permissions. ",
                    "recommendedAction": [" Grant appropriate access permissions."],
                    "innerError": {"additionalInfo": {"DetailedNonLocalisedMessage": "The client has no right."}},
                },
            }
        ],
    }

    assert describe(error) == (
        "UserErrorMSIMissingPermissions",
        (
            "Backup vault is missing the necessary permissions. The cause: The client has no right. "
            "The service recommends: Grant appropriate access permissions."
        ),
    )


def test_nested_details_of_a_job_are_told_once() -> None:
    """The shape of a recorded failed job: the same message three levels deep, a cause at the bottom."""
    inner = {"code": "InternalServerError", "message": "Internal Server Error", "recommendedAction": ["Look it up."]}
    middle = {"code": "Bad", "message": "Bad parameters.", "recommendedAction": None, "details": [inner]}
    code, text = describe({"code": "Bad", "message": "Bad parameters.", "details": [middle]})

    assert code == "Bad"
    assert (
        text
        == "Bad parameters. The cause: InternalServerError: Internal Server Error The service recommends: Look it up."
    )


def test_the_innermost_of_embedded_errors_is_the_cause() -> None:
    """The shape that the SDK documents for `innerError`; what is no object of its shape is passed over."""
    deepest = {
        "code": "AuthorizationFailure",
        "additionalInfo": {"DetailedNonLocalisedMessage": "The firewall said no."},
    }
    middle = {"code": "StorageError", "additionalInfo": {"Other": "thing"}, "embeddedInnerError": deepest}
    error = {
        "code": "UserErrorX", "message": "It failed.", "innerError": middle, "recommendedAction": ["Open it.", " "],
        "details": [7, {"code": "UserErrorX", "message": "It failed.", "details": None}],
        "additionalInfo": "no list",
    }  # fmt: skip

    assert describe(error) == (
        "UserErrorX",
        "It failed. The cause: AuthorizationFailure: The firewall said no. The service recommends: Open it.",
    )


def test_what_the_service_recommends_for_the_innermost_cause_comes_first() -> None:
    inner = {"code": "Inner", "message": "Because.", "recommendedAction": ["First.", "Both."]}
    outer = {"code": "Outer", "message": "No.", "recommendedAction": ["Both.", "Second."], "details": [inner]}

    assert describe(outer)[1] == "No. The cause: Inner: Because. The service recommends: First. Both. Second."


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 0), ("", 0), ("17", 17), (" 17 ", 17), ("soon", 0), ("-3", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_the_seconds_to_wait_are_never_less_than_none(header: str | None, seconds: float) -> None:
    assert retry_after({} if header is None else {"Retry-After": header}) == seconds


def test_a_date_to_wait_for_is_so_many_seconds_away() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)

    assert 85 < retry_after({"Retry-After": date}) <= 90


def test_a_busy_service_says_for_how_long() -> None:
    with pytest.raises(ServiceBusy) as busy, arm_errors("asking"):
        raise HttpResponseError(response=Answer(429, "{}", **{"Retry-After": "40"}))

    assert busy.value.retry_after == 40


def test_an_answer_that_is_cut_off_is_no_refusal_whatever_its_status() -> None:
    with pytest.raises(ServiceBusy, match="cut off"), arm_errors("asking"):
        raise DecodeError("no JSON", response=Answer(200, "{"))


class Answer:
    request = None

    def __init__(self, status: int, body: str, **headers: str) -> None:
        self.status_code = status
        self.headers = headers
        self.reason = "because"
        self._body = body

    def text(self) -> str:
        return self._body


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (429, "{}", ServiceBusy),
        (503, "not json", ServiceBusy),
        (400, '{"error": {"code": "UserErrorMaxConcurrentOperationLimitReached", "message": "busy"}}', ServiceBusy),
        (400, '{"error": {"code": "UserErrorInvalidRestoreRequest", "message": "no"}}', VaultRefused),
        (404, '{"error": {"code": "ResourceNotFound", "message": "no"}}', VaultRefused),
        (429, '{"error": {"code": "UserErrorMaxConcurrentOperationLimitReached", "message": "busy"}}', VaultBusy),
    ],
)
def test_an_http_error_means_try_again_or_no(status: int, body: str, expected: type[Exception]) -> None:
    with pytest.raises(expected), arm_errors("asking"):
        raise HttpResponseError(response=Answer(status, body))


def test_no_answer_means_try_again() -> None:
    with pytest.raises(ServiceBusy, match="While asking"), arm_errors("asking"):
        raise ServiceRequestError("refused")
