"""The import of a file set: what has landed is imported, roles first, databases side by side."""

import json
from typing import Any

import pytest

from orchestrators.import_database import ROUNDS, import_database
from orchestrators.import_set import import_set
from orchestrators.share_load import share_load

LANDING = {"requestId": "INC-1", "container": "landing-1", "backupName": "", "reserved": True}
JOB = {
    "landing": LANDING,
    "lanes": 2,
    "interval": 5,
    "longestInterval": 60,
    "deadline": "2026-11-23T12:00:00+00:00",
    "files": {},
}
KINDS = {"roles": "b_roles.sql", "schema": "b_schema.sql"}


def progress(name: str, state: str = "landed", size: int = 1) -> dict[str, Any]:
    kind = next((kind for kind, file in KINDS.items() if file == name), "database")
    database = name if kind == "database" else ""
    return {"name": name, "kind": kind, "database": database, "finalName": database, "size": size, "state": state}


def survey(*files: dict[str, Any], closed: bool = True, problems: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"ok": True, "value": {"files": list(files), "closed": closed, "problems": list(problems)}}


def lane(subject: dict[str, Any]) -> dict[str, Any]:
    names = [one["file"]["name"] for one in subject["imports"]]
    return {"ok": True, "value": [progress(name, "imported") for name in names]}


DONE = {"ok": True, "value": {"warnings": 0}}


def to_the_end(drive: Any, answers: dict[str, Any]) -> tuple[list[str], Any, list[Any]]:
    """All generations of an import: calls, answer, and the lanes that were started."""
    subject, names, lanes = JOB, [], []
    while True:
        run = drive(subject, {"import_database": lane, "import_roles": DONE, "run_script": DONE, **answers})
        answer = run.run(import_set)
        names += run.names()
        lanes += [call.subject for call in run.calls if call.name == "import_database"]
        if run.continued_with is None:
            return names, answer, lanes
        subject = run.continued_with


def test_roles_come_before_databases_and_other_scripts_after(drive: Any) -> None:
    landed = survey(progress("a"), progress(KINDS["schema"]), progress(KINDS["roles"]))
    names, answer, _ = to_the_end(drive, {"survey_landing": landed})

    assert [name for name in names if name != "survey_landing"] == ["import_roles", "import_database", "run_script"]
    assert {file["state"] for file in answer["value"]["files"]} == {"imported"}


def test_the_largest_databases_are_spread_over_the_lanes(drive: Any) -> None:
    landed = survey(*(progress(name, size=size) for name, size in {"a": 1, "b": 9, "c": 2, "d": 3}.items()))
    _, _, lanes = to_the_end(drive, {"survey_landing": landed})

    assert [[one["file"]["name"] for one in lane["imports"]] for lane in lanes] == [["b"], ["d", "c", "a"]]


def test_a_database_waits_for_the_roles_file_while_the_vault_still_writes(drive: Any) -> None:
    run = drive(JOB, {"survey_landing": survey(progress("a"), closed=False)})
    run.run(import_set)

    assert run.names() == ["survey_landing"]
    assert run.slept == [5]


def test_databases_start_while_the_vault_still_writes_once_the_roles_are_there(drive: Any) -> None:
    landed = survey(progress("a"), progress(KINDS["roles"]), closed=False)
    run = drive(JOB, {"survey_landing": landed, "import_roles": DONE, "import_database": lane})
    run.run(import_set)

    assert run.names() == ["survey_landing", "import_roles", "import_database"]
    assert run.continued_with["files"]["a"]["state"] == "imported"


def test_what_lands_later_is_imported_by_a_later_look(drive: Any) -> None:
    roles = progress(KINDS["roles"])
    looks = [survey(roles, progress("a"), closed=False), survey(roles, progress("a"), progress("b"))]
    last = looks[-1]
    _, answer, lanes = to_the_end(drive, {"survey_landing": [*looks, last, last]})

    assert [one["imports"][0]["file"]["name"] for one in lanes] == ["a", "b"]
    assert len(answer["value"]["files"]) == 3


def test_a_file_is_imported_in_the_version_that_the_last_look_saw(drive: Any) -> None:
    roles = progress(KINDS["roles"])
    looks = [survey(roles | {"etag": "1"}, closed=False), survey(roles | {"etag": "2"}, progress("a") | {"etag": "3"})]
    run = drive(JOB, {"survey_landing": looks, "import_roles": DONE, "import_database": lane})
    run.run(import_set)
    later = drive(run.continued_with, run.answers)
    later.run(import_set)

    script, databases = later.last("import_roles"), later.last("import_database")
    assert (script["file"]["etag"], databases["imports"][0]["file"]["etag"]) == ("2", "3")
    assert {name: file["state"] for name, file in later.continued_with["files"].items()} == {
        KINDS["roles"]: "imported",
        "a": "imported",
    }


@pytest.mark.parametrize("kind", ["database", "roles", "schema"])
def test_a_file_that_is_written_again_while_it_is_imported_is_imported_again_in_its_new_version(
    drive: Any, kind: str
) -> None:
    """Also when nothing more will land: no restore ends with a file that was asked for and not imported."""
    name = KINDS.get(kind, "a")
    others = () if kind == "roles" else (progress(KINDS["roles"]),)
    first, second = (survey(*others, progress(name) | {"etag": etag}) for etag in ("1", "2"))
    changed = {"ok": False, "error": {"code": "FileChanged", "message": "changed"}}
    tried: list[str] = []

    def script(subject: dict[str, Any]) -> dict[str, Any]:
        if subject["file"]["name"] != name:
            return DONE
        tried.append(subject["file"]["etag"])
        return changed if tried == ["1"] else DONE

    def database(subject: dict[str, Any]) -> dict[str, Any]:
        tried.append(subject["imports"][0]["file"]["etag"])
        return {"ok": True, "value": [progress(name)]} if tried == ["1"] else lane(subject)

    looks = {"schema": [first, first, second, second], "database": [first, second, second], "roles": [first, second]}
    surveys = [*looks[kind], second, second]
    run = drive(
        JOB, {"survey_landing": surveys, "import_roles": script, "run_script": script, "import_database": database}
    )
    answer = run.run_on(import_set)

    assert tried == ["1", "2"]
    assert {file["state"] for file in answer["value"]["files"]} == {"imported"}


def test_a_file_that_changes_for_ever_ends_with_the_deadline(drive: Any) -> None:
    landed = survey(progress("a"), progress(KINDS["roles"]))
    changed = {"ok": True, "value": [progress("a")]}
    run = drive(JOB, {"survey_landing": landed, "import_roles": DONE, "import_database": changed})
    answer = run.run_on(import_set)

    assert answer["error"]["code"] == "DeadlinePassed"
    assert run.slept[-1] == JOB["longestInterval"]


@pytest.mark.parametrize("gone", ["a", KINDS["roles"]])
def test_a_file_that_is_deleted_before_it_is_imported_has_failed_and_says_so(drive: Any, gone: str) -> None:
    """It had landed, then it was gone; nothing more will land."""
    files = {name: progress(name) for name in ("a", KINDS["roles"])}
    left = survey(*(file for name, file in files.items() if name != gone))
    run = drive({**JOB, "files": files}, {"survey_landing": left, "import_roles": DONE, "import_database": lane})
    answer = run.run_on(import_set)

    states = {file["name"]: (file["state"], file.get("reason", "")) for file in answer["value"]["files"]}
    assert states[gone] == ("failed", "it was deleted from landing-1 before it was imported: restore again")
    assert {state for name, (state, _) in states.items() if name != gone} == {"imported"}


def test_a_named_database_whose_file_is_deleted_after_others_were_imported_does_not_deny_them(drive: Any) -> None:
    files = {"a": progress("a", "imported"), "c": progress("c"), KINDS["roles"]: progress(KINDS["roles"], "imported")}
    left = survey(progress("a"), progress(KINDS["roles"]), problems=("databases: c is not in the backup",))
    answer = drive({**JOB, "files": files}, {"survey_landing": left}).run_on(import_set)

    states = {file["name"]: file["state"] for file in answer["value"]["files"]}
    assert states == {"a": "imported", "c": "failed", KINDS["roles"]: "imported"}
    assert not answer["value"]["problems"]


def test_a_file_that_is_gone_may_come_back_while_the_vault_still_writes(drive: Any) -> None:
    files = {name: progress(name) for name in ("a", KINDS["roles"])}
    run = drive({**JOB, "files": files}, {"survey_landing": survey(progress("a"), closed=False)})
    run.run(import_set)

    assert "import_roles" not in run.names()
    assert run.continued_with["files"][KINDS["roles"]]["state"] == "landed"


def test_nothing_is_imported_before_every_database_that_the_request_names_has_landed(drive: Any) -> None:
    landed = survey(progress("a"), progress(KINDS["roles"]), closed=False, problems=("b is not there",))
    run = drive(JOB, {"survey_landing": landed})
    run.run(import_set)

    assert run.names() == ["survey_landing"]


def test_a_named_database_that_never_lands_imports_nothing(drive: Any) -> None:
    names, answer, _ = to_the_end(drive, {"survey_landing": survey(progress("a"), problems=("b is not there",))})

    assert names == ["survey_landing"]
    assert answer["value"]["problems"] == ["b is not there"]


def test_roles_wait_for_a_database_that_tells_whether_the_tools_can_read_it(drive: Any) -> None:
    run = drive(JOB, {"survey_landing": survey(progress(KINDS["roles"]), closed=False)})
    run.run(import_set)

    assert run.names() == ["survey_landing"]


def test_looks_become_rarer(drive: Any) -> None:
    run = drive(JOB, {"survey_landing": survey(closed=False)})
    run.run(import_set)

    assert run.continued_with["interval"] == 7.5


def test_a_lane_that_somebody_ended_ends_the_import(drive: Any, lost_worker: Exception) -> None:
    landed = survey(progress("a"), progress(KINDS["roles"]))
    run = drive(JOB, {"survey_landing": landed, "import_roles": DONE, "import_database": lost_worker})

    assert run.run(import_set)["error"]["code"] == "ImportFailed"


def test_the_status_keeps_within_what_azure_allows(drive: Any) -> None:
    landed = survey(*(progress("x" * 190 + str(n)) for n in range(300)), progress(KINDS["roles"]))
    run = drive(JOB, {"survey_landing": landed, "import_roles": DONE, "import_database": lane})
    run.run(import_set)

    assert run.statuses
    assert max(len(json.dumps(status).encode("utf-16")) for status in run.statuses) < 16_000


def test_failed_roles_do_not_keep_the_databases_out(drive: Any) -> None:
    landed = survey(progress("a"), progress(KINDS["roles"]))
    failed = {"ok": False, "error": {"code": "ImportFailed", "message": "role x"}}
    _, answer, lanes = to_the_end(drive, {"survey_landing": landed, "import_roles": failed})

    states = {file["name"]: file["state"] for file in answer["value"]["files"]}
    assert states == {"a": "imported", KINDS["roles"]: "failed"}
    assert len(lanes) == 1


def test_an_import_that_is_never_closed_gives_up_after_its_deadline(drive: Any) -> None:
    run = drive({**JOB, "deadline": "2026-11-22T11:00:00+00:00"}, {"survey_landing": survey(closed=False)})

    assert run.run(import_set)["error"]["code"] == "DeadlinePassed"


LANE = {
    "imports": [
        {
            "requestId": "INC-1",
            "container": "landing-1",
            "file": {"name": f"b_database_{name}.sql", "kind": "database", "database": name},
            "finalName": name,
        }
        for name in ("a", "b")
    ],
    "results": [],
}
STEPS = ("load_database", "verify_database", "promote_database")


def test_a_database_is_loaded_verified_and_put_into_place(drive: Any) -> None:
    run = drive(LANE, dict.fromkeys(STEPS, DONE))
    run.run(import_database)

    assert run.names() == list(STEPS)
    assert run.continued_with["results"][0]["state"] == "imported"
    assert [one["finalName"] for one in run.continued_with["imports"]] == ["b"]


def test_the_last_database_of_a_lane_ends_it(drive: Any) -> None:
    run = drive({**LANE, "imports": LANE["imports"][:1]}, dict.fromkeys(STEPS, DONE))
    answer = run.run(import_database)

    assert [one["state"] for one in answer["value"]] == ["imported"]


def test_warnings_of_any_step_show_in_the_state(drive: Any) -> None:
    warned = {"ok": True, "value": {"warnings": 1}}
    run = drive(LANE, {**dict.fromkeys(STEPS, DONE), "promote_database": warned})
    run.run(import_database)

    assert run.continued_with["results"][0]["state"] == "imported-with-warnings"


def test_an_existing_database_that_is_to_be_kept_is_skipped(drive: Any) -> None:
    run = drive(LANE, {"load_database": {"ok": True, "value": {"skipped": "it exists"}}})
    run.run(import_database)

    assert run.names() == ["load_database"]
    assert run.continued_with["results"][0]["reason"] == "it exists"


SHARED = {"ok": True, "value": {"lanes": 3}}


def test_the_pieces_of_a_large_database_are_loaded_side_by_side_and_then_it_is_brought_to_its_end(drive: Any) -> None:
    answers = {**dict.fromkeys(STEPS, DONE), "load_database": [SHARED, DONE], "share_load": DONE}
    run = drive(LANE, answers)
    run.run(import_database)

    assert run.names() == ["load_database", *["share_load"] * 3, *STEPS]
    assert run.continued_with["results"][0]["state"] == "imported"


def test_a_piece_that_fails_fails_the_database(drive: Any) -> None:
    failed = {"ok": False, "error": {"code": "ImportFailed", "message": "no such type"}}
    run = drive(LANE, {"load_database": SHARED, "share_load": [DONE, failed, DONE]})
    run.run(import_database)

    assert run.names()[-1] == "discard_database"
    assert run.continued_with["results"][0]["reason"] == "no such type"


def test_pieces_that_are_left_again_and_again_fail_the_database_at_last(drive: Any) -> None:
    run = drive(LANE, {"load_database": SHARED, "share_load": DONE})
    run.run(import_database)

    assert run.names().count("load_database") == ROUNDS
    assert run.continued_with["results"][0]["state"] == "failed"


def test_a_lane_that_was_ended_from_outside_fails_the_database_only(drive: Any, lost_worker: Exception) -> None:
    run = drive(LANE, {"load_database": SHARED, "share_load": lost_worker})
    run.run(import_database)

    assert run.continued_with["results"][0]["state"] == "failed"
    assert len(run.continued_with["imports"]) == 1


def test_pieces_are_loaded_in_shifts_until_none_is_left(drive: Any) -> None:
    """Each is a generation of its own, so that its history stays short."""
    left = [{"ok": True, "value": {"left": number}} for number in (7, 2, 0)]
    run = drive(LANE["imports"][0], {"load_pieces": left})
    answer = run.run_on(share_load)

    assert run.names() == ["load_pieces"] * 3
    assert answer["ok"]


@pytest.mark.parametrize("step", STEPS)
def test_a_database_that_fails_is_discarded_and_the_lane_goes_on(drive: Any, step: str) -> None:
    failed = {"ok": False, "error": {"code": "ImportFailed", "message": "relation exists"}}
    run = drive(LANE, {**dict.fromkeys(STEPS, DONE), step: failed})
    run.run(import_database)

    assert run.names()[-1] == "discard_database"
    assert run.continued_with["results"][0]["state"] == "failed"
    assert run.continued_with["results"][0]["reason"] == "relation exists"
    assert len(run.continued_with["imports"]) == 1


def test_a_file_that_was_written_again_is_imported_by_a_later_look(drive: Any) -> None:
    changed = {"ok": False, "error": {"code": "FileChanged", "message": "changed"}}
    run = drive(LANE, {"load_database": changed})
    run.run(import_database)

    assert run.names() == ["load_database"]
    assert run.continued_with["results"][0]["state"] == "landed"


def test_a_temporary_database_that_could_not_be_dropped_is_told(drive: Any, lost_worker: Exception) -> None:
    failed = {"ok": False, "error": {"code": "ImportFailed", "message": "no"}}
    run = drive(LANE, {"load_database": failed, "discard_database": lost_worker})
    run.run(import_database)

    assert "drop flexrestore_* by hand" in run.continued_with["results"][0]["reason"]


def test_a_worker_that_dies_at_every_try_fails_that_database_only(drive: Any, lost_worker: Exception) -> None:
    run = drive(LANE, {"load_database": lost_worker})
    run.run(import_database)

    assert "the worker died" in run.continued_with["results"][0]["reason"]


CANCELLED = {"ok": False, "error": {"code": "RestoreCancelled", "message": "dba cancelled restore INC-1: wrong day"}}


@pytest.mark.parametrize("step", STEPS)
def test_a_database_of_a_cancelled_restore_is_dropped_and_says_so(drive: Any, step: str) -> None:
    run = drive(LANE, {**dict.fromkeys(STEPS, DONE), step: CANCELLED})
    run.run(import_database)

    assert run.names()[-1] == "discard_database"
    assert run.continued_with["results"][0]["state"] == "cancelled"
    assert "wrong day" in run.continued_with["results"][0]["reason"]


def test_a_cancelled_import_ends_and_tells_what_stands_already(drive: Any) -> None:
    files = {one["name"]: one for one in (progress("a", "imported"), progress("b"), progress("c", "importing"))}
    run = drive({**JOB, "files": files}, {"survey_landing": CANCELLED})
    answer = run.run(import_set)

    assert run.names() == ["survey_landing"]
    states = {file["name"]: file["state"] for file in answer["value"]["files"]}
    assert states == {"a": "imported", "b": "cancelled", "c": "cancelled"}


def test_an_import_that_sleeps_looks_at_once_when_it_is_woken(drive: Any) -> None:
    run = drive(JOB, {"survey_landing": survey(closed=False)}, woken=True)
    run.run(import_set)

    assert run.slept == []
    assert run.continued_with is not None


WAITS = {"ok": True, "value": {"ended": False, "status": "restore INC-7 imports into drill"}}
TURN = {"ok": True, "value": {"ended": True}}


def test_an_import_waits_for_its_turn_at_the_target_and_says_so(drive: Any) -> None:
    landed = survey(progress("a"), progress(KINDS["roles"]))
    run = drive(JOB, {"survey_landing": landed, "enter_target": WAITS})
    run.run(import_set)

    assert run.names() == ["survey_landing"]
    assert run.statuses == [{"waiting": "restore INC-7 imports into drill"}]
    assert run.slept == [5]


def test_an_import_whose_turn_came_keeps_its_place_to_its_end(drive: Any) -> None:
    turns = {"enter_target": [WAITS, TURN], "import_roles": DONE, "import_database": lane}
    run = drive(JOB, {"survey_landing": survey(progress("a"), progress(KINDS["roles"])), **turns})
    run.run_on(import_set)

    calls = [call.name for call in run.calls if call.name.endswith("_target")]
    assert calls == ["enter_target", "enter_target", "leave_target"]


def test_an_import_that_cannot_ask_for_its_turn_asks_again(drive: Any, lost_worker: Exception) -> None:
    run = drive(JOB, {"survey_landing": survey(progress("a")), "enter_target": lost_worker})
    run.run(import_set)

    assert run.continued_with["hasPlace"] is False


@pytest.mark.parametrize("landed", [survey(), survey(progress("a", "skipped"))], ids=["nothing", "nothing asked for"])
def test_who_has_nothing_to_import_waits_for_no_turn(drive: Any, landed: Any) -> None:
    """A failed backup job has brought no file: its restore ends at once, though the target is busy for hours."""
    run = drive(JOB, {"survey_landing": landed, "enter_target": WAITS})
    answer = run.run_on(import_set)

    assert answer["ok"]
    assert "enter_target" not in [call.name for call in run.calls]


def test_a_target_that_is_no_longer_configured_ends_the_import_in_its_words(drive: Any) -> None:
    error = {"code": "RequestRejected", "message": "target: 'drill' is no configured target"}
    gone = {"ok": False, "error": error}
    run = drive(JOB, {"survey_landing": survey(progress("a")), "enter_target": gone})

    assert run.run(import_set)["error"]["message"] == error["message"]
    assert run.calls[-2].name == "leave_target"


def test_a_restore_that_ends_while_its_import_asks_for_a_turn_is_told_as_such(drive: Any) -> None:
    run = drive(JOB, {"survey_landing": survey(progress("a")), "enter_target": CANCELLED})

    assert [file["state"] for file in run.run(import_set)["value"]["files"]] == ["cancelled"]


def test_a_turn_that_does_not_come_in_time_is_what_the_import_says(drive: Any) -> None:
    run = drive(JOB, {"survey_landing": survey(progress("a")), "enter_target": WAITS})

    assert run.run_on(import_set)["error"]["message"].startswith("Its turn at the target server had not come by")


def test_no_place_is_held_while_the_vault_has_brought_nothing_to_load(drive: Any) -> None:
    run = drive(JOB, {"survey_landing": survey(progress(KINDS["roles"]), closed=False)})
    run.run(import_set)

    assert "enter_target" not in [call.name for call in run.calls]


@pytest.mark.parametrize("ends", [CANCELLED, {"ok": False, "error": {"code": "LandingFailed", "message": "gone"}}])
def test_whatever_ends_an_import_gives_its_place_to_the_next(drive: Any, ends: Any) -> None:
    run = drive(
        {**JOB, "hasPlace": True}, {"survey_landing": ends, "leave_target": {"ok": True, "value": {"lines": ["x"]}}}
    )
    run.run(import_set)

    assert [(call.name, call.subject) for call in run.calls][-1] == ("call_next", {"lines": ["x"]})
