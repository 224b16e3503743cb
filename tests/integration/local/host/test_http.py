"""HTTP functions."""

from typing import Any

import pytest
import requests

from local.host.process import HostProcess


def test_a_function_gets_route_query_and_body_and_its_answer_comes_back_whole(site: Any) -> None:
    answer = requests.post(f"{site.url}/api/greet/bob/3?a=b&empty=", data=b"\xe9", timeout=10)
    assert answer.status_code == 201
    assert answer.json() == {"route": {"name": "bob", "times": "3"}, "query": {"a": "b"}, "body": "é"}
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Sample"] == "yes"
    assert answer.headers["Set-Cookie"] == "a=b; Path=/; HttpOnly"


def test_an_optional_route_parameter_may_be_missing(site: Any) -> None:
    assert requests.get(f"{site.url}/api/greet/bob", timeout=10).json()["route"] == {"name": "bob"}


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/api/nowhere", 404),
        ("GET", "/greet/bob", 404),
        ("GET", "/api/greet/bob/three", 404),
        ("DELETE", "/api/greet/bob", 404),
        ("GET", "/api/broken", 500),
        ("GET", "/api/locked", 401),
        ("GET", "/api/locked?code=wrong", 401),
        ("GET", "/api/locked?code=open-sesame", 200),
        ("GET", "/api/for-admins", 401),
        ("GET", "/api/for-admins?code=open-sesame", 200),
    ],
)
def test_status_codes_of_the_front_door(site: Any, method: str, path: str, code: int) -> None:
    assert requests.request(method, site.url + path, timeout=10).status_code == code


def test_a_key_may_come_in_a_header(site: Any) -> None:
    answer = requests.get(f"{site.url}/api/locked", headers={"x-functions-key": "open-sesame"}, timeout=10)
    assert (answer.status_code, answer.text) == (200, "open")


def test_the_log_has_a_line_for_each_call_and_the_lines_of_the_app(site: Any, wait_for: Any) -> None:
    requests.get(f"{site.url}/api/greet/logged", timeout=10)
    requests.get(f"{site.url}/api/broken", timeout=10)
    wait_for(lambda: "ValueError: on purpose" in site.log.read_text(), "the failure in the log")
    log = site.log.read_text()
    assert "[sample] greeting logged" in log
    assert "Executed 'greet' (Succeeded" in log
    assert "Executed 'broken' (Failed" in log


def test_a_call_past_the_function_timeout_is_ended_with_its_worker(own_site: Any, wait_for: Any) -> None:
    own_site.write_host_json({"version": "2.0", "functionTimeout": "00:00:01"})
    process: HostProcess = own_site.start().process
    before = process.worker_pids()
    own_site.begin("napping", "nap", 30)
    assert requests.get(f"{own_site.url}/api/slow?seconds=30", timeout=10).status_code == 500
    wait_for(lambda: process.worker_pids() and process.worker_pids() != before, "another worker")
    assert requests.get(f"{own_site.url}/api/pid", timeout=10).text == str(process.worker_pids()[0])
    assert "'slow' (Failed" in own_site.log.read_text()
    assert own_site.ended("nap")["output"].startswith("Orchestrator function 'napping' failed: Activity function 'nap'")
