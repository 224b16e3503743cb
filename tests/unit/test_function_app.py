"""What the app registers: the exact set of functions, each with its trigger."""

import json
import runpy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import function_app
from shared.settings import access
from shared.topology import LANDING_CONTAINERS, REQUEST_QUEUE, WEBHOOK_QUEUE
from triggers.http.endpoints import ENDPOINTS

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
        "clear_landing",
    }


def test_activities() -> None:
    assert by_trigger("activityTrigger") == {
        "make_plan",
        "start_validation", "check_operation", "start_restore", "check_job", "find_job",
        "reserve_landing", "survey_landing", "settle_landing", "close_landing", "release_landing",
        "open_import", "check_import", "open_clearing", "check_running", "check_approval", "close_restore",
        "import_roles", "run_script",
        "load_database", "verify_database", "promote_database", "discard_database", "verify_restore",
        "write_report", "publish_phase",
    }  # fmt: skip


def test_every_activity_that_an_orchestrator_calls_is_registered() -> None:
    called = set()
    for path in (ROOT / "orchestrators").glob("*.py"):
        text = path.read_text("utf-8")
        called |= {name for name in by_trigger("activityTrigger") if f'"{name}"' in text}

    assert called == by_trigger("activityTrigger")


def test_queues_of_requests_of_those_that_could_not_be_handled_and_of_events_for_the_webhook() -> None:
    assert {trigger(name)["queueName"] for name in by_trigger("queueTrigger")} == {
        REQUEST_QUEUE,
        f"{REQUEST_QUEUE}-poison",
        WEBHOOK_QUEUE,
    }


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
