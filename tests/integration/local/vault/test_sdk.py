"""Microsoft's own clients work against the service, with the identity that the app has in Azure."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.dataprotection import DataProtectionMgmtClient, models
from azure.mgmt.storage import StorageManagementClient

from local.vault.arm import timestamp
from local.vault.faults import JobFault, RequestFault
from local.vault.identity import token_for
from local.vault.process import VaultProcess
from local.vault.state import State

ROLE = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
PLACE = ("rg-backup", "contoso-vault", "contoso-pg-faec6818-0720-11ec-bd1b-c8f750f92764")


class AllowHttp(SansIOHTTPPolicy[Any, Any]):
    """Lets a bearer token go over plain HTTP, which is all that the service has on loopback."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.context.options.setdefault("enforce_https", False)


type Connect = Callable[[type[Any]], Any]


@pytest.fixture
def connect(vault: VaultProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Makes a client of a class of the SDKs, as the app does but for the address and plain HTTP."""
    for name, value in vault.environment.items():
        monkeypatch.setenv(name, value)
    with ExitStack() as stack:
        credential = DefaultAzureCredential()
        stack.callback(credential.close)

        def connect(kind: type[Any]) -> Any:
            client = kind(
                credential,
                vault.config.subscription,
                base_url=vault.url,
                per_call_policies=[AllowHttp()],
                polling_interval=0,
            )
            return stack.enter_context(client)

        yield connect


@pytest.fixture
def client(connect: Connect) -> DataProtectionMgmtClient:
    client: DataProtectionMgmtClient = connect(DataProtectionMgmtClient)
    return client


def as_model(request: dict[str, Any]) -> models.AzureBackupRestoreRequest:
    """The request built from the SDK's models, as an app does."""
    info = request["restoreTargetInfo"]
    details = info["targetDetails"]
    return models.AzureBackupRecoveryPointBasedRestoreRequest(
        recovery_point_id=request["recoveryPointId"],
        source_data_store_type="VaultStore",
        restore_target_info=models.RestoreFilesTargetInfo(
            recovery_option="FailIfExists",
            restore_location=info["restoreLocation"],
            target_details=models.TargetDetails(
                file_prefix=details["filePrefix"], restore_target_location_type="AzureBlobs", url=details["url"]
            ),
        ),
    )


def last_segment(job_id: str | None) -> str:
    assert job_id is not None
    return job_id.rpartition("/")[2]


def wait_for_job(client: DataProtectionMgmtClient, job_id: str | None) -> models.AzureBackupJob:
    deadline = time.monotonic() + 30
    while True:
        job = client.jobs.get(*PLACE[:2], last_segment(job_id)).properties
        assert job is not None
        if job.end_time is not None:
            return job
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_backup_validate_and_restore_through_the_sdk(client: DataProtectionMgmtClient, restoring: Any) -> None:
    backup = client.backup_instances.begin_adhoc_backup(
        *PLACE,
        models.TriggerBackupRequest(
            backup_rule_options=models.AdHocBackupRuleOptions(
                rule_name="BackupWeekly",
                trigger_option=models.AdhocBackupTriggerOption(retention_tag_override="Default"),
            )
        ),
    ).result()
    assert wait_for_job(client, backup.job_id).status == "Completed"

    newest, *_ = client.recovery_points.list(*PLACE)
    assert newest.name is not None
    request = as_model(restoring.of(newest.name).request)
    validation = models.ValidateRestoreRequestObject(restore_request_object=request)
    client.backup_instances.begin_validate_for_restore(*PLACE, validation).result()
    triggered = client.backup_instances.begin_trigger_restore(*PLACE, request).result()

    job = wait_for_job(client, triggered.job_id)
    assert job.status == "Completed"
    assert job.extended_info is not None
    assert job.extended_info.recovery_destination == restoring.container.url
    assert len(restoring.names()) == 10
    assert last_segment(triggered.job_id) in [listed.name for listed in client.jobs.list(*PLACE[:2])]


def test_a_failed_validation_raises_with_the_services_words(client: DataProtectionMgmtClient, restoring: Any) -> None:
    validation = models.ValidateRestoreRequestObject(
        restore_request_object=as_model(restoring.in_account("norole").request)
    )

    with pytest.raises(HttpResponseError) as failure:
        client.backup_instances.begin_validate_for_restore(*PLACE, validation).result()

    assert failure.value.error is not None
    assert failure.value.error.code == "UserErrorMSIMissingPermissions"
    response: Any = failure.value.response
    [additional] = response.json()["error"]["additionalInfo"]
    assert additional["info"]["innerError"]["code"] == "AuthorizationFailed"


def test_a_failed_job_tells_its_errors(client: DataProtectionMgmtClient, vault: VaultProcess, restoring: Any) -> None:
    vault.inject(JobFault(outcome="Failed", code="UserErrorX", message="It went wrong."))

    triggered = client.backup_instances.begin_trigger_restore(*PLACE, as_model(restoring.request)).result()

    job = wait_for_job(client, triggered.job_id)
    assert job.status == "Failed"
    assert job.error_details is not None
    [error] = job.error_details
    assert (error.code, error.message) == ("UserErrorX", "It went wrong.")
    assert error.details is not None
    assert error.details[0].code == "InternalServerError"


def test_backup_instances_are_found_by_their_server(client: DataProtectionMgmtClient) -> None:
    found = {
        instance.properties.data_source_info.resource_name: instance.properties.data_source_info.resource_id
        for instance in client.backup_instances.list(*PLACE[:2])
        if instance.properties
    }

    assert set(found) == {"contoso-pg", "other-pg", "gone-pg"}
    assert found["other-pg"].endswith(
        "/resourceGroups/rg-other/providers/Microsoft.DBforPostgreSQL/flexibleServers/other-pg"
    )


def test_the_vault_tells_its_identity(client: DataProtectionMgmtClient, vault: VaultProcess) -> None:
    resource = client.backup_vaults.get(*PLACE[:2])

    assert resource.identity is not None
    assert resource.identity.principal_id == vault.config.principal_id
    assert resource.location == vault.config.location


def test_recovery_points_are_paged_filtered_and_newest_first(
    client: DataProtectionMgmtClient, vault: VaultProcess, point: str
) -> None:
    """A page holds two points here."""
    points = State(vault.config.state).points
    first = points.get(point)
    assert first is not None
    for number in range(5):
        copy = {"id": f"{number:032}", "instance": "gone", "time": first.time + timedelta(minutes=number)}
        points.put(f"{number:032}", first.model_copy(update=copy))
    newest_first = [f"{number:032}" for number in (4, 3, 2, 1, 0)]
    place = (*PLACE[:2], "gone")

    assert [found.name for found in client.recovery_points.list(*place)] == newest_first
    assert [len(list(page)) for page in client.recovery_points.list(*place).by_page()] == [2, 2, 1]
    bounds = f"startDate eq '{timestamp(first.time + timedelta(minutes=1))}' and endDate eq '2999-01-01T00:00:00'"
    assert [found.name for found in client.recovery_points.list(*place, filter=bounds)] == newest_first[:4]
    assert client.recovery_points.get(*PLACE, point).name == point


@pytest.mark.parametrize(
    ("name", "replication", "network"),
    [("devstoreaccount1", True, "Enabled"), ("closed", False, "Disabled"), ("old", None, None)],
)
def test_a_storage_account_tells_whether_the_vault_can_restore_into_it(
    connect: Connect, name: str, replication: bool | None, network: str | None
) -> None:
    account = connect(StorageManagementClient).storage_accounts.get_properties("RG-Storage", name)

    assert (account.allow_cross_tenant_replication, account.public_network_access) == (replication, network)


@pytest.mark.parametrize("filter_text", ["principalId eq '{}'", "assignedTo('{}')", "atScope() and assignedTo('{}')"])
@pytest.mark.parametrize(("name", "roles"), [("devstoreaccount1", [ROLE]), ("norole", [])])
def test_role_assignments_are_listed_by_principal_at_a_container_or_account(
    connect: Connect, vault: VaultProcess, filter_text: str, name: str, roles: list[str]
) -> None:
    group = f"/subscriptions/{vault.config.subscription}/resourceGroups/rg-storage"
    scope = f"{group}/providers/Microsoft.Storage/storageAccounts/{name}"
    assignments = connect(AuthorizationManagementClient).role_assignments

    for place in (scope, f"{scope}/blobServices/default/containers/landing"):
        found = assignments.list_for_scope(place, filter=filter_text.format(vault.config.principal_id))
        assert [last_segment(assignment.role_definition_id) for assignment in found] == roles
    assert list(assignments.list_for_scope(scope, filter=filter_text.format("somebody-else"))) == []


def test_the_app_gets_its_token_from_the_managed_identity_endpoint(
    vault: VaultProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in vault.environment.items():
        monkeypatch.setenv(name, value)

    with ManagedIdentityCredential() as credential:
        token = credential.get_token("https://management.azure.com/.default")

    assert token.token == token_for(vault.config, "https://management.azure.com")
    assert token.expires_on > time.time() + 3600


def test_a_wrong_identity_header_gets_no_token(vault: VaultProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", vault.environment["IDENTITY_ENDPOINT"])
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")

    with ManagedIdentityCredential() as credential, pytest.raises(ClientAuthenticationError):
        credential.get_token("https://management.azure.com/.default")


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "token of another resource"])
def test_arm_refuses_a_call_without_a_token_of_its_own(
    arm: Any, vault: VaultProcess, authorization: str | None
) -> None:
    if authorization == "token of another resource":
        authorization = f"Bearer {token_for(vault.config, 'https://storage.azure.com')}"
    headers = {} if authorization is None else {"Authorization": authorization}

    reply = arm.send("GET", f"{vault.url}{arm.vault_id}?api-version=2023-11-01", headers=headers)

    assert (reply.status, reply.body["error"]["code"]) == (401, "AuthenticationFailed")
    assert reply.headers["WWW-Authenticate"].startswith("Bearer ")


def test_what_is_not_there_is_not_found(client: DataProtectionMgmtClient) -> None:
    for call in (
        lambda: client.backup_instances.get(*PLACE[:2], "nobody"),
        lambda: client.recovery_points.get(*PLACE, "0" * 32),
        lambda: client.jobs.get(*PLACE[:2], "00000000-0000-0000-0000-000000000000"),
        lambda: client.backup_vaults.get("rg-backup", "nowhere"),
    ):
        with pytest.raises(ResourceNotFoundError) as missing:
            call()
        assert missing.value.error is not None
        assert missing.value.error.code == "ResourceNotFound"


def test_paths_are_case_insensitive(client: DataProtectionMgmtClient) -> None:
    assert client.backup_instances.get("RG-BACKUP", "Contoso-Vault", PLACE[2].upper()).name == PLACE[2]


def test_throttled_and_broken_requests_are_retried_by_the_sdk(
    client: DataProtectionMgmtClient, vault: VaultProcess
) -> None:
    vault.inject(
        RequestFault(status=429, retry_after=0, path="backupinstances"), RequestFault(status=500, path="nothing")
    )

    assert list(client.backup_instances.list(*PLACE[:2]))


def test_a_throttled_call_says_when_to_come_back(arm: Any, vault: VaultProcess) -> None:
    vault.inject(RequestFault(status=429, count=2, retry_after=7), RequestFault(status=500))

    replies = [arm.get(arm.vault_id) for _ in range(4)]

    assert [reply.status for reply in replies] == [429, 429, 500, 200]
    assert [reply.headers.get("Retry-After") for reply in replies] == ["7", "7", None, None]
    assert replies[0].body["error"]["code"] == "TooManyRequests"


def test_an_api_version_is_required(arm: Any) -> None:
    reply = arm.get(arm.vault_id, "")

    assert (reply.status, reply.body["error"]["code"]) == (400, "MissingApiVersionParameter")
