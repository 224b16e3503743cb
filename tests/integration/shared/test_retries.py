"""Retry: the request that imports again what a restore did not bring, from the files that it left."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.contracts.api import Retry
from shared.contracts.plan import Plan, TargetRef
from shared.contracts.progress import FileState, Phase
from shared.contracts.request import RestoreRequest, read_request
from shared.contracts.status import FileStatus, RestoreStatus
from shared.errors import Conflict
from shared.retries import request_again
from shared.storage import landing
from shared.storage.ledger import Ledger
from shared.topology import LANDING_CONTAINERS

FIRST = LANDING_CONTAINERS[0]
NAMES = ("b_database_shop.sql", "b_database_bank.sql", "b_roles.sql", "b_schema.sql")
REQUEST = {
    "requestId": "r", "source": {"backupInstance": "orders"}, "target": "drill", "requestedBy": "dba",
    "databases": [{"name": "*", "as": "*_drill"}], "exclude": ["old"], "schema": "import", "ticket": "INC-7",
}  # fmt: skip
type Again = Callable[..., RestoreRequest]


def file(name: str, state: FileState) -> FileStatus:
    known = landing.classify(name)
    assert known is not None
    final = f"{known.database}_drill" if known.database else ""
    return FileStatus(name=name, kind=known.kind, database=known.database, final_name=final, state=state)


def status(phase: Phase, *states: FileState) -> RestoreStatus:
    """A restore whose files are in these states."""
    files = tuple(file(name, state) for name, state in zip(NAMES, states, strict=False))
    return RestoreStatus(
        request_id="r", phase=phase, message="", started_at="", updated_at="", phases=(), container=FIRST, job=None,
        files=files, report=None, errors=(),
    )  # fmt: skip


@pytest.fixture
def again(put: Callable[..., None]) -> Again:
    """The retry of a restore with files in these states, all of which lie in their container."""
    put(*NAMES)
    ledger = Ledger("r")
    target = TargetRef(alias="drill", host="h", version="18.6")
    ledger.write("plan", Plan(request=read_request(REQUEST), target=target))
    ledger.write("listing", landing.list_files(FIRST, "b", closed=True))

    def again(*states: FileState, phase: Phase = Phase.PARTIALLY_FAILED, **retry: str) -> RestoreRequest:
        return request_again(status(phase, *states), Retry.from_wire(retry))

    return again


DONE, WARNED, FAILED = FileState.IMPORTED, FileState.WARNED, FileState.FAILED


def test_only_what_is_missing_is_asked_for_under_the_name_that_it_was_to_have(again: Again) -> None:
    request = again(FAILED, DONE, DONE, WARNED)

    assert request.source.model_dump() == {"container": FIRST, "backup_name": "b"}
    assert [(one.name, one.final_name) for one in request.databases] == [("shop", "shop_drill")]
    assert (request.roles, request.schema_file, request.exclude) == ("none", "skip", ())
    assert (request.request_id, request.requested_by, request.ticket) == ("r-retry", "dba", "INC-7")


def test_scripts_that_failed_run_again_and_leave_the_databases_alone(again: Again) -> None:
    request = again(DONE, DONE, FAILED, FAILED)

    assert (request.roles, request.schema_file) == ("missing", "skip")
    assert request.on_conflict == "skip"
    assert request.final_name("shop") == "shop_drill"


def test_who_asks_is_told_and_may_name_it(again: Again) -> None:
    request = again(FAILED, DONE, requestId="second", requestedBy="lead", reason="the lock is gone")

    assert (request.request_id, request.requested_by, request.reason) == ("second", "lead", "the lock is gone")


@pytest.mark.parametrize(
    ("phase", "states", "words"),
    [
        (Phase.IMPORTING, [FAILED], "still runs"),
        (Phase.COMPLETED, [DONE], "lacks nothing"),
        (Phase.PARTIALLY_FAILED, [DONE, DONE], "lacks nothing"),
        (Phase.REJECTED, [], "lacks nothing"),
        # its sections run in databases that the same restore has put into place
        (Phase.PARTIALLY_FAILED, [DONE, DONE, DONE, FAILED], "lacks nothing"),
        (Phase.CANCELLED, [FileState.CANCELLED], "its files are deleted"),
    ],
)
def test_what_cannot_be_retried_is_a_conflict(again: Again, phase: Phase, states: Any, words: str) -> None:
    with pytest.raises(Conflict, match=words):
        again(*states, phase=phase)


def test_files_that_are_gone_cannot_be_imported_again(again: Again, storage: Any) -> None:
    storage.get_blob_client(FIRST, NAMES[0]).delete_blob()

    with pytest.raises(Conflict, match=f"no longer holds {NAMES[0]}"):
        again(FAILED, DONE)
