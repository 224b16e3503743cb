"""What every answer of Azure Resource Manager has: ids, times, errors.

Shapes and casings are those of recorded traffic of 2024 (a restore as files) and 2025 (a failed validation).
"""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from local.vault.config import BackupInstance, StorageAccount, VaultConfig

type Json = dict[str, Any]

DATASOURCE_TYPE = "Microsoft.DBforPostgreSQL/flexibleServers"
VAULT_TYPE = "Microsoft.DataProtection/backupVaults"
NEVER = "0001-01-01T00:00:00Z"


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """A time as the service writes it: 7 fractional digits, which is one more than Python has."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}{moment.microsecond % 10}Z"


def whole_seconds(moment: datetime) -> str:
    """A time as the end of an operation is written."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def duration(span: timedelta) -> str:
    """An ISO 8601 duration, as in `PT2M5.6503519S`."""
    minutes, seconds = divmod(span.total_seconds(), 60)
    hours, minutes = divmod(int(minutes), 60)
    return "PT" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "") + f"{seconds:.7f}S"


def vault_id(config: VaultConfig) -> str:
    """The vault's resource id."""
    return f"{_group(config, config.resource_group)}/providers/{VAULT_TYPE}/{config.vault}"


def instance_id(config: VaultConfig, instance: BackupInstance) -> str:
    """A backup instance's resource id."""
    return f"{vault_id(config)}/backupInstances/{instance.name}"


def server_id(config: VaultConfig, instance: BackupInstance) -> str:
    """The protected server's resource id."""
    group = instance.resource_group or config.resource_group
    return f"{_group(config, group)}/providers/{DATASOURCE_TYPE}/{instance.server_name}"


def account_id(config: VaultConfig, account: StorageAccount) -> str:
    """A storage account's resource id."""
    return f"{_group(config, account.resource_group)}/providers/Microsoft.Storage/storageAccounts/{account.name}"


def _group(config: VaultConfig, name: str) -> str:
    return f"/subscriptions/{config.subscription}/resourceGroups/{name}"


class ArmError(Exception):
    """An answer of ARM that is an error at once."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"error": {"code": code, "message": message}}
        self.headers = headers or {}


def not_found(resource: str) -> ArmError:
    """The answer for a resource that is not there."""
    return ArmError(404, "ResourceNotFound", f"The Resource '{resource}' was not found.")


class UserError(Exception):
    """A refusal of Azure Backup that its user can do something about.

    Attributes:
        code: as in `UserErrorMSIMissingPermissions`.
        message: what is wrong.
        action: what to do about it.
        causes: code and text of the cause, of what caused that, and so on; often one.
    """

    def __init__(self, code: str, message: str, action: str, *causes: tuple[str, str]) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.action = action
        self.causes = causes

    def as_operation_error(self) -> Json:
        """The member `error` of a failed operation, and of an answer 400."""
        info = {
            "message": self.message,
            "recommendedAction": [self.action],
            "code": self.code,
            "target": "",
            "innerError": self._inner_error(),
            "isRetryable": False,
            "isUserError": False,
            "properties": {"ActivityId": str(uuid.uuid1())},
        }
        return {
            "additionalInfo": [{"type": "UserFacingError", "info": info}],
            "code": self.code,
            "message": self.message,
        }

    def as_job_errors(self) -> list[Json]:
        """The member `errorDetails` of a failed job: nested, with the cause innermost."""
        details: list[Json] | None = None
        refer = "Refer https://aka.ms/AzureBackupTroubleshootFailures for more details."
        for code, text in reversed(self.causes):
            details = [_job_error(code, text, refer, details)]
        return [_job_error(self.code, self.message, self.action, details)]

    def _inner_error(self) -> Json | None:
        error: Json | None = None
        for code, text in reversed(self.causes):
            error = {
                "code": code,
                "additionalInfo": {"DetailedNonLocalisedMessage": text},
                **({"embeddedInnerError": error} if error else {}),
            }
        return error


def invalid_restore(code: str, text: str) -> UserError:
    """The service's refusal of most restores: one code and text for all, with the cause inside."""
    return UserError(
        "UserErrorInvalidRestoreRequest",
        "Restore operation failed due to invalid parameters or format of the parameters is not correct.",
        "Please ensure parameters provided to restore operation are valid. "
        "If the issue persists, please contact Microsoft support.",
        (code, text),
    )


def _job_error(code: str, message: str, action: str, details: list[Json] | None) -> Json:
    return {
        "message": message,
        "recommendedAction": [action],
        "details": details,
        "code": code,
        "target": "",
        "innerError": None,
        "isRetryable": False,
        "isUserError": False,
        "properties": None,
    }
