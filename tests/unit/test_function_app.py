"""What the app registers: the exact set of functions, each with its trigger."""

import json
import runpy
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import function_app
from activities.answers import PHASES
from shared.settings import access
from shared.topology import LANDING_CONTAINERS, REQUEST_QUEUE, WEBHOOK_QUEUE
from triggers.http.endpoints import ENDPOINTS
from triggers.timer import schedule

ROOT = Path(__file__).parents[2]


@cache
def functions() -> dict[str, Any]:
    return {function.get_function_name(): function for function in function_app.app.get_functions()}


def trigger(name: str) -> dict[str, Any]:
    bindings = [binding.get_dict_repr() for binding in functions()[name].get_bindings()]
    return next(binding for binding in bindings if binding["type"].endswith("Trigger"))


def by_trigger(kind: str) -> set[str]:
    return {name for name in functions() if trigger(name)["type"] == kind}


def test_orchestrators() -> None:
    assert by_trigger("orchestrationTrigger") == {
        "restore",
        "watch_job",
        "import_set",
        "import_database",
        "share_load",
        "clear_landing",
        "housekeeping",
    }


HOUSEKEEPING = {
    "report_stuck", "find_abandoned", "give_back_landing", "remove_places", "drop_databases",
    "delete_files", "delete_reports", "purge_histories", "delete_records", "tell_housekeeping",
}  # fmt: skip
"""The chores, which are of no restore."""


def test_activities() -> None:
    assert by_trigger("activityTrigger") == {
        "make_plan",
        "start_validation", "check_operation", "start_restore", "check_job", "find_job",
        "reserve_landing", "survey_landing", "settle_landing", "close_landing", "release_landing",
        "open_import", "check_import", "open_clearing", "check_running", "check_approval", "close_restore",
        "enter_target", "leave_target", "call_next",
        "import_roles", "run_script",
        "load_database", "load_pieces", "verify_database", "promote_database", "discard_database", "verify_restore",
        "write_report", "publish_phase",
        *HOUSEKEEPING,
    }  # fmt: skip


def test_every_activity_has_a_phase_or_takes_it_from_its_input_or_is_of_no_single_one() -> None:
    """Its log lines and spans tell it."""
    told = {"publish_phase", "write_report", "release_landing"}
    of_all = {"check_running", "close_restore", "open_clearing", "call_next"}

    assert PHASES.keys() == by_trigger("activityTrigger") - told - of_all - HOUSEKEEPING


def test_every_activity_that_an_orchestrator_calls_is_registered() -> None:
    called = set()
    for path in (ROOT / "orchestrators").glob("*.py"):
        text = path.read_text("utf-8")
        called |= {name for name in by_trigger("activityTrigger") if f'"{name}"' in text}

    assert called == by_trigger("activityTrigger")


def test_heavy_libraries_are_loaded_where_they_are_used() -> None:
    """A cold start reads the whole app; what only some functions need would make every message wait for it."""
    heavy = ["azure.mgmt", "jinja2", "opentelemetry.sdk", "azure.monitor.opentelemetry"]
    script = f"import sys, function_app; print([name for name in {heavy} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"


def test_queues_of_requests_of_those_that_could_not_be_handled_and_of_events_for_the_webhook() -> None:
    assert {trigger(name)["queueName"] for name in by_trigger("queueTrigger")} == {
        REQUEST_QUEUE,
        f"{REQUEST_QUEUE}-poison",
        WEBHOOK_QUEUE,
    }


def test_housekeeping_is_due_every_hour_unless_the_operator_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    (timer,) = by_trigger("timerTrigger")
    assert trigger(timer)["schedule"] == schedule() == "0 17 * * * *"

    monkeypatch.setenv("FLEX_RESTORE_HOUSEKEEPING_SCHEDULE", "0 0 3 * * *")
    assert schedule() == "0 0 3 * * *"


def test_http_routes_are_those_of_the_table_and_ask_for_a_function_key() -> None:
    routes = {(method.value, trigger(name)["route"]): trigger(name)["authLevel"].value
              for name in by_trigger("httpTrigger") for method in trigger(name)["methods"]}  # fmt: skip

    assert routes.keys() == {*((one.method, one.route) for one in ENDPOINTS), *OPEN}
    assert {route for route, level in routes.items() if level != "function"} == OPEN


def test_where_the_platform_signs_in_no_key_is_asked_for_and_without_it_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The levels are made when the app is loaded. What is not configured wholly leaves the keys in place."""
    for name, value in SIGNS_IN.items():
        monkeypatch.setenv(name, value)
    assert levels() == {"anonymous"}
    for missing in SIGNS_IN:
        with monkeypatch.context() as without:
            without.delenv(missing)
            assert "function" in levels(), missing


SIGNS_IN = {
    "WEBSITE_AUTH_ENABLED": "True",
    "FLEX_RESTORE_AUTHENTICATION": "entra",
    "FLEX_RESTORE_TENANT": "11111111-2222-3333-4444-555555555555",
}


def levels() -> set[str]:
    """What the HTTP functions of an app that is loaded now ask for."""
    access.cache_clear()
    try:
        loaded = runpy.run_path(str(ROOT / "function_app.py"))["app"].get_functions()
    finally:
        access.cache_clear()
    bindings = [binding.get_dict_repr() for function in loaded for binding in function.get_bindings()]
    return {binding["authLevel"].value for binding in bindings if binding["type"] == "httpTrigger"}


OPEN = {("GET", "openapi.json"), ("GET", "console"), ("GET", "console/{file}")}
"""What holds nothing of anybody's."""


def test_each_landing_container_has_a_trigger_that_event_grid_feeds() -> None:
    triggers = [trigger(name) for name in by_trigger("blobTrigger")]

    assert {one["path"] for one in triggers} == {f"{container}/{{name}}" for container in LANDING_CONTAINERS}
    assert {one["source"] for one in triggers} == {"EventGrid"}


def test_no_content_of_a_landed_file_crosses_the_worker_channel() -> None:
    from azurefunctions.extensions.bindings.blob import BlobClient  # noqa: PLC0415 -- for this rule only

    for name in by_trigger("blobTrigger"):
        assert functions()[name].get_user_function().__annotations__["blob"] is BlobClient


def test_host_json_lets_producers_write_plain_json_and_bounds_a_load() -> None:
    host = json.loads((ROOT / "host.json").read_text())

    assert host["extensions"]["queues"]["messageEncoding"] == "none"
    assert host["functionTimeout"] == "04:00:00"
    assert host["extensions"]["durableTask"]["overridableExistingInstanceStates"] == "NonRunningStates"
