"""Operations: validateRestore and restore, asked for without waiting, and looked at through their status address.

The service answers 202 with `Azure-AsyncOperation` and `Location`; the status address is used as it was given. That a
restore's operation has succeeded only means that a backup job exists; a failed validation is an HTTP 200 whose
body says Failed (recorded traffic of 2024 and 2025).
"""

from collections.abc import Callable
from typing import Any

from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.dataprotection.models import (
    AzureBackupRecoveryPointBasedRestoreRequest,
    RestoreFilesTargetInfo,
    TargetDetails,
    ValidateRestoreRequestObject,
)

from shared.arm import arm_errors, describe, last_segment, refusal
from shared.contracts.vaultjobs import Operation, RestoreOrder
from shared.contracts.watch import Sighting
from shared.errors import VaultRefused
from shared.storage.accounts import landing_container
from shared.vault.clients import data_protection, vault_id


def file_prefix(request_id: str) -> str:
    """The prefix that a restore of ours carries. It is in no file's name, but the backup job repeats it."""
    return f"flex-restore-{request_id}"


def _body(order: RestoreOrder) -> AzureBackupRecoveryPointBasedRestoreRequest:
    return AzureBackupRecoveryPointBasedRestoreRequest(
        recovery_point_id=order.recovery_point,
        source_data_store_type="VaultStore",
        restore_target_info=RestoreFilesTargetInfo(
            recovery_option="FailIfExists",
            restore_location=order.instance.location,
            target_details=TargetDetails(
                file_prefix=file_prefix(order.request_id),
                restore_target_location_type="AzureBlobs",
                url=landing_container(order.container).url,
            ),
        ),
    )


def start_validation(order: RestoreOrder) -> Operation:
    """Ask the service whether the restore would be accepted."""
    request = ValidateRestoreRequestObject(restore_request_object=_body(order))
    return _start("validateRestore", order, request)


def start_restore(order: RestoreOrder) -> Operation:
    """Ask the service to restore; the caller has made sure that it was not asked before."""
    return _start("restore", order, _body(order))


def _start(action: str, order: RestoreOrder, body: Any) -> Operation:
    instances = data_protection(order.instance.subscription).backup_instances
    begin: dict[str, Callable[..., Any]] = {
        "validateRestore": instances.begin_validate_for_restore,
        "restore": instances.begin_trigger_restore,
    }
    answers: list[Any] = []
    with arm_errors(f"asking for {action} of {order.instance.name}"):
        begin[action](
            order.instance.resource_group,
            order.instance.vault,
            order.instance.name,
            body,
            polling=False,
            retry_total=0,  # a POST that was not answered may have been heard: the ledger decides who asks again
            raw_response_hook=lambda response: answers.append(response.http_response),
        )
    headers = answers[0].headers
    url = headers.get("Azure-AsyncOperation") or headers.get("Location")
    if not url:
        raise VaultRefused(f"The vault accepted {action} without a status address; look for the job in the portal.")
    return Operation(url=url, retry_after=_seconds(headers.get("Retry-After")), request_id=order.request_id)


def look(operation: Operation) -> Sighting:
    """Look at an operation once; its value, once ended, is `{"jobId": …}` where a job was made.

    Raises:
        VaultRefused, VaultBusy: the operation ended without success; the service's reasons are in the text.
    """
    client = data_protection(vault_id().subscription)
    with arm_errors("reading the status of an operation", watching=True):
        response: HttpResponse = client.send_request(HttpRequest("GET", operation.url))
        response.raise_for_status()
        body = response.json() if response.status_code == 200 else {}
    status = str(body.get("status") or "")
    wait = _seconds(response.headers.get("Retry-After"))
    match status.lower():
        case "succeeded":
            job = (body.get("properties") or {}).get("jobId")
            return Sighting(ended=True, status=status, value={"jobId": last_segment(job) if job else None})
        case "failed" | "canceled" | "cancelled":
            code, text = describe(body.get("error") or {})
            raise refusal(code, f"{code}: {text or 'the service gave no reason.'}")
        case _:
            return Sighting(ended=False, status=status, retry_after=wait)


def _seconds(header: str | None) -> float:
    return float(header) if header and header.isdigit() else 0.0
