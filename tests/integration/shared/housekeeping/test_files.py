"""Restored files go when nobody has used them for as long as the operator says, and only those that we brought."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts.progress import Phase
from shared.contracts.request import Priority
from shared.housekeeping import files
from shared.storage import reservations, waiting
from shared.storage.ledger import use_set
from shared.topology import LANDING_CONTAINERS

FIRST, SECOND = LANDING_CONTAINERS
SET = ("backupstarttimestamp", "b_roles.sql", "b_database_shop.sql")


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase.is_terminal])
def test_files_of_a_restore_that_is_long_over_are_deleted_and_told(house: Any, phase: Phase) -> None:
    house.restore("r", phase, days=8)
    house.bring("r", *SET)
    (removed,) = house.keep("delete_files").removed

    assert house.names() == set()
    assert (removed.kind, removed.name, removed.restore, removed.count) == ("files", f"backup b in {FIRST}", "r", 3)


def test_who_waits_for_the_container_that_they_fill_is_woken(house: Any) -> None:
    house.restore("r", days=8)
    house.bring("r", *SET)
    waiting.join(waiting.LANDING, "next", Priority.NORMAL)
    house.keep("delete_files")

    assert house.engine.woken == ["next:landing"]


def test_files_stay_for_as_long_as_the_operator_says(house: Any, configure: Callable[..., None]) -> None:
    house.restore("r", days=6)
    house.bring("r", *SET)
    assert house.keep("delete_files").removed == ()

    configure(FLEX_RESTORE_KEEP_FILES_DAYS="0")
    house.restore("s", days=900)
    house.bring("s", "c_roles.sql", container=SECOND, backup="c")
    assert house.keep("delete_files").removed == ()
    configure(FLEX_RESTORE_KEEP_FILES_DAYS="5.5")
    assert {one.restore for one in house.keep("delete_files").removed} == {"r", "s"}


def test_files_that_we_did_not_bring_stay_whatever_they_are_called(house: Any) -> None:
    """Those of another set, those of no kind, and those that somebody has written over ours."""
    house.restore("r")
    house.bring("r", *SET)
    for name in ("other_roles.sql", "notes.txt", "b_roles.sql", "b_database_later.sql"):
        house.storage.get_blob_client(FIRST, name).upload_blob(b"somebody's", overwrite=True)
    house.keep("delete_files")

    assert house.names() == {"other_roles.sql", "notes.txt", "b_roles.sql", "b_database_later.sql"}


def test_files_of_an_automatic_import_are_not_ours(house: Any) -> None:
    """Somebody restored them by the portal; the restore of ours only imported them."""
    house.restore("auto", source={"container": FIRST, "backupName": "b"})
    for name in SET:
        house.storage.get_blob_client(FIRST, name).upload_blob(b"x")
    use_set(FIRST, "b", "auto")

    assert house.keep("delete_files").removed == ()
    assert house.names() == set(SET)


def test_files_stay_while_another_restore_imports_from_them_or_waits_to(house: Any) -> None:
    house.restore("r")
    house.bring("r", *SET)
    house.restore("importing", Phase.IMPORTING, days=0)
    use_set(FIRST, "b", "importing")
    assert house.keep("delete_files").removed == ()

    house.restore("importing", Phase.COMPLETED, days=0)
    assert house.keep("delete_files").removed == ()


def test_files_stay_while_a_request_that_names_their_container_waits_for_approval(house: Any) -> None:
    house.restore("r")
    house.bring("r", *SET)
    house.restore("waits", Phase.AWAITING_APPROVAL, days=0, source={"container": FIRST, "backupName": "b"})

    assert house.keep("delete_files").removed == ()


@pytest.mark.parametrize("instance", ["r", "r:import", "r:clearing:job"])
def test_files_stay_while_anything_works_for_their_restore_whatever_the_records_say(house: Any, instance: str) -> None:
    house.restore("r")
    house.bring("r", *SET)
    house.engine.add(instance)

    assert house.keep("delete_files").removed == ()
    assert house.names() == set(SET)


def test_nothing_in_a_reserved_container_is_touched(house: Any) -> None:
    house.restore("r")
    reservations.reserve("next")
    house.bring("r", *SET)

    assert house.keep("delete_files").removed == ()


def test_a_repeated_attempt_answers_what_the_first_one_deleted_before_it_died(house: Any) -> None:
    """The event must tell of everything, and the same event must say the same."""
    house.restore("r")
    house.bring("r", *SET)
    first = house.keep("delete_files", began="2026-04-01T00:17:00+00:00")
    house.bring("r", *SET)  # versions of their own
    again = house.keep("delete_files", began="2026-04-01T00:17:00+00:00")

    assert again == first
    assert house.names() == set(SET)


def test_files_stay_for_a_request_that_has_come_since_it_was_written_down_what_is_to_go(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever repeats a round that died goes by an old list; also a long round takes its time."""
    house.restore("r")
    house.bring("r", *SET)
    look = files.look

    def long_ago() -> Any:
        yield from look()
        house.restore("retry", Phase.AWAITING_LANDING, days=0, source={"container": FIRST, "backupName": "b"})

    monkeypatch.setattr(files, "look", long_ago)

    assert house.keep("delete_files").removed == ()
    assert house.names() == set(SET)


def test_two_attempts_at_once_answer_the_same(house: Any) -> None:
    house.restore("r")
    house.bring("r", *SET)
    with ThreadPoolExecutor() as threads:
        answers = [threads.submit(house.keep, "delete_files", began="2026-04-01T00:17:00+00:00") for _ in range(4)]
    first, *others = [answer.result() for answer in answers]

    assert [one.restore for one in first.removed] == ["r"]
    assert others == [first] * 3
    assert house.names() == set()


def test_a_container_that_is_gone_holds_up_no_other(house: Any) -> None:
    house.restore("r")
    house.bring("r", *SET)
    house.storage.delete_container(FIRST)
    house.restore("s")
    house.bring("s", "c_roles.sql", container=SECOND, backup="c")

    assert [one.restore for one in house.keep("delete_files").removed] == ["s"]


LEFT = st.fixed_dictionaries(
    {
        "phase": st.sampled_from(list(Phase)),
        "days": st.sampled_from([0, 6, 8, 100]),
        "ours": st.lists(st.sampled_from(["roles", "schema", "database_shop"]), unique=True),
        "theirs": st.lists(st.sampled_from(["roles", "schema", "database_new"]), unique=True),
        "at_work": st.booleans(),
        "user": st.sampled_from([None, *Phase]),
    }
)
NUMBERS = itertools.count()


@given(left=LEFT)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_lies_there_only_old_files_of_ours_that_nobody_works_with_are_deleted(
    house: Any, storage: BlobServiceClient, left: dict[str, Any]
) -> None:
    name = f"p{next(NUMBERS)}"
    backup = f"{name}-{datetime.now(UTC):%H%M%S}"
    house.restore(name, left["phase"], left["days"])
    house.bring(name, *(f"{backup}_{kind}.sql" for kind in left["ours"]), backup=backup)
    for kind in left["theirs"]:
        storage.get_blob_client(FIRST, f"{backup}_{kind}.sql").upload_blob(b"theirs", overwrite=True)
    if left["at_work"]:
        house.engine.add(f"{name}:import")
    if left["user"]:
        house.restore(f"{name}-u", left["user"], days=100)
        use_set(FIRST, backup, f"{name}-u")
    before = {one for one in house.names() if one.startswith(backup)}
    house.keep("delete_files")
    gone = before - house.names()

    ours = {f"{backup}_{kind}.sql" for kind in left["ours"]} - {f"{backup}_{kind}.sql" for kind in left["theirs"]}
    over = left["phase"].is_terminal and (left["user"] is None or left["user"].is_terminal)
    assert gone == (ours if over and left["days"] > 7 and not left["at_work"] else set())
