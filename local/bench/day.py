"""A restore whose backup job takes a day, on a set clock: how long do the histories of its instances become?

The app's own orchestrators run on the real engine with the real SDK; activities are answered from a table.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from local.host.rehearsal import Rehearsal, rehearsal
from orchestrators.import_database import import_database
from orchestrators.import_set import import_set
from orchestrators.restore import restore
from orchestrators.watch_job import watch_job
from shared.contracts.outcome import success
from shared.topology import import_instance

_REQUEST = "DAY-1"
_LANDING = {"requestId": _REQUEST, "container": "landing-1", "backupName": "", "reserved": True}
_INSTANCE = {
    "subscription": "s", "resourceGroup": "rg", "vault": "v", "name": "orders", "server": "orders",
    "datasourceId": "/d", "location": "westeurope",
}  # fmt: skip
_BRIEFING = {
    "requestId": _REQUEST, "dryRun": False, "needsApproval": False, "mode": "full", "priority": "normal",
    "instance": _INSTANCE, "landing": None, "recoveryPoint": {"id": "rp", "time": "2026-11-20T00:00:00Z"},
    "pace": {
        "pollSeconds": 10, "pollLimitSeconds": 120,
        "jobDeadlineHours": 48, "landingDeadlineHours": 24, "approvalDeadlineHours": 24,
    },
}  # fmt: skip
"""The paces are the settings' defaults, but for the deadline of a job that takes so long."""
_LANDED = {"state": "landed", "size": 1}
_DATABASE = {"name": "b_database_shop.sql", "kind": "database", "database": "shop", "finalName": "shop", **_LANDED}
_ROLES = {"name": "b_roles.sql", "kind": "roles", "database": "", **_LANDED}


def longest_histories(hours: float = 24) -> dict[str, int]:
    """Events in the longest history that each instance of such a restore ever had."""
    orchestrators = {
        "restore": restore,
        "watch_job": watch_job,
        "import_set": import_set,
        "import_database": import_database,
    }
    with rehearsal(list(_ANSWERS), orchestrators) as engine:
        longest: dict[str, int] = {}
        began = engine.now
        engine.start("restore", {"request": {"requestId": _REQUEST}}, _REQUEST)
        engine.start("import_set", _import_set(engine.now + 2 * 48 * 3600), import_instance(_REQUEST))
        while not engine.instance(_REQUEST).status.is_terminal:
            ended = engine.now - began >= hours * 3600
            _complete_all(engine, ended=ended, longest=longest)
            if not engine.activities and not engine.woken and not engine.fire_next_timer():
                break
        if (phase := engine.output(_REQUEST)["phase"]) != "Completed":
            raise RuntimeError(f"the restore of a day ended as {phase}: {engine.output(_REQUEST)}")
        return longest


def _complete_all(engine: Rehearsal, *, ended: bool, longest: dict[str, int]) -> None:
    while engine.woken or engine.activities:
        while engine.woken:
            instance_id = next(iter(engine.woken))
            engine.turn(instance_id)
            longest[instance_id] = max(longest.get(instance_id, 0), len(engine.store.history(instance_id)))
        for activity in list(engine.activities):
            engine.complete(activity, _answer(engine, activity.name, ended=ended))


def _answer(engine: Rehearsal, name: str, *, ended: bool) -> Any:
    if name == "check_import":
        status = engine.instance(import_instance(_REQUEST)).status
        return _seen(engine.output(import_instance(_REQUEST))["value"] if status.is_terminal else None)
    return _ANSWERS[name](ended)


def _import_set(deadline: float) -> dict[str, Any]:
    """As the first file that lands starts it."""
    return {
        "landing": _LANDING,
        "lanes": 2,
        "interval": 10,
        "longestInterval": 120,
        "deadline": datetime.fromtimestamp(deadline, UTC).isoformat(),
    }


def _seen(value: Any) -> dict[str, Any]:
    """What a look saw; None for what has not ended."""
    return success({"ended": value is not None, "status": "InProgress", "value": value})


def _survey(*, closed: bool) -> dict[str, Any]:
    return success({"files": [_ROLES, _DATABASE], "closed": closed})


_DONE = success({"warnings": 0})
_ANSWERS: dict[str, Callable[[bool], Any]] = {
    "make_plan": lambda _: success(_BRIEFING),
    "start_validation": lambda _: success({"url": "https://arm/operation"}),
    "check_operation": lambda _: _seen({"jobId": None}),
    "reserve_landing": lambda _: _seen({"container": "landing-1"}),
    "start_restore": lambda _: _seen({"jobId": "job-1"}),
    "check_job": lambda ended: _seen({"status": "Completed", "warnings": []} if ended else None),
    "survey_landing": lambda ended: _survey(closed=ended),
    "enter_target": lambda _: _seen({}),
    "check_import": lambda _: None,
    "close_restore": lambda _: success({"at": "2026-11-22T12:00:00Z", "cancelled": None}),
    **dict.fromkeys(("leave_target", "release_landing"), lambda _: success({"lines": ["landing"]})),
    **dict.fromkeys(("load_database", "verify_database", "promote_database", "import_roles"), lambda _: _DONE),
    **dict.fromkeys(
        (
            "publish_phase",
            "check_running",
            "close_landing",
            "open_import",
            "verify_restore",
            "write_report",
            "call_next",
        ),
        lambda _: success({}),
    ),
}
