"""Fan-out, fan-in: all files of a folder are copied into blobs at once, then their sizes are added."""

# mypy: disable-error-code="untyped-decorator"
# The durable SDK ships no types.

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import azure.durable_functions as df
from azure.storage.blob import ContainerClient

bp = df.Blueprint()
CONNECTION = os.environ["AzureWebJobsStorage"]  # noqa: SIM112 - the name is Azure's
CONTAINER = "archive"


@bp.orchestration_trigger(context_name="context")
def archive(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    files = yield context.call_activity("list_files", context.get_input())
    sizes = yield context.task_all([context.call_activity("copy_file", file) for file in files])
    return {"files": len(files), "bytes": sum(sizes)}


@bp.activity_trigger(input_name="folder")
def list_files(folder: str) -> list:  # type: ignore[type-arg]  # the worker library takes plain types only
    if not _container().exists():
        _container().create_container()
    return sorted(str(path) for path in Path(folder).rglob("*") if path.is_file())


@bp.activity_trigger(input_name="file")
def copy_file(file: str) -> int:
    path = Path(file)
    with path.open("rb") as source:
        _container().upload_blob(path.name, source, overwrite=True)  # as it may run twice
    return path.stat().st_size


def _container() -> ContainerClient:
    return ContainerClient.from_connection_string(CONNECTION, CONTAINER)
