"""JSON documents in a container: read, write, create only if absent."""

import json
from collections.abc import Callable
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import ContainerClient, ContentSettings

_JSON = ContentSettings(content_type="application/json")


def read(container: ContainerClient, name: str) -> Any:
    """The document, or None where there is none."""
    return read_version(container, name)[0]


def write(container: ContainerClient, name: str, document: Any) -> None:
    """Write the document, over an older one."""
    container.upload_blob(name, _encode(document), overwrite=True, content_settings=_JSON)


def create(container: ContainerClient, name: str, document: Any) -> bool:
    """Write the document unless there is one (`If-None-Match: *`); whether it was written."""
    try:
        container.upload_blob(name, _encode(document), overwrite=False, content_settings=_JSON)
    except ResourceExistsError:
        return False
    return True


def create_or_read(container: ContainerClient, name: str, document: Any) -> Any:
    """The document that came first: ours, or the one of an earlier or overlapping attempt."""
    return document if create(container, name, document) else read(container, name)


def delete(container: ContainerClient, name: str) -> None:
    """Delete the document; one that is gone already is as good."""
    try:
        container.delete_blob(name)
    except ResourceNotFoundError:
        return


def delete_all(container: ContainerClient, folder: str) -> None:
    """Delete the documents whose names begin so."""
    for name in list(container.list_blob_names(name_starts_with=folder)):
        delete(container, name)


def read_version(container: ContainerClient, name: str) -> tuple[Any, str]:
    """The document and its version; None and nothing where there is none."""
    try:
        stream = container.download_blob(name)
    except ResourceNotFoundError:
        return None, ""
    return json.loads(stream.readall()), str(stream.properties.etag)


def replace_version(container: ContainerClient, name: str, version: str, document: Any) -> bool:
    """Write the document over that version; False when somebody else was faster."""
    return _if_unchanged(
        lambda: container.upload_blob(
            name,
            _encode(document),
            overwrite=True,
            content_settings=_JSON,
            etag=version,
            match_condition=MatchConditions.IfNotModified,
        )
    )


def delete_version(container: ContainerClient, name: str, version: str) -> bool:
    """Delete that version of the document; False when somebody else was faster."""
    return _if_unchanged(
        lambda: container.delete_blob(name, etag=version, match_condition=MatchConditions.IfNotModified)
    )


def _if_unchanged(change: Callable[[], object]) -> bool:
    try:
        change()
    except (ResourceModifiedError, ResourceNotFoundError):
        return False
    return True


def _encode(document: Any) -> bytes:
    return json.dumps(document, indent=1).encode()
