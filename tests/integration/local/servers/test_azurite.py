"""Azurite serves blobs and queues, and keeps them over a restart."""

from pathlib import Path

from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local.servers.azurite import Azurite


def test_blobs_and_queues_survive_a_restart_at_the_same_address(tmp_path: Path) -> None:
    with Azurite.start(tmp_path) as azurite:
        first_address = azurite.connection_string
        with (
            BlobServiceClient.from_connection_string(first_address) as blobs,
            QueueServiceClient.from_connection_string(first_address) as queues,
        ):
            blobs.create_container("landing").upload_blob("marker", b"here")
            queues.create_queue("requests").send_message("restore")

    with Azurite.start(tmp_path) as azurite:
        assert azurite.connection_string == first_address
        with (
            BlobServiceClient.from_connection_string(azurite.connection_string) as blobs,
            QueueServiceClient.from_connection_string(azurite.connection_string) as queues,
        ):
            assert blobs.get_blob_client("landing", "marker").download_blob().readall() == b"here"
            assert queues.get_queue_client("requests").receive_messages().next().content == "restore"


def test_endpoints_name_the_account(tmp_path: Path) -> None:
    with Azurite.start(tmp_path) as azurite:
        for endpoint in (azurite.blob_endpoint, azurite.queue_endpoint, azurite.table_endpoint):
            assert endpoint.startswith("http://127.0.0.1:")
            assert endpoint.endswith(f"/{azurite.account_name}")
