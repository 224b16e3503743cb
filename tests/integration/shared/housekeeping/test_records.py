"""Reports, records and rows go after their time; a request id is known until then and starts nothing a second time."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.housekeeping import tell_housekeeping
from shared.contracts.progress import Phase
from shared.contracts.request import Priority
from shared.decisions import close
from shared.housekeeping import sweep
from shared.instances import progress_of, request_of, start_restore_once, status_of
from shared.storage import documents, imports, register, reservations
from shared.storage.accounts import control_container, report_container
from shared.storage.ledger import Ledger, use_set
from shared.storage.waiting import GONE_AFTER, LANDING, abandoned, join
from shared.topology import REPORT_CONTAINER


def known() -> set[str]:
    """The restores that lists show."""
    return {row.request_id for row in register.restores()}


def left(request_id: str) -> list[str]:
    """What the control container still holds of a restore."""
    return [name for name in control_container().list_blob_names() if request_id in name.split("/")]


def test_the_records_of_a_restore_go_with_its_rows_when_their_time_is_over(house: Any) -> None:
    for name, days in (("old", 91), ("young", 89)):
        house.restore(name, Phase.FAILED, days=days).write("databases/shop/failure", {})
        house.bring(name, f"{name}_roles.sql", backup=name)
        use_set("landing-1", name, f"{name}-retry")
    house.keep("delete_files")
    (removed,) = house.keep("delete_records").removed

    assert (removed.kind, removed.restore) == ("records", "old")
    assert left("old") == []
    assert known() == {"young"}
    assert Ledger("young").read("plan") is not None


@pytest.mark.parametrize("phase", [phase for phase in Phase if not phase.is_terminal])
def test_the_records_of_a_restore_that_runs_stay(house: Any, phase: Phase) -> None:
    house.restore("r", phase, days=900)
    assert house.keep("delete_records").removed == ()

    house.restore("s", days=900)
    house.engine.add("s:import")
    assert house.keep("delete_records").removed == ()


def test_records_stay_for_as_long_as_they_tell_what_is_ours(house: Any, configure: Callable[..., None]) -> None:
    """Files that lie there, a container that is reserved, a history that the engine has."""
    configure(FLEX_RESTORE_KEEP_FILES_DAYS="0")
    house.restore("files")
    house.bring("files", "b_roles.sql")
    house.restore("container")
    reservations.reserve("container")
    house.restore("history")
    house.engine.add("history", "Completed", days=100)

    assert house.keep("delete_records").removed == ()
    assert known() == {"files", "container", "history"}


def test_what_was_written_down_in_a_round_is_deleted_a_week_later(house: Any) -> None:
    house.restore("r")
    house.bring("r", "b_roles.sql")
    house.keep("delete_files")
    sweep.forget_rounds(datetime.now(UTC) - timedelta(hours=1))
    assert list(control_container().list_blob_names(name_starts_with="housekeeping/"))

    sweep.forget_rounds(datetime.now(UTC) + timedelta(hours=1))
    assert not list(control_container().list_blob_names(name_starts_with="housekeeping/"))


def test_a_report_goes_with_its_logs_and_what_is_no_report_stays(house: Any, configure: Callable[..., None]) -> None:
    house.restore("r", days=1)
    house.restore("running", Phase.IMPORTING, days=1)
    names = ["r/report.json", "r/report.html", "r/logs/b_roles.sql.log", "r/notes.txt", "running/logs/b.log", "mine"]
    for name in names:
        report_container().upload_blob(name, b"x")
    assert house.keep("delete_reports").removed == ()

    configure(FLEX_RESTORE_KEEP_REPORTS_DAYS="0.0000001")
    (removed,) = house.keep("delete_reports").removed
    assert (removed.restore, removed.count) == ("r", 3)
    assert house.names(REPORT_CONTAINER) == {"r/notes.txt", "running/logs/b.log", "mine"}


def test_a_history_is_purged_with_its_children_and_its_status_is_kept(house: Any) -> None:
    shown = {"phase": "Failed", "message": "no", "container": "landing-1"}
    house.restore("old", Phase.FAILED)
    house.engine.add("old", "Completed", days=40, customStatus=shown, input={"request": {"requestId": "old"}})
    for child in ("old:job", "old:import", "old:clearing:end"):
        house.engine.add(child, "Completed", days=40)
    house.engine.add("older-sibling:job", "Completed", days=40)  # its restore's history is gone
    house.engine.add("young", "Completed", days=29)
    house.engine.add("young:job", "Completed", days=40)
    removed = house.keep("purge_histories").removed

    assert {one.name for one in removed} == {"history of old", "history of older-sibling"}
    assert set(house.engine.instances) == {"young", "young:job"}
    status = asyncio.run(status_of(house.engine, "old"))
    assert status is not None
    assert progress_of(status).message == "no"


def test_nothing_that_runs_is_purged(house: Any) -> None:
    house.engine.add("r", "Running", days=40)
    house.engine.add("r:landing", "Completed", days=40)
    house.engine.add("s", "Completed", days=40)
    house.engine.add("s:clearing", "Running", days=40)
    house.engine.add(":housekeeping", "Completed", days=40)

    assert house.keep("purge_histories").removed == ()
    assert len(house.engine.instances) == 5


def test_histories_are_found_however_many_there_are(house: Any) -> None:
    """The SDK reads a hundred instances of an answer, in no order that helps."""
    for number in range(130):
        house.engine.add(f"long-{number}:job", "Completed", days=40 + number)
        house.engine.add(f"long-{number}", "Running", days=40 + number)
    house.engine.add("old", "Completed", days=900)

    assert [one.name for one in house.keep("purge_histories").removed] == ["history of old"]


def test_a_purged_request_is_not_restored_again_while_its_records_are_kept(house: Any) -> None:
    started: list[str] = []

    async def start_new(_name: str, instance_id: str, _subject: Any) -> None:
        started.append(instance_id)

    house.engine.start_new = start_new
    house.restore("r")
    house.engine.add("r", "Completed", days=40, customStatus={"phase": "Completed"}, input={"request": {}})
    house.keep("purge_histories")
    existing = asyncio.run(start_restore_once(house.engine, "r", {"requestId": "r"}))
    assert existing is not None
    assert progress_of(existing).phase is Phase.COMPLETED
    assert started == []

    house.keep("delete_records")
    asyncio.run(start_restore_once(house.engine, "r", {"requestId": "r"}))
    assert started == ["r"]


@pytest.mark.parametrize(("phase", "times"), [(Phase.COMPLETED, 0), (Phase.REJECTED, 1)])
def test_a_history_that_somebody_purged_by_hand_frees_no_request_id(house: Any, phase: Phase, times: int) -> None:
    """Only a rejected request may be sent again, as ever."""
    started: list[str] = []

    async def start_new(_name: str, instance_id: str, _subject: Any) -> None:
        started.append(instance_id)

    house.engine.start_new = start_new
    ledger = house.restore("r", phase)
    close(ledger)
    existing = asyncio.run(start_restore_once(house.engine, "r", {"requestId": "r"}))

    assert started == ["r"] * times
    assert (existing is None) == bool(times)
    assert existing is None or request_of(existing)["target"] == "drill"


def test_a_place_in_the_line_goes_with_its_restore(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dead", "waits"):
        join(LANDING, name, Priority.NORMAL)
    assert house.keep("remove_places").removed == ()

    monkeypatch.setattr("shared.storage.waiting.GONE_AFTER", -GONE_AFTER)
    house.engine.add("waits:landing")
    assert [one.restore for one in house.keep("remove_places").removed] == ["dead"]
    assert abandoned() == [(LANDING, "waits")]


def test_a_place_of_a_version_that_knew_one_line_goes_too(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told once, and not in every round."""
    documents.write(control_container(), "waiting/1-01700000000000-dead.json", {"requestId": "dead"})
    monkeypatch.setattr("shared.storage.waiting.GONE_AFTER", -GONE_AFTER)

    assert [one.restore for one in house.keep("remove_places").removed] == ["dead"]
    assert house.keep("remove_places").removed == ()


def test_a_place_at_a_target_server_goes_with_its_import(house: Any) -> None:
    """An import that somebody ended from outside would keep one of the target's places for ever."""
    for name in ("dead", "imports"):
        assert imports.reserve("drill", name, Priority.NORMAL, 2) is None
    house.engine.add("imports:import")

    assert [one.restore for one in house.keep("remove_places").removed] == ["dead"]
    assert imports.held() == [("drill", "imports")]


def test_who_waits_for_a_target_server_is_woken_when_a_dead_restores_place_is_given_back(house: Any) -> None:
    for name in ("dead", "next"):
        imports.reserve("drill", name, Priority.NORMAL, 1)
    house.engine.add("next:import")
    house.keep("remove_places")

    assert house.engine.woken == ["next:import"]


def test_what_was_deleted_is_told_each_time_and_what_cannot_be_once_a_day(house: Any) -> None:
    removed = {"kind": "files", "name": "n", "restore": "r", "why": "w", "count": 1}
    failed = {"kind": "database", "name": "target drill", "message": "does not answer"}

    def tell(hour: int, **done: Any) -> None:
        subject = {"round": f"2026-04-01T{hour:02}:17:00+00:00", "chore": "drop_databases", "done": done}
        assert tell_housekeeping(subject)["ok"]

    for hour in (1, 1, 2):
        tell(hour, removed=[removed])
        tell(hour, failed=[failed])
    events = house.events()

    assert [bool(event["data"]["removed"]) for event in events].count(False) == 1
    assert len({event["id"] for event in events}) == 3
