"""An adhoc backup of the source, asked for through Azure Resource Manager as the portal does."""

import time

from azure.core.credentials import AccessToken
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.dataprotection import DataProtectionMgmtClient
from azure.mgmt.dataprotection.models import AdHocBackupRuleOptions, AdhocBackupTriggerOption, TriggerBackupRequest

from local.environment import Environment
from local.vault.config import BackupInstance, VaultConfig
from local.vault.identity import ARM_RESOURCE, token_for

_SECONDS = 300
_BETWEEN_LOOKS = 0.5


class BackupFailed(Exception):
    """The backup job ended otherwise than Completed, or not in time."""


def take_backup(environment: Environment, instance: BackupInstance | None = None) -> str:
    """Back the source up as one of its backup instances, and wait for the job's end; the backup job's id.

    Raises:
        BackupFailed: the job failed, or did not end in time.
    """
    config = environment.vault.config
    names = (config.resource_group, config.vault)
    with DataProtectionMgmtClient(
        _Identity(config), config.subscription, base_url=environment.vault.url, per_call_policies=[_PlainHttp()]
    ) as client:
        rule = AdHocBackupRuleOptions(rule_name="BackupWeekly", trigger_option=AdhocBackupTriggerOption())
        operation = client.backup_instances.begin_adhoc_backup(
            *names,
            (instance or environment.instance).name,
            TriggerBackupRequest(backup_rule_options=rule),
            polling_interval=1,
        )
        job_id = str(operation.result(_SECONDS).job_id).rsplit("/", 1)[-1]
        deadline = time.monotonic() + _SECONDS
        while (job := client.jobs.get(*names, job_id).properties) is None or job.status == "InProgress":
            if time.monotonic() > deadline:
                raise BackupFailed(f"backup job {job_id} did not end within {_SECONDS} s")
            time.sleep(_BETWEEN_LOOKS)
    if job.status != "Completed":
        raise BackupFailed(f"backup job {job_id} ended as {job.status}: {job.error_details}")
    return job_id


class _Identity:
    """An operator's credential: a token as the vault service's identity endpoint gives it to the app."""

    def __init__(self, config: VaultConfig) -> None:
        self._config = config

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken(token_for(self._config, ARM_RESOURCE), int(time.time()) + 3600)


class _PlainHttp(SansIOHTTPPolicy[HttpRequest, HttpResponse]):
    """Lets the token travel without TLS, to a service on this machine; the SDK takes this option per request only."""

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        request.context.options["enforce_https"] = False
