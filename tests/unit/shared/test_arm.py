"""Resource ids and errors of Azure Resource Manager."""

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from shared.arm import ResourceId, arm_errors, describe, last_segment, same_id
from shared.errors import ServiceBusy, VaultRefused

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


class Answer:
    request = None

    def __init__(self, status: int, body: str) -> None:
        self.status_code = status
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
    ],
)
def test_an_http_error_means_try_again_or_no(status: int, body: str, expected: type[Exception]) -> None:
    with pytest.raises(expected), arm_errors("asking"):
        raise HttpResponseError(response=Answer(status, body))


def test_no_answer_means_try_again() -> None:
    with pytest.raises(ServiceBusy, match="While asking"), arm_errors("asking"):
        raise ServiceRequestError("refused")
