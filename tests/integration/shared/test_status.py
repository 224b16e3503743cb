"""The live status of files is read from the ledger: states by records, and how far each load is."""

from collections.abc import Callable

import pytest

from activities.databases import discard_database, load_database
from shared.contracts.importing import DatabaseImport
from shared.contracts.imports import DatabaseLoad
from shared.contracts.loading import LoadStep, TableState
from shared.contracts.plan import Plan, TargetRef
from shared.contracts.progress import FileState
from shared.contracts.request import read_request
from shared.status import _files_at_work
from shared.storage import landing
from shared.storage.ledger import Ledger, database_record
from shared.topology import LANDING_CONTAINERS

NAME = "b_database_shop.sql"
SHOP = b"CREATE TABLE public.t (a text);\nCOPY public.t (a) FROM stdin;\none\ntwo\n\\.\n"


@pytest.fixture
def ledger(app: object, put: Callable[..., None]) -> Ledger:  # noqa: ARG001 -- settings first
    """A restore whose only database has landed."""
    put(NAME, content=SHOP)
    source = {"container": LANDING_CONTAINERS[0], "backupName": "b"}
    request = read_request({"requestId": "told", "source": source, "target": "drill"})
    ledger = Ledger("told")
    ledger.write("plan", Plan(request=request, target=TargetRef(alias="drill", host="h", version="18.6")))
    ledger.write("listing", landing.list_files(LANDING_CONTAINERS[0], "b", closed=True))
    return ledger


def test_a_load_leaves_its_progress_which_the_status_shows_while_it_means_something(ledger: Ledger) -> None:
    """Of the version of the file that is there, until the database is in place or given up."""
    [file] = landing.restored_files(LANDING_CONTAINERS[0])
    job = DatabaseImport(request_id="told", container=LANDING_CONTAINERS[0], file=file, final_name="shop").to_wire()
    importing = frozenset({NAME})
    [before] = _files_at_work("told", importing)
    outcome = load_database(job)
    assert outcome["ok"], outcome
    [loaded] = _files_at_work("told", importing)
    record = ledger.read(database_record("shop", "load"), DatabaseLoad)
    assert record

    assert (before.state, before.load) == (FileState.IMPORTING, None)
    assert loaded.state is FileState.LOADED
    assert loaded.load is not None
    assert (loaded.load.attempt, loaded.load.file_version) == (record.temporary_name, file.etag)
    assert (loaded.load.step, loaded.load.rows, loaded.load.tables_loaded) == (LoadStep.OTHER, 2, 1)
    assert [(one.table, one.state) for one in loaded.load.by_table] == [("public.t", TableState.LOADED)]

    ledger.delete(database_record("shop", "load"))
    [again] = _files_at_work("told", importing)
    assert (again.state, again.load) == (FileState.IMPORTING, loaded.load)
    old = loaded.load.model_copy(update={"at": "2026-01-01T00:00:00+00:00"})
    ledger.write(database_record("shop", "progress"), old)
    [stale] = _files_at_work("told", importing)
    assert (stale.state, stale.load) == (FileState.IMPORTING, None)

    assert discard_database({"job": job, "error": {"code": "x", "message": "y"}})["ok"]
    ledger.write(database_record("shop", "progress"), loaded.load)
    [given_up] = _files_at_work("told", importing)
    assert (given_up.state, given_up.load) == (FileState.FAILED, None)
