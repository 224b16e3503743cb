"""The ledger: what a restore has found and done, as small JSON documents in the control container.

Histories of orchestrations carry references; the contents are here: `restores/<requestId>/<record>.json`. Records that
must be right once and for all are created with `If-None-Match: *`, so that the first attempt's answer stands.
"""

from dataclasses import dataclass
from typing import Any, overload
from urllib.parse import quote, unquote

from shared.contracts.base import Contract, Json, wire
from shared.contracts.imports import Promotion
from shared.contracts.plan import Plan
from shared.storage import documents
from shared.storage.accounts import control_container


class Ledger:
    """The records of one restore."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self._container = control_container()

    def _name(self, record: str) -> str:
        return f"restores/{self.request_id}/{record}.json"

    def write(self, record: str, content: Contract | Json) -> None:
        """Write a record, over an older one."""
        documents.write(self._container, self._name(record), wire(content))

    def claim(self, record: str, content: Json) -> bool:
        """Write a record unless it exists; whether it was us."""
        return documents.create(self._container, self._name(record), content)

    def delete(self, record: str) -> None:
        """Delete a record."""
        documents.delete(self._container, self._name(record))

    def read_version(self, record: str) -> tuple[Any, str]:
        """A record and its version; None and nothing where there is none."""
        return documents.read_version(self._container, self._name(record))

    def delete_version(self, record: str, version: str) -> bool:
        """Delete that version of a record; False when somebody else was faster."""
        return documents.delete_version(self._container, self._name(record), version)

    def first(self, record: str, content: Contract | Json) -> Any:
        """Write a record unless it exists; the record that stands."""
        return documents.create_or_read(self._container, self._name(record), wire(content))

    @overload
    def read(self, record: str) -> Any: ...
    @overload
    def read[T: Contract](self, record: str, model: type[T]) -> T | None: ...
    def read[T: Contract](self, record: str, model: type[T] | None = None) -> T | Any:
        """A record, as the model when one is named; None where there is none."""
        document = documents.read(self._container, self._name(record))
        return document if model is None or document is None else model.from_wire(document)

    def names(self, folder: str) -> list[str]:
        """The names of a folder's records, sorted."""
        prefix = f"restores/{self.request_id}/{folder}/"
        blobs = self._container.list_blobs(name_starts_with=prefix)
        return sorted(blob.name.removeprefix(prefix).removesuffix(".json") for blob in blobs)

    def delete_all(self) -> None:
        """Delete every record."""
        documents.delete_all(self._container, f"restores/{self.request_id}/")

    def plan(self) -> Plan:
        """The plan of the restore, which `make_plan` recorded."""
        plan = self.read("plan", Plan)
        if plan is None:
            raise LookupError(f"restore {self.request_id} has no plan in the ledger")
        return plan


def database_record(database: str, record: str) -> str:
    """The name of a database's record; the database's name is quoted, for it may hold anything."""
    return f"databases/{quoted(database)}/{record}"


def remember_set(container: str, backup_name: str, request_id: str) -> None:
    """Record that a file set came into its container by a restore of ours; the name is the same at every restore."""
    documents.write(control_container(), f"{_set_name(container, backup_name)}.json", {"requestId": request_id})


def owner_of_set(container: str, backup_name: str) -> str | None:
    """The restore of ours that brought a file set into a container, if any."""
    document = documents.read(control_container(), f"{_set_name(container, backup_name)}.json")
    return None if document is None else str(document["requestId"])


def use_set(container: str, backup_name: str, request_id: str) -> None:
    """Record that a restore imports from a file set which another one of ours has brought."""
    if (owner := owner_of_set(container, backup_name)) is not None:
        name = f"{_set_name(container, backup_name)}/{owner}/{request_id}.json"
        documents.write(control_container(), name, {"requestId": request_id})


def users_of_set(container: str, backup_name: str, owner: str) -> list[str]:
    """The restores that import, or did, from a file set that the owner has brought."""
    folder = f"{_set_name(container, backup_name)}/{owner}/"
    names = control_container().list_blob_names(name_starts_with=folder)
    return [name.removeprefix(folder).removesuffix(".json") for name in names]


@dataclass(frozen=True)
class FileSet:
    """A file set that a restore of ours has brought."""

    container: str
    backup_name: str
    owner: str
    """The request id of that restore."""


def file_sets() -> list[FileSet]:
    """The file sets that restores of ours have brought, whether their files are still there or not."""
    names = control_container().list_blob_names(name_starts_with="sets/")
    places = [name.removesuffix(".json").split("/")[1:] for name in names]
    found = ((container, unquote(backup)) for container, backup in (place for place in places if len(place) == 2))
    owned = ((container, backup, owner_of_set(container, backup)) for container, backup in found)
    return [FileSet(container, backup, owner) for container, backup, owner in owned if owner is not None]


def forget_set(one: FileSet) -> None:
    """Delete the records of a file set and of its users, unless another restore has brought it since."""
    container, name = control_container(), _set_name(one.container, one.backup_name)
    document, version = documents.read_version(container, f"{name}.json")
    if document is not None and document["requestId"] == one.owner:
        documents.delete_version(container, f"{name}.json", version)
    documents.delete_all(container, f"{name}/{one.owner}/")


def _set_name(container: str, backup_name: str) -> str:
    return f"sets/{container}/{quoted(backup_name)}"


def quoted(name: str) -> str:
    """A name from outside as one segment of a blob's name, whatever it holds."""
    segment = quote(name, safe="")
    return segment.replace(".", "%2E") if segment in {".", ".."} else segment


def promotions(ledger: Ledger) -> dict[str, Promotion]:
    """The databases that a restore has put into place, by their names in the backup."""
    found = (name.rpartition("/") for name in ledger.names("databases"))
    return {
        unquote(database): Promotion.from_wire(ledger.read(f"databases/{database}/{record}"))
        for database, _, record in found
        if record == "promotion"
    }
