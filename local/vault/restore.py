"""Restoring as files: the files of a recovery point into a container, one after the other, never over another blob."""

from pathlib import Path

from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.storage.blob import ContainerClient

from local.vault.arm import invalid_restore
from local.vault.recovery_points import BackupFile


def copy_file(container: ContainerClient, folder: Path, file: BackupFile, *, begun: bool) -> None:
    """Copy one file, as a stream; a blob appears whole or not at all.

    Args:
        container: the target.
        folder: of the recovery point's files.
        file: which of them.
        begun: whether this job began the copy before, and may have finished it.

    Raises:
        UserError: a blob of that name is there and is not this job's, or the container cannot be written to.
    """
    blob = container.get_blob_client(file.blob)
    try:
        if begun and blob.exists():
            return
        with folder.joinpath(file.path).open("rb") as content:
            blob.upload_blob(content, length=file.size, overwrite=False)  # If-None-Match: *
    except ResourceExistsError as error:
        raise invalid_restore("BlobAlreadyExists", f"The specified blob already exists: {file.blob}") from error
    except HttpResponseError as error:
        raise invalid_restore(error.error_code or "StorageError", str(error).splitlines()[0]) from error  # type: ignore[attr-defined]  # storage adds error_code
